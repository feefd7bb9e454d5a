"""What exactly is wrong with a mail account: told in plain words, without its password; and what cannot be set up is refused."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.channels.email.imap import accounts, connection, fetching
from helpdesk.channels.email.imap.models import MailAccount
from helpdesk.errors import Invalid
from tests.desks import TestDesk
from tests.imap import ImapServer, running
from tests.integration.email.conftest import arrivals
from tests.integration.email.imap_accounts import MOST, account, fetch, kept, mails, trouble


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
