"""One ticket by its signed link: what it shows, what it lets one do, and how it ends."""

from __future__ import annotations

from io import BytesIO

import pytest
from sqlalchemy import select

from helpdesk import clock, db, links
from helpdesk.actor import Actor
from helpdesk.auth import ANONYMOUS
from helpdesk.channels.portal.screens import may_watch
from helpdesk.events import Event
from helpdesk.tickets import intake, lifecycle, linking, thread
from helpdesk.tickets.models import Attachment, Message, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.portal.visitors import account, contact, hidden, link_to, read, token


def replies(desk: TestDesk, ticket: Ticket, text: str, **values: object) -> Message:
    with db.transaction() as session:
        return thread.reply(session.get_one(Ticket, ticket.id), text, by=Actor("user", desk.people.alice), **values)  # type: ignore[arg-type]


def notes(desk: TestDesk, ticket: Ticket, text: str, **values: object) -> Message:
    with db.transaction() as session:
        return thread.note(session.get_one(Ticket, ticket.id), text, by=Actor("user", desk.people.alice), **values)  # type: ignore[arg-type]


@pytest.fixture
def ticket(desk: TestDesk) -> Ticket:
    return people.writes(desk.people.carol, inbox=desk.people.portal)


# --- seeing --------------------------------------------------------------------------------------------------------------------------


