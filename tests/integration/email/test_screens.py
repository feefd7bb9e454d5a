"""The mail screens: the ledger, what was put aside, the outbox; for administrators and supervisors alone."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from helpdesk import clock, db, web
from helpdesk.channels.email import bounded, sending
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.integration.email.conftest import (
    MailDoor,
    Sink,
    arrivals,
    both_engines,
    letter,
    opened_by_mail,
    outbox,
    replies,
    tickets,
)

NASTY = "<script>alert(1)</script>"
PAGES = ["/admin/mail", "/admin/mail/1", "/admin/mail/1/original", "/admin/mail/outgoing"]
DEEDS = ["/admin/mail/1/retry", "/admin/mail/outgoing/1/retry", "/admin/mail/outgoing/1/withdraw", "/admin/mail/outgoing/retry"]


def press(client: FlaskClient, path: str, page: str = "/admin/mail") -> int:
    """Press a button as a person does: with the token of the page."""
    html = client.get(page).get_data(as_text=True)
    token = re.search(r'name="csrf-token" content="([^"]+)"', html)
    assert token is not None
    return client.post(path, data={"csrf_token": token[1]}).status_code


@pytest.fixture
def ada(desk: TestDesk) -> FlaskClient:
    return desk.client(desk.people.ada)


def put_aside(desk: TestDesk, door: MailDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_raw: bytes) -> None:
        raise bounded.ParseFailed("parsing needed more than 512 MB")

    with monkeypatch.context() as patch:
        patch.setattr(bounded, "parse", fails)
        door.send(letter())
        desk.work()


def test_the_ledger_says_of_each_mail_what_became_of_it(desk: TestDesk, door: MailDoor, ada: FlaskClient) -> None:
    door.send(letter("a", subject=f"Invoice {NASTY}"))
    door.send(letter("b", sender="support@example.com"))
    desk.work()
    html = ada.get("/admin/mail").get_data(as_text=True)
    assert f"#{tickets()[0].number}" in html and "It claims to come from one of our own addresses." in html
    assert NASTY not in html and "Invoice &lt;script&gt;" in html


@both_engines
def test_the_ledger_is_filtered_by_state_and_found_by_sender_and_subject(desk: TestDesk, door: MailDoor, ada: FlaskClient) -> None:
    door.send(letter("a", subject="Счёт за март", sender="oleg@klient.example"))
    door.send(letter("b", subject="Delivery 50% late"))
    door.send(letter("c", sender="support@example.com", subject="loop"))
    desk.work()
    shown = {
        query: ada.get(f"/admin/mail?{query}").get_data(as_text=True)
        for query in ("state=quarantined", "q=счёт", "q=50%25", "q=OLEG@", "q=_")
    }
    subjects = ("Счёт за март", "Delivery 50% late", "loop</a>")
    assert [[subject in html for subject in subjects] for html in shown.values()] == [
        [False, False, True],
        [True, False, False],
        [False, True, False],
        [True, False, False],
        [False, False, False],
    ]


def test_the_ledger_pages_by_key(desk: TestDesk, door: MailDoor, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PAGE", 4)
    with door.open() as server:
        for number in range(6):
            door.hand_over(server, letter(f"{number}", subject=f"mail {number:02d}"), "carol@customer.example", ("support@example.com",))
    desk.work()
    first = ada.get("/admin/mail").get_data(as_text=True)
    onward = re.search(r'href="(/admin/mail\?before=[^"]+)"', first)
    assert onward is not None and "mail 05" in first and "mail 01" not in first
    second = ada.get(onward[1]).get_data(as_text=True)
    assert "mail 01" in second and "mail 02" not in second and "mail 05" not in second


def test_what_was_put_aside_is_tried_again_from_the_screen(
    desk: TestDesk, door: MailDoor, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_aside(desk, door, monkeypatch)
    html = ada.get("/admin/mail/1").get_data(as_text=True)
    assert "It could not be understood." in html and "parsing needed more than 512 MB" in html
    assert press(ada, "/admin/mail/1/retry") == 303
    desk.work()
    assert arrivals()[0].state == "accepted"
    assert press(ada, "/admin/mail/1/retry") == 409


def test_the_original_is_only_a_download_of_plain_text(desk: TestDesk, door: MailDoor, ada: FlaskClient) -> None:
    door.send(letter(NASTY))
    answer = ada.get("/admin/mail/1/original")
    assert answer.status_code == 200 and NASTY.encode() in answer.data
    assert answer.mimetype == "text/plain" and answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_outbox_says_that_there_is_no_mail_server(desk: TestDesk, door: MailDoor, ada: FlaskClient, stopped: clock.Hand) -> None:
    opened_by_mail(desk, door)
    html = ada.get("/admin/mail/outgoing").get_data(as_text=True)
    assert "No mail server is set up, so nothing leaves" in html and sending.NO_SERVER in html


def test_a_failed_mail_shows_the_server_s_words_and_is_tried_again_or_taken_out(
    desk: TestDesk, door: MailDoor, sink: Sink, ada: FlaskClient, stopped: clock.Hand
) -> None:
    with db.transaction():
        prefer(acknowledge=False)
    sink.say = lambda _envelope: f"554 5.7.1 No {NASTY} please"
    ticket = opened_by_mail(desk, door)
    replies(desk, ticket, "one")
    replies(desk, ticket, "two")
    stopped.move(minutes=1)
    desk.work()
    html = ada.get("/admin/mail/outgoing?state=failed").get_data(as_text=True)
    assert html.count("554 5.7.1 No &lt;script&gt;") == 2 and NASTY not in html
    sink.say = lambda _envelope: None
    assert press(ada, "/admin/mail/outgoing/1/retry") == 303 and press(ada, "/admin/mail/outgoing/2/withdraw") == 303
    desk.work()
    assert [row.state for row in outbox()] == ["sent", "withdrawn"]
    assert press(ada, "/admin/mail/outgoing/1/withdraw") == 409


@pytest.mark.parametrize("path", PAGES)
def test_supervisors_may_look_and_agents_customers_and_strangers_may_not(desk: TestDesk, door: MailDoor, path: str) -> None:
    door.send(letter())
    assert desk.client(desk.people.dana).get(path).status_code == 200
    assert desk.client(desk.people.alice).get(path).status_code == 404
    assert desk.client().get(path).status_code == 303
    with db.transaction():
        from helpdesk.auth import Role
        from tests import people

        customer = people.person("Carol", Role.CUSTOMER, contact_id=desk.people.carol).id
    assert desk.client(customer).get(path).status_code == 404


@pytest.mark.parametrize("path", DEEDS)
def test_agents_may_not_decide_about_mail(desk: TestDesk, door: MailDoor, path: str) -> None:
    opened_by_mail(desk, door)
    before = [(row.state, row.not_before) for row in outbox()], [a.state for a in arrivals()]
    client = desk.client(desk.people.alice)
    assert press(client, path, page="/inbox") == 404
    assert ([(row.state, row.not_before) for row in outbox()], [a.state for a in arrivals()]) == before


def test_a_mail_that_never_was_is_not_found(desk: TestDesk, ada: FlaskClient) -> None:
    assert {ada.get(path).status_code for path in PAGES[1:3]} == {404}
    assert press(ada, "/admin/mail/7/retry") == 404
