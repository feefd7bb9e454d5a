"""Mail accounts on an inbox's page: set up, tested in plain words, fetched now, removed; the password is never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from helpdesk import db
from helpdesk.channels.email import trusted
from helpdesk.channels.email.imap import connection, fetching
from helpdesk.channels.email.imap.models import MailAccount
from helpdesk.channels.email.imap.trouble import AccountTrouble
from helpdesk.cli import helpdesk
from tests.desks import TestDesk
from tests.forms import Browser
from tests.imap import ImapServer, running
from tests.integration.email.conftest import letter

SECRET = "hunter2-canary-secret"


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with running(ImapServer(password=SECRET)) as made:
        yield made


def add(desk: TestDesk, server: ImapServer, **changes: str) -> str:
    """Ada sets an account up in the browser; its page's path."""
    place = f"/admin/inboxes/{desk.people.mail}/accounts"
    answer = Browser(desk, desk.people.ada).save(
        f"{place}/new",
        to=place,
        **{"host": "127.0.0.1", "port": str(server.port), "tls": "none", "username": "support", "password": SECRET, **changes},
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def the_account() -> MailAccount:
    with db.read() as session:
        return session.query(MailAccount).one()


def test_an_account_is_set_up_tested_and_shown_with_how_it_fares(desk: TestDesk, server: ImapServer) -> None:
    path = add(desk, server)
    ada = Browser(desk, desk.people.ada)
    server.deliver(letter())
    assert "The account opens and lets us in. Nothing was changed. INBOX: 1 mail" in ada.send(f"{path}/test", page=path).text
    inbox_page = ada.open(f"/admin/inboxes/{desk.people.mail}").text
    assert "Not fetched yet" in inbox_page
    fetching.once(the_account().id, 1 << 20)
    page = ada.open(path).text
    assert "Fetched" in page and SECRET not in page + inbox_page and SECRET not in the_account().password


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong-canary"}, "does not accept the user name or the password"),
        ({"folders": "Nowhere"}, "There is no such folder"),
        ({"host": "no-such-host.invalid"}, "There is no server of this name"),
        ({"tls": "implicit"}, "does not speak TLS on this port"),
        ({"tls": "starttls"}, "offers no encryption"),
        ({"afterwards": "move", "move_to": "Gone"}, "is moved to does not exist"),
    ],
)  # fmt: skip
def test_the_test_says_exactly_what_failed_and_never_the_password(
    desk: TestDesk, server: ImapServer, changes: dict[str, str], words: str
) -> None:
    server.echo_password = True
    path = add(desk, server, **changes)
    text = Browser(desk, desk.people.ada).send(f"{path}/test", page=path).text
    assert words in text and "wrong-canary" not in text and SECRET not in text


def test_the_last_trouble_and_the_next_try_are_on_both_pages(desk: TestDesk, server: ImapServer) -> None:
    path = add(desk, server, password="wrong")
    with pytest.raises(AccountTrouble):
        fetching.once(the_account().id, 1 << 20)
    ada = Browser(desk, desk.people.ada)
    for page in (path, f"/admin/inboxes/{desk.people.mail}"):
        text = ada.open(page).text
        assert "Cannot be fetched" in text and "does not accept the user name" in text and "Next try" in text
    ada.send(f"{path}/round", page=path)
    account = the_account()
    assert account.next_at is not None and account.tried_at is not None and account.next_at >= account.tried_at


def test_empty_secrets_keep_the_ones_there_are_and_an_unknown_choice_is_refused(desk: TestDesk, server: ImapServer) -> None:
    path = add(desk, server)
    ada = Browser(desk, desk.people.ada)
    before = the_account().password
    assert ada.save(path, folders="INBOX\nDone", password="").status_code == 303
    assert the_account().password == before and the_account().folders == ["INBOX", "Done"]
    answer = ada.save(path, host="", every_s="3")
    assert answer.status_code == 422 and "from 10 to 86400" in answer.text


def test_an_account_is_removed_after_a_question_and_what_came_stays(desk: TestDesk, server: ImapServer) -> None:
    path = add(desk, server)
    server.deliver(letter())
    fetching.once(the_account().id, 1 << 20)
    ada = Browser(desk, desk.people.ada)
    assert "What was taken in stays" in ada.open(f"{path}/removal").text
    assert ada.send(f"{path}/removal", page=f"{path}/removal").status_code == 303
    with db.read() as session:
        assert session.query(MailAccount).count() == 0
    assert len(server.inbox.mails) == 1


def test_another_inboxs_account_is_not_found_under_this_one(desk: TestDesk, server: ImapServer) -> None:
    path = add(desk, server)
    other = re.sub(r"inboxes/\d+", f"inboxes/{desk.people.billing_mail}", path)
    assert Browser(desk, desk.people.ada).open(other).status_code == 404
    assert desk.client(desk.people.alice).get(path).status_code == 404 and desk.client(desk.people.dana).get(path).status_code == 404


def test_the_server_whose_checks_are_believed_is_set_per_inbox(desk: TestDesk) -> None:
    page = f"/admin/inboxes/{desk.people.mail}"
    ada = Browser(desk, desk.people.ada)
    assert ada.send(f"{page}/trust", page=page, authserv_id=" MX.Example.com ").status_code == 303
    with db.read():
        assert trusted.authserv_id(desk.people.mail) == "mx.example.com" and trusted.authserv_id(desk.people.billing_mail) == ""
    ada.send(f"{page}/trust", page=page, authserv_id="a b")
    assert "not a server" in ada.open(page).text


def test_the_command_fetches_by_hand_and_says_what_failed(desk: TestDesk, server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    add(desk, server)
    server.deliver(letter())
    for name, value in {"HELPDESK_DATA": str(desk.settings.data), "SECRET_KEYS": "k" * 40, "BASE_URL": "http://localhost"}.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(helpdesk, ["mail", "fetch"])
    assert result.exit_code == 0 and "1 new" in result.output
    server.password = "changed"
    result = CliRunner().invoke(helpdesk, ["mail", "fetch", "--inbox", "support@example.com"])
    assert result.exit_code == 1 and connection.BAD_LOGIN in result.output and SECRET not in result.output
    assert CliRunner().invoke(helpdesk, ["mail", "fetch", "--inbox", "nobody@example.com"]).exit_code == 1