def test_a_reply_shows_once_it_can_no_longer_be_taken_back(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    replies(desk, ticket, "It is corrected.", then=Status.SOLVED)
    before = carol.get(url).text
    assert "It is corrected." not in before and "We believe this is solved" not in before and "Alice" not in before
    stopped.move(seconds=16)
    after = carol.get(url).text
    assert "It is corrected." in after and "We believe this is solved" in after and "Alice" in after


def test_a_reply_that_was_taken_back_never_shows(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    message = replies(desk, ticket, "Wrong window, sorry.")
    with db.transaction() as session:
        thread.withdraw(session.get_one(Message, message.id), session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    stopped.move(minutes=5)
    page = desk.client().get(link_to(ticket, desk.people.carol)).text
    assert "Wrong window" not in page and "We promised" not in page


def test_notes_and_their_files_are_never_shown(desk: TestDesk, ticket: Ticket) -> None:
    notes(desk, ticket, "This customer is difficult.")
    stored = people.writes  # readers look for the attachment below
    assert stored
    with db.transaction() as session:
        note = session.scalars(select(Message).where(Message.text == "This customer is difficult.")).one()
        from helpdesk import files

        kept = files.store().put(b"secret")
        session.add(
            Attachment(message_id=note.id, object_key=kept.key, name="s.txt", content_type="text/plain", size=6, sha256=kept.sha256)
        )
        session.flush()
        file_id = session.scalars(select(Attachment.id)).one()
    url, visitor = link_to(ticket, desk.people.carol), desk.client()
    assert "difficult" not in visitor.get(url).text and "s.txt" not in visitor.get(url).text
    assert visitor.get(f"{url}/files/{file_id}").status_code == 404
    assert desk.client(account(desk.people.carol)).get(f"/files/{file_id}").status_code == 404
    assert desk.client(desk.people.alice).get(f"/files/{file_id}").status_code == 200
    assert desk.client(desk.people.eve).get(f"/files/{file_id}").status_code == 404


def test_the_promise_is_told_on_the_customers_clock_and_lateness_is_admitted(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    with db.transaction() as session:
        session.get_one(type(contact(desk.people.carol)), desk.people.carol).time_zone = "Europe/Moscow"
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    assert "by 14:00 (Moscow, UTC+03:00)" in carol.get(url).text
    assert "14:00 (Москва, UTC+03:00)" in carol.get(f"{url}?lang=ru").text
    stopped.move(hours=2)
    assert "and are late" in carol.get(url).text


def test_while_it_is_the_customers_turn_nothing_is_promised(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), Status.PENDING, by=Actor("user", desk.people.alice))
    page = desk.client().get(link_to(ticket, desk.people.carol)).text
    assert "It is your turn" in page and "We will answer by" not in page


def test_the_pages_part_alone_is_answered_to_its_script(desk: TestDesk, ticket: Ticket) -> None:
    part = desk.client().get(link_to(ticket, desk.people.carol), headers={"HX-Request": "true"}).text
    assert 'id="thread"' in part and "<html" not in part


def test_what_a_link_shows_stays_out_of_caches_and_search_engines(desk: TestDesk, ticket: Ticket) -> None:
    headers = desk.client().get(link_to(ticket, desk.people.carol)).headers
    assert headers["Cache-Control"] == "no-store" and headers["X-Robots-Tag"] == "noindex"


# --- doing ---------------------------------------------------------------------------------------------------------------------------


def test_a_customer_answers_with_a_file_and_the_ticket_is_ours_again(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), Status.PENDING, by=Actor("user", desk.people.alice))
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    sent = {"csrf_token": token(carol), "form_key": "one", "body": "Here it is.", "files": (BytesIO(b"scan"), "scan.pdf")}
    answer = carol.post(f"{url}/messages", data=sent)
    assert answer.status_code == 303 and "arrived=" in answer.location
    page = carol.get(url).text
    assert "Here it is." in page and "scan.pdf" in page
    assert read(ticket.id).status is Status.OPEN
    with db.read() as session:
        event = session.scalars(select(Event).where(Event.kind == "customer_wrote")).one()
        assert (event.actor_kind, event.actor_id) == ("link", desk.people.carol)


def test_an_answer_sent_twice_is_one_message(desk: TestDesk, ticket: Ticket) -> None:
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    sent = {"csrf_token": token(carol), "form_key": "one", "body": "Once."}
    assert carol.post(f"{url}/messages", data=sent).location == carol.post(f"{url}/messages", data=sent).location
    assert carol.get(url).text.count("Once.") == 1


def test_an_empty_answer_and_one_of_an_ended_session_are_refused_with_the_text_kept(desk: TestDesk, ticket: Ticket) -> None:
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    assert carol.post(f"{url}/messages", data={"csrf_token": token(carol), "body": "  "}).status_code == 422
    refused = carol.post(f"{url}/messages", data={"csrf_token": "old", "body": "Long words"})
    assert refused.status_code == 422 and "Long words" in refused.text
    assert read(ticket.id).messages_count == 1


def test_writing_on_a_closed_request_opens_a_new_one_that_knows_of_it(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        lifecycle.close(session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    sent = {"csrf_token": token(carol), "form_key": "one", "body": "It broke again."}
    first, second = carol.post(f"{url}/messages", data=sent), carol.post(f"{url}/messages", data=sent)
    page = carol.get(first.location).text
    assert "It broke again." in page and first.location.startswith("/t/") and not first.location.startswith(url)
    with db.read() as session:
        fresh = session.scalars(select(Ticket).where(Ticket.linked_to_id == ticket.id)).one()
        assert fresh.subject == ticket.subject and second.status_code == 303


def test_the_customer_says_that_it_is_solved_and_that_it_is_not(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    replies(desk, ticket, "Try it now.")
    stopped.move(minutes=1)
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    assert "Yes, this is solved" in carol.get(url).text
    assert carol.post(f"{url}/solution", data={"csrf_token": token(carol)}).status_code == 303
    assert read(ticket.id).status is Status.SOLVED
    assert carol.post(f"{url}/reopening", data={"csrf_token": token(carol)}).status_code == 303
    reopened = read(ticket.id)
    assert reopened.status is Status.OPEN and reopened.waiting_since is not None and "This is not solved yet." in carol.get(url).text


def test_looking_never_solves_or_reopens(desk: TestDesk, ticket: Ticket) -> None:
    url, scanner = link_to(ticket, desk.people.carol), desk.client()
    for path in ("", "/solution", "/reopening", "/messages"):
        scanner.get(url + path)
    assert read(ticket.id).status is Status.NEW and read(ticket.id).messages_count == 1


# --- ending --------------------------------------------------------------------------------------------------------------------------


def test_an_altered_an_expired_and_a_revoked_link_lead_to_the_same_page(
    desk: TestDesk, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    altered = carol.get(url[:-9] + ("A" if url[-9] != "A" else "B") + url[-8:])
    with db.transaction() as session:
        lifecycle.revoke_links(session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    revoked = carol.get(url)
    fresh = link_to(read(ticket.id), desk.people.carol)
    assert carol.get(fresh).status_code == 200
    monkeypatch.setattr(links, "unsign", lambda *_args, **_values: (_ for _ in ()).throw(links.Gone()))
    expired = carol.get(fresh)
    for answer in (altered, revoked, expired):
        assert answer.status_code == 410 and "Send me a fresh link" in answer.text and "My invoice is wrong" not in answer.text
    for path in ("/messages", "/solution", "/reopening"):
        assert carol.post(url + path, data={"csrf_token": token(carol), "body": "x"}).status_code == 410
    assert carol.get(f"{url}/files/1").status_code == 404


def test_whoever_no_longer_takes_part_is_out(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        intake.add_participant(session.get_one(Ticket, ticket.id), contact(desk.people.oleg))
    url = link_to(ticket, desk.people.oleg)
    assert desk.client().get(url).status_code == 200
    with db.transaction() as session:
        session.execute(intake.Participant.__table__.delete())
    assert desk.client().get(url).status_code == 410


def test_a_link_opens_one_ticket_and_not_its_neighbour(desk: TestDesk, ticket: Ticket) -> None:
    other = people.writes(desk.people.carol, "Another matter.", inbox=desk.people.portal, subject="Another")
    url = link_to(ticket, desk.people.carol)
    assert "Another matter." not in desk.client().get(url).text
    with db.read():
        word = linking.token(ticket, desk.people.carol)
        assert may_watch(ANONYMOUS, str(ticket.id), word)
        assert not may_watch(ANONYMOUS, str(other.id), word)
        assert not may_watch(ANONYMOUS, str(ticket.id), "") and not may_watch(ANONYMOUS, "x", word)
        assert not may_watch(ANONYMOUS, str(ticket.id), word + "A")


def test_a_fresh_link_goes_to_the_known_address_and_the_answer_never_tells(desk: TestDesk, ticket: Ticket) -> None:
    old = link_to(ticket, desk.people.carol).removeprefix("/t/")
    with db.transaction() as session:
        lifecycle.revoke_links(session.get_one(Ticket, ticket.id), by=Actor("user", desk.people.alice))
    visitor = desk.client()
    answers = [
        visitor.post("/links", data={"csrf_token": token(visitor), **sent})
        for sent in ({"token": old}, {"token": "rubbish"}, {"email": "carol@customer.example"}, {"email": "nobody@x.example"}, {})
    ]
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, "/links/sent")}
    assert "If we know you" in visitor.get("/links/sent").text
    with db.read() as session:
        asked = session.scalars(select(Event).where(Event.kind == "link_asked")).all()
    assert [(event.ticket_id, event.contact_id) for event in asked] == [(ticket.id, desk.people.carol)] * 2


def test_the_form_of_an_ended_link_carries_the_old_link_and_nothing_else(desk: TestDesk, ticket: Ticket) -> None:
    page = desk.client().get("/t/rubbish").text
    assert hidden(page, "token") == "rubbish" and "Carol" not in page


# --- other people --------------------------------------------------------------------------------------------------------------------


def test_whoever_asked_adds_somebody_who_gets_a_link_of_their_own(desk: TestDesk, ticket: Ticket) -> None:
    url, carol = link_to(ticket, desk.people.carol), desk.client()
    for address in ("nobody", ""):
        refused = carol.post(f"{url}/people", data={"csrf_token": token(carol), "email": address})
        assert refused.status_code == 422 and "field-error" in refused.text
    assert carol.post(f"{url}/people", data={"csrf_token": token(carol), "email": "nina@new.example"}).status_code == 303
    assert "nina@new.example" in carol.get(url).text
    with db.read() as session:
        asked = session.scalars(select(Event).where(Event.kind == "link_asked")).one()
        nina = asked.contact_id or 0
    theirs = link_to(ticket, nina)
    page = desk.client().get(theirs).text
    assert "My invoice is wrong." in page and "Add somebody" not in page


def test_participants_add_nobody_and_nobody_adds_without_end(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        intake.add_participant(session.get_one(Ticket, ticket.id), contact(desk.people.oleg))
    oleg, url = desk.client(), link_to(ticket, desk.people.oleg)
    assert oleg.post(f"{url}/people", data={"csrf_token": token(oleg), "email": "eve@x.example"}).status_code == 403
    carol, url = desk.client(), link_to(ticket, desk.people.carol)
    codes = [carol.post(f"{url}/people", data={"csrf_token": token(carol), "email": f"p{n}@x.example"}).status_code for n in range(12)]
    assert codes.count(303) == 9 and set(codes[9:]) <= {422, 429}


# --- ended one by one ----------------------------------------------------------------------------------------------------------------


def test_carol_ends_her_links_and_olegs_goes_on(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        intake.add_participant(session.get_one(Ticket, ticket.id), contact(desk.people.oleg))
    hers, his, carol = link_to(ticket, desk.people.carol), link_to(ticket, desk.people.oleg), desk.client()
    assert carol.post(f"{hers}/links/ending", data={"csrf_token": token(carol)}).status_code == 303
    assert carol.get(hers).status_code == 410 and carol.get(his).status_code == 200
    assert carol.get(link_to(ticket, desk.people.carol)).status_code == 200
    with db.read() as session:
        event = session.scalars(select(Event).where(Event.kind == "links_ended")).one()
    assert (event.ticket_id, event.contact_id, event.actor_kind) == (ticket.id, desk.people.carol, "link")


def test_only_whoever_asked_ends_everybodys_links_and_takes_others_out(desk: TestDesk, ticket: Ticket) -> None:
    with db.transaction() as session:
        intake.add_participant(session.get_one(Ticket, ticket.id), contact(desk.people.oleg))
    hers, his, visitor = link_to(ticket, desk.people.carol), link_to(ticket, desk.people.oleg), desk.client()
    sent = {"csrf_token": token(visitor)}
    assert visitor.post(f"{his}/links/ending", data={**sent, "whose": "all"}).status_code == 403
    assert visitor.post(f"{his}/people/{desk.people.carol}/removal", data=sent).status_code == 403
    assert visitor.get(hers).status_code == visitor.get(his).status_code == 200
    assert visitor.post(f"{hers}/people/{desk.people.oleg}/removal", data=sent).status_code == 303
    assert visitor.get(his).status_code == 410 and "oleg@klient.example" not in visitor.get(hers).text
    assert visitor.post(f"{hers}/links/ending", data={**sent, "whose": "all"}).status_code == 303
    assert visitor.get(hers).status_code == 410


def test_an_agent_ends_one_persons_links_and_nobody_elses_ticket(desk: TestDesk, ticket: Ticket) -> None:
    hers = link_to(ticket, desk.people.carol)
    other = people.writes(desk.people.carol, inbox=desk.people.portal, subject="Another")
    neighbour, alice = link_to(other, desk.people.carol), desk.client(desk.people.alice)
    action = f"/tickets/{ticket.number}/links/ending"
    assert alice.post(action, data={"csrf_token": token(alice, "/inbox"), "contact": str(desk.people.oleg)}).status_code == 404
    assert alice.post(action, data={"csrf_token": token(alice, "/inbox"), "contact": str(desk.people.carol)}).status_code == 303
    assert desk.client().get(hers).status_code == 410 and desk.client().get(neighbour).status_code == 200
    eve = desk.client(desk.people.eve)
    assert eve.post(action, data={"csrf_token": token(eve, "/inbox")}).status_code == 404


def test_links_of_three_numbers_from_before_still_open_their_ticket(desk: TestDesk, ticket: Ticket) -> None:
    old = links.sign(linking.PURPOSE, [ticket.id, desk.people.carol, 0])
    assert desk.client().get(f"/t/{old}").status_code == 200
    with db.transaction() as session:
        linking.end_of(session.get_one(Ticket, ticket.id), desk.people.carol, by=Actor("user", desk.people.alice))
    assert desk.client().get(f"/t/{old}").status_code == 410
