"""Mail fetched from IMAP accounts: once each, whatever breaks on the way; and a trouble says what it is without telling the password."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from helpdesk import clock, db, vault
from helpdesk.actor import SYSTEM
from helpdesk.channels.email.imap import accounts, connection, fetchers, fetching, oauth
from helpdesk.channels.email.imap.models import MailAccount, MailFolder
from helpdesk.channels.email.imap.trouble import AccountTrouble
from helpdesk.errors import Invalid
from helpdesk.tickets.models import Inbox
from tests.desks import TestDesk
from tests.imap import ImapServer, running
from tests.integration.email.conftest import arrivals, both_engines, letter, tickets

MOST = 1 << 20
SECRET = "app pass word"


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with running(ImapServer()) as made:
        yield made


def account(desk: TestDesk, server: ImapServer, **changes: object) -> int:
    """An account at this server, fetched into the support inbox; its id."""
    shape = {"host": "127.0.0.1", "port": server.port, "tls": "none", "username": "support", "password": SECRET, **changes}
    with db.transaction() as session:
        return accounts.add(session.get_one(Inbox, desk.people.mail), accounts.Shape(**shape), by=SYSTEM).id  # type: ignore[arg-type]


def fetch(account_id: int) -> fetching.Round:
    return fetching.once(account_id, MOST)


def kept(account_id: int) -> MailAccount:
    with db.read() as session:
        return session.get_one(MailAccount, account_id)


def mails(count: int, first: int = 1) -> list[bytes]:
    return [
        letter(f"This is request {number}.", subject=f"Request {number}", message_id=f"<{number}@x>")
        for number in range(first, first + count)
    ]


def subjects() -> list[str]:
    return sorted(ticket.subject for ticket in tickets())


# --- what is taken, and what becomes of it on the server -----------------------------------------------------------------


@both_engines
def test_unread_mail_becomes_tickets_once_and_is_marked_as_read(desk: TestDesk, server: ImapServer) -> None:
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server)
    assert fetch(account_id).new == 3
    desk.work()
    assert subjects() == ["Request 1", "Request 2", "Request 3"]
    assert all("\\Seen" in mail.flags for mail in server.inbox.mails)
    server.fetched.clear()
    assert fetch(account_id).new == 0 and server.fetched == [], "nothing is fetched twice"
    server.deliver(mails(1, 4)[0])
    assert fetch(account_id).new == 1
    assert kept(account_id).taken == 4 and kept(account_id).trouble == "" and kept(account_id).fetched_at is not None


def test_at_first_contact_what_people_have_read_is_left_alone_and_later_it_counts(desk: TestDesk, server: ImapServer) -> None:
    old, new, later = mails(3)
    server.deliver(old, "INBOX", "\\Seen")
    server.deliver(new)
    account_id = account(desk, server)
    assert fetch(account_id).new == 1
    server.deliver(later, "INBOX", "\\Seen")  # somebody was faster and read it
    assert fetch(account_id).new == 1
    desk.work()
    assert subjects() == ["Request 2", "Request 3"]


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 MOVE UIDPLUS", "IMAP4rev1 UIDPLUS", "IMAP4rev1"])
def test_fetched_mail_is_moved_where_the_administrator_said(desk: TestDesk, server: ImapServer, capabilities: str) -> None:
    server.capabilities = capabilities
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server, afterwards="move", move_to="Done")
    assert fetch(account_id).new == 3
    assert server.inbox.mails == [] and len(server.folders["Done"].mails) == 3


def test_deleting_fetched_mail_leaves_what_a_person_marked_for_deletion(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(mails(1, 9)[0], "INBOX", "\\Seen", "\\Deleted")
    server.deliver(mails(1)[0])
    account_id = account(desk, server, afterwards="delete")
    assert fetch(account_id).new == 1
    assert [mail.uid for mail in server.inbox.mails] == [1]


def test_marking_as_read_expunges_nothing(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(mails(1, 9)[0], "INBOX", "\\Seen", "\\Deleted")
    server.deliver(mails(1)[0])
    fetch(account(desk, server))
    assert len(server.inbox.mails) == 2 and "EXPUNGE" not in server.log


def test_several_folders_and_several_accounts_feed_one_inbox(desk: TestDesk, server: ImapServer) -> None:
    first, second, third = mails(3)
    server.deliver(first)
    server.deliver(second, "Done")
    with running(ImapServer()) as other:
        other.deliver(third)
        fetch(account(desk, server, folders="INBOX\nDone"))
        fetch(account(desk, other))
    desk.work()
    assert subjects() == ["Request 1", "Request 2", "Request 3"]


def test_a_mail_that_is_too_large_stays_on_the_server_and_is_counted(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(letter("x" * (MOST + 1)))
    server.deliver(mails(1)[0])
    account_id = account(desk, server, afterwards="delete")
    made = fetch(account_id)
    assert (made.new, made.left) == (1, 1) and [mail.uid for mail in server.inbox.mails] == [1]
    assert fetch(account_id) == fetching.Round(), "it is counted once and holds nothing up"
    assert kept(account_id).left_behind == 1


# --- cut on the way ------------------------------------------------------------------------------------------------------


@both_engines
@pytest.mark.parametrize("afterwards", ["mark", "move", "delete"])
def test_a_connection_cut_anywhere_in_the_fetch_loses_nothing_and_doubles_nothing(
    desk: TestDesk, server: ImapServer, afterwards: str
) -> None:
    count = 25
    sent = mails(count)
    for raw in sent[:10]:
        server.deliver(raw)
    account_id = account(desk, server, afterwards=afterwards, move_to="Done")
    for cut in range(40):
        server.cut_after = 137 * (cut + 1) + cut * cut
        if cut == 5:
            for raw in sent[10:]:
                server.deliver(raw)
        try:
            fetch(account_id)
        except AccountTrouble as trouble:
            assert trouble.sentence == connection.BROKE_OFF
    server.cut_after = None
    fetch(account_id)
    desk.work()
    assert len(arrivals()) == count and subjects() == sorted(f"Request {number}" for number in range(1, count + 1))
    assert len(server.folders["Done"].mails) == (count if afterwards == "move" else 0)
    assert len(server.inbox.mails) == (count if afterwards == "mark" else 0)


@pytest.mark.parametrize("command", ["SELECT", "UID SEARCH", "UID FETCH", "UID STORE", "UID MOVE", "UID COPY", "UID EXPUNGE"])
def test_a_server_that_hangs_up_before_a_command_doubles_nothing(desk: TestDesk, server: ImapServer, command: str) -> None:
    server.capabilities = "IMAP4rev1 UIDPLUS MOVE" if command == "UID MOVE" else "IMAP4rev1 UIDPLUS"
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server, afterwards="mark" if command == "UID STORE" else "move", move_to="Done")
    server.drop_before = command
    with pytest.raises(AccountTrouble):
        fetch(account_id)
    fetch(account_id)
    desk.work()
    assert subjects() == ["Request 1", "Request 2", "Request 3"] and len(arrivals()) == 3


def test_a_disk_that_is_away_leaves_the_mail_on_the_server(desk: TestDesk, server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from helpdesk.channels.email import arrivals as ledger
    from helpdesk.errors import Unavailable

    server.deliver(mails(1)[0])
    account_id = account(desk, server, afterwards="delete")

    def full(_raw: bytes) -> None:
        raise Unavailable("no room")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "keep", full)
        with pytest.raises(Unavailable):
            fetch(account_id)
    assert len(server.inbox.mails) == 1
    assert fetch(account_id).new == 1 and server.inbox.mails == []


@both_engines
def test_mails_numbered_anew_are_not_doubled_and_new_ones_are_found(desk: TestDesk, server: ImapServer) -> None:
    for raw in mails(3):
        server.deliver(raw)
    account_id = account(desk, server)
    fetch(account_id)
    server.deliver(mails(1, 4)[0], "INBOX", "\\Seen")
    del server.inbox.mails[0]
    server.inbox.renumber()
    made = fetch(account_id)
    assert (made.new, made.known) == (1, 2)
    desk.work()
    assert subjects() == [f"Request {number}" for number in (1, 2, 3, 4)]
    with db.read() as session:
        assert session.get_one(MailFolder, (account_id, "INBOX")).uidvalidity == server.inbox.uidvalidity


def test_a_mail_that_the_server_never_hands_over_does_not_hold_up_the_others(desk: TestDesk, server: ImapServer) -> None:
    for raw in mails(3):
        server.deliver(raw)
    server.unreadable = {2}
    account_id = account(desk, server, afterwards="delete")
    for _ in range(fetching.STUCK_TRIES - 1):
        with pytest.raises(AccountTrouble, match="hand over"):
            fetch(account_id)
    assert fetch(account_id).left == 1
    desk.work()
    assert subjects() == ["Request 1", "Request 3"] and [mail.uid for mail in server.inbox.mails] == [2]


# --- what exactly failed -------------------------------------------------------------------------------------------------


def trouble(account_id: int) -> AccountTrouble:
    with pytest.raises(AccountTrouble) as caught:
        fetch(account_id)
    return caught.value


def test_a_wrong_password_is_told_without_repeating_it(desk: TestDesk, server: ImapServer) -> None:
    server.echo_password = True
    account_id = account(desk, server, password="hunter2-canary")
    assert trouble(account_id).sentence == connection.BAD_LOGIN
    told = kept(account_id).trouble
    assert told.startswith(connection.BAD_LOGIN) and "AUTHENTICATIONFAILED" in told and "hunter2" not in told
    assert "hunter2" not in kept(account_id).password and "hunter2" not in repr(fetching.plan(account_id, MOST))


def test_a_missing_folder_is_named(desk: TestDesk, server: ImapServer) -> None:
    found = trouble(account(desk, server, folders="INBOX\nКлиенты"))
    assert found.sentence == connection.NO_FOLDER and "Клиенты" in found.technical


def test_a_missing_target_is_told_and_the_mail_stays(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(mails(1)[0])
    account_id = account(desk, server, afterwards="move", move_to="Gone")
    assert trouble(account_id).sentence == connection.NO_TARGET and len(server.inbox.mails) == 1
    server.folders["Gone"] = type(server.inbox)()
    assert fetch(account_id).known == 1 and len(arrivals()) == 1


def test_no_such_server_and_nobody_listening_are_different_things(desk: TestDesk, server: ImapServer) -> None:
    assert trouble(account(desk, server, host="no-such-host.invalid")).sentence == connection.NO_SERVER
    with running(ImapServer()) as gone:
        pass
    assert trouble(account(desk, gone)).sentence == connection.NOBODY_LISTENS


def test_what_does_not_speak_imap_is_told(desk: TestDesk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            talk, _ = other.accept()
            with talk:
                talk.sendall(b"220 mx.example ESMTP\r\n")
                talk.recv(100)

        threading.Thread(target=greet, daemon=True).start()
        assert trouble(account(desk, ImapServer(port=other.getsockname()[1]))).sentence == connection.NOT_IMAP


def test_tls_troubles_are_told_apart(desk: TestDesk, server: ImapServer, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    assert trouble(account(desk, server, tls="implicit")).sentence == connection.NO_TLS
    assert trouble(account(desk, server, tls="starttls")).sentence == connection.NO_STARTTLS
    with running(ImapServer(), tls=context) as secure, running(ImapServer(starttls=context)) as later:
        secure.deliver(mails(1)[0])
        later.deliver(mails(1, 2)[0])
        for made, tls in ((secure, "implicit"), (later, "starttls")):
            account_id = account(desk, made, host="localhost", tls=tls)
            assert trouble(account_id).sentence == connection.NOT_TRUSTED
            with monkeypatch.context() as trusting:
                trusting.setenv("SSL_CERT_FILE", str(certificate))
                assert fetch(account_id).new == 1


def test_trying_out_names_the_mails_of_each_folder_and_changes_nothing(desk: TestDesk, server: ImapServer) -> None:
    server.deliver(mails(1)[0])
    account_id = account(desk, server, folders="INBOX\nDone")
    plan = fetching.plan(account_id, MOST)
    assert connection.try_out(plan.login, plan.folders, plan.afterwards, plan.move_to) == {"INBOX": 1, "Done": 0}
    assert server.inbox.mails[0].flags == set() and arrivals() == []


def test_each_failure_waits_longer_and_a_refused_sign_in_longest(desk: TestDesk, server: ImapServer, stopped: clock.Hand) -> None:
    account_id = account(desk, server, password="wrong")
    pauses = []
    for _ in range(8):
        trouble(account_id)
        pauses.append((kept(account_id).next_at or clock.now()) - clock.now())
    assert pauses[0] == timedelta(minutes=2) and pauses == sorted(pauses) and pauses[-1] == timedelta(hours=1)


# --- settings ------------------------------------------------------------------------------------------------------------


def test_a_moved_account_needs_its_password_anew(desk: TestDesk, server: ImapServer) -> None:
    account_id = account(desk, server)
    with db.transaction() as session, pytest.raises(Invalid) as refused:
        row = session.get_one(MailAccount, account_id)
        accounts.edit(row, accounts.Shape(host="evil.example", username="support"), seen=1, by=SYSTEM)
    assert set(refused.value.fields) == {"password"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", ""), ("host", "imap://x"), ("username", " "), ("port", 70000), ("tls", "maybe"), ("folders", " \n"), ("every_s", 1),
        ("afterwards", "burn"), ("password", ""), ("sign_in", "guess"), ("folders", "\n".join(map(str, range(30)))),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(desk: TestDesk, server: ImapServer, field: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        account(desk, server, **{field: value})
    assert set(refused.value.fields) == {field}


# --- tokens --------------------------------------------------------------------------------------------------------------


class TokenServer:
    """A provider's token endpoint. `answer(form)` gives status and body."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.answer: Callable[[dict[str, list[str]]], tuple[int, dict[str, object]]] = lambda _form: (400, {"error": "invalid_grant"})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                outer.forms.append(form)
                status, body = outer.answer(form)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_args: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def token_server() -> Iterator[TokenServer]:
    connection.forget_tokens()
    made = TokenServer()
    yield made
    made.http.shutdown()
    made.http.server_close()
    connection.forget_tokens()


def oauth_account(desk: TestDesk, server: ImapServer, tokens: TokenServer) -> int:
    return account(
        desk, server, password="", sign_in="oauth", token_url=f"http://127.0.0.1:{tokens.port}/token", client_id="desk",
        client_secret="client-canary", refresh_token="refresh-1", scope="mail",
    )  # fmt: skip


def test_a_token_is_bought_kept_while_it_lasts_and_bought_anew(desk: TestDesk, server: ImapServer, token_server: TokenServer) -> None:
    token_server.answer = lambda _form: (200, {"access_token": "access-1", "expires_in": 3600})
    server.deliver(mails(1)[0])
    account_id = oauth_account(desk, server, token_server)
    assert fetch(account_id).new == 1
    fetch(account_id)
    assert len(token_server.forms) == 1
    assert token_server.forms[0] == {
        "grant_type": ["refresh_token"], "client_id": ["desk"], "client_secret": ["client-canary"], "refresh_token": ["refresh-1"],
        "scope": ["mail"],
    }  # fmt: skip
    server.token = "access-2"  # the provider forgot the first one
    token_server.answer = lambda _form: (200, {"access_token": "access-2", "expires_in": 3600, "refresh_token": "refresh-2"})
    assert trouble(account_id).sentence == connection.BAD_TOKEN
    fetch(account_id)
    with db.read() as session:
        assert vault.unseal(session.get_one(MailAccount, account_id).refresh_token) == "refresh-2"


def test_a_refused_refresh_token_is_told_in_the_providers_words(desk: TestDesk, server: ImapServer, token_server: TokenServer) -> None:
    token_server.answer = lambda _form: (400, {"error": "invalid_grant", "error_description": "refresh-1 has expired"})
    account_id = oauth_account(desk, server, token_server)
    assert trouble(account_id).sentence == oauth.TOKEN_REFUSED
    told = kept(account_id).trouble
    assert "invalid_grant" in told and "refresh-1" not in told and "client-canary" not in told


def test_tokens_are_only_asked_for_over_https_or_on_this_machine(desk: TestDesk, server: ImapServer) -> None:
    for url in ("http://provider.example/token", "ftp://x", "", "https://"):
        with pytest.raises(Invalid) as refused:
            account(desk, server, sign_in="oauth", token_url=url, client_id="x", refresh_token="y")
        assert set(refused.value.fields) == {"token_url"}


# --- fetchers that stay --------------------------------------------------------------------------------------------------


@pytest.fixture
def staff(desk: TestDesk) -> Iterator[Callable[[], fetchers.Fetchers]]:
    started: list[fetchers.Fetchers] = []

    def start() -> fetchers.Fetchers:
        made = fetchers.Fetchers(MOST)
        started.append(made)
        made.start()
        return made

    yield start
    for made in started:
        made.stop(5)


def until(condition: Callable[[], bool], patience_s: float = 20) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_a_waiting_server_tells_of_new_mail_and_it_is_fetched_at_once(
    desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]
) -> None:
    account(desk, server, every_s=600)
    staff()
    until(lambda: "IDLE" in server.log)
    server.deliver(mails(1)[0])
    until(lambda: len(arrivals()) == 1, 8)
    assert server.connections == 1


def test_without_idle_the_account_is_looked_at_every_so_often_or_when_asked(
    desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]
) -> None:
    account_id = account(desk, server, every_s=600, idle=False)
    staff()
    until(lambda: kept(account_id).fetched_at is not None)
    server.deliver(mails(1)[0])
    with db.transaction() as session:
        accounts.try_soon(session.get_one(MailAccount, account_id))
    until(lambda: len(arrivals()) == 1, 8)
    assert "IDLE" not in server.log


@both_engines
def test_two_processes_never_fetch_the_same_account(desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]) -> None:
    account_id = account(desk, server)
    first = fetchers.claim("one", 10)
    assert first == [account_id] and fetchers.claim("two", 10) == [] and not fetchers.take("three", account_id)
    fetchers.release("one")
    staff(), staff()
    until(lambda: kept(account_id).fetched_at is not None)
    assert server.connections == 1


def test_a_dead_fetchers_lease_runs_out(desk: TestDesk, server: ImapServer, stopped: clock.Hand) -> None:
    account_id = account(desk, server)
    assert fetchers.claim("dead", 10) == [account_id]
    stopped.move(seconds=89)
    assert fetchers.claim("alive", 10) == []
    stopped.move(seconds=2)
    assert fetchers.claim("alive", 10) == [account_id]


def test_a_fetcher_that_is_cut_off_comes_back_and_says_what_was(
    desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers], monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = account(desk, server)
    staff()
    until(lambda: "IDLE" in server.log)
    server.hang_up()
    until(lambda: kept(account_id).trouble.startswith(connection.BROKE_OFF))
    server.deliver(mails(1)[0])
    with db.transaction() as session:
        accounts.try_soon(session.get_one(MailAccount, account_id))
    until(lambda: len(arrivals()) == 1)
    until(lambda: kept(account_id).trouble == "")


def test_an_account_switched_off_is_let_go(desk: TestDesk, server: ImapServer, staff: Callable[[], fetchers.Fetchers]) -> None:
    account_id = account(desk, server, idle=False, every_s=600)
    staff()
    until(lambda: kept(account_id).fetched_at is not None)
    with db.transaction() as session:
        row = session.get_one(MailAccount, account_id)
        shape = accounts.Shape(host="127.0.0.1", port=server.port, tls="none", username="support", active=False)
        accounts.edit(row, shape, seen=row.version, by=SYSTEM)
    until(lambda: kept(account_id).held_by == "")
    server.deliver(mails(1)[0])
    time.sleep(fetchers.LOOK_S + 0.5)
    assert arrivals() == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody trusts, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
