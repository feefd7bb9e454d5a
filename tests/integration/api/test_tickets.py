"""Tickets through the API: who sees which, filters and paging, opening, changing, what is refused and in which words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.crm.models import Contact
from helpdesk.events import Event
from helpdesk.tickets import surveys, thread
from helpdesk.tickets.models import Channel, Inbox, Message, Status, Survey, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.api.programs import Program, customer, program, statements


def numbers(program: Program, query: str = "") -> list[int]:
    answer = program.get(f"/tickets?{query}")
    assert answer.status_code == 200, answer.json
    return [item["number"] for item in answer.json["items"]]


def new(**values: Any) -> dict[str, Any]:
    return {"requester": {"email": "carol@customer.example"}, "subject": "Broken", "body": "It does not start.", **values}


# --- who sees which -----------------------------------------------------------------------------------------------------


def test_each_role_sees_its_own_tickets_and_the_rest_is_404_like_what_never_was(desk: TestDesk) -> None:
    company = desk.people
    support = people.writes(company.carol, inbox=company.mail)
    billing = people.writes(company.oleg, inbox=company.billing_mail)
    carol, oleg = customer(company.carol, "Carol"), customer(company.oleg, "Oleg")
    sees = {company.alice: {support}, company.eve: {billing}, company.dana: {support, billing}, company.ada: {support, billing},
            carol: {support}, oleg: {billing}}  # fmt: skip
    for user, visible in sees.items():
        asker = program(desk, user)
        assert set(numbers(asker)) == {ticket.number for ticket in visible}
        never = asker.get("/tickets/987654321")
        assert never.status_code == 404
        for ticket in (support, billing):
            for path in (f"/tickets/{ticket.number}", f"/tickets/{ticket.number}/messages", f"/tickets/{ticket.number}/ratings"):
                answer = asker.get(path)
                assert answer.status_code == (200 if ticket in visible else 404)
                if ticket not in visible:
                    assert answer.json == never.json
                    assert asker.patch(f"/tickets/{ticket.number}", {"status": "solved"}).json == never.json
                    assert asker.post(f"/tickets/{ticket.number}/messages", {"kind": "inbound", "body": "x"}).json == never.json


def test_a_customers_token_is_not_told_the_desks_own_business(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    shown = program(desk, customer(desk.people.carol, "Carol")).get(f"/tickets/{ticket.number}").json
    assert [shown[name] for name in ("queue", "due_at", "breached_at", "version", "snippet", "messages_count", "reopens_count")] == [
        None
    ] * 7
    shown = program(desk, desk.people.alice).get(f"/tickets/{ticket.number}").json
    assert shown["queue"] == {"id": desk.people.support, "name": "Support"} and shown["due_at"] and shown["version"] == 1


# --- filters and paging ---------------------------------------------------------------------------------------------------


def test_filters_narrow_each_other(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    people.arrives(company.alice)
    mine = people.writes(company.carol, inbox=company.mail, subject="Printer on fire")
    desk.work()
    other = people.writes(company.oleg, inbox=company.billing_mail, subject="Счёт")
    dana = program(desk, company.dana)
    assert numbers(dana, f"assignee={company.alice}") == [mine.number]
    assert numbers(dana, "assignee=none") == [other.number]
    assert numbers(dana, f"queue={company.billing}") == [other.number]
    assert numbers(dana, f"requester={company.carol}") == [mine.number]
    assert numbers(dana, "status=open") == [mine.number]
    assert numbers(dana, "status=new&status=open") == [other.number, mine.number]
    assert numbers(dana, "status=new&requester=" + str(company.carol)) == []
    assert numbers(dana, "q=printer") == [mine.number] and numbers(dana, "q=счета") == [other.number]
    assert numbers(dana, f"q={mine.number}") == [mine.number]
    stopped.move(minutes=10)
    since = clock.now().isoformat().replace("+00:00", "Z")
    assert numbers(dana, f"updated_since={since}") == []
    people.answers(mine, company.carol)
    assert numbers(dana, f"updated_since={since}") == [mine.number]
    assert dana.get(f"/tickets/{mine.number}").json["updated_at"] == since


def test_a_customer_cannot_feel_for_words_in_notes_nor_notice_them(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    stopped.move(minutes=1)
    alice = program(desk, company.alice)
    assert alice.post(f"/tickets/{ticket.number}/messages", {"kind": "note", "body": "She is a troublemaker."}).status_code == 201
    carol = program(desk, customer(company.carol, "Carol"))
    assert numbers(alice, "q=troublemaker") == [ticket.number] and numbers(carol, "q=troublemaker") == []
    assert numbers(carol, "q=invoice") == [ticket.number]
    since = clock.now().isoformat().replace("+00:00", "Z")
    assert numbers(alice, f"updated_since={since}") == [ticket.number] and numbers(carol, f"updated_since={since}") == []


FILTERS = (
    ("statuss=open", "statuss", "There is no such field here."),
    ("status=opened", "status.0", "Choose one of new, open, pending, on_hold, solved, closed."),
    ("limit=0", "limit", "Give at least 1."),
    ("limit=201", "limit", "Give at most 200."),
    ("limit=many", "limit", "This must be a whole number."),
    ("limit=5&limit=6", "limit", "Give this only once."),
    ("queue=99999999999999999999", "queue", "Give at most 9007199254740991."),
    ("assignee=me", "assignee", "This is not written as it should be."),
    ("updated_since=yesterday", "updated_since", "Give a time with its zone, such as 2026-03-02T10:00:00Z."),
    ("updated_since=2026-03-02T10:00:00", "updated_since", "Give a time with its zone, such as 2026-03-02T10:00:00Z."),
    ("q=%00", "q", "This text contains a NUL character."),
)


def test_a_wrong_filter_is_refused_by_name(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    for query, field, words in FILTERS:
        answer = dana.get(f"/tickets?{query}")
        assert answer.status_code == 422 and answer.json["errors"] == [{"field": field, "detail": words}], query


def test_a_strange_cursor_is_refused_and_a_strange_search_finds_nothing(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    for cursor in ("x", "e30", "WyJ4Il0", "%F0%9F%98%80", "WzFd" * 60):
        assert dana.get(f"/tickets?cursor={cursor}").status_code == 422
    for words in ('"', "'; --", "a AND b*", "²", "^", "(((", "😀", "-"):
        assert dana.get("/tickets", query_string={"q": words}).status_code == 200


def test_pages_neither_skip_nor_repeat_while_tickets_arrive_and_change(desk: TestDesk) -> None:
    company = desk.people
    before = [people.writes(company.carol, inbox=company.mail).number for _ in range(12)]
    dana = program(desk, company.dana)
    seen: list[int] = []
    path = "/tickets?limit=5&status=new&status=open"
    while path:
        page = dana.get(path)
        seen += [item["number"] for item in page.json["items"]]
        people.writes(company.oleg, inbox=company.mail)
        with db.transaction() as session:
            oldest = session.scalars(select(Ticket).where(Ticket.number == before[0])).one()
        people.answers(oldest, company.carol)  # moves to the top of every list by time, but not here
        following = page.json["next"]
        assert (following is None) == ("Link" not in page.headers)
        assert following is None or page.headers["Link"] == f'<{following}>; rel="next"'
        assert following is None or (following.startswith("http://localhost/api/v1/tickets?") and "status=new&status=open" in following)
        path = following.removeprefix("http://localhost/api/v1") if following else ""
    assert seen == sorted(before, reverse=True)


def test_a_list_costs_the_same_statements_however_long_it_is(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    dana.get("/tickets")
    people.writes(desk.people.carol, inbox=desk.people.mail)
    with statements() as few:
        assert len(numbers(dana)) == 1
    for _ in range(12):
        people.writes(desk.people.oleg, inbox=desk.people.billing_mail)
    with statements() as many:
        assert len(numbers(dana)) == 13
    assert len(few) == len(many) and sum("FROM ticket" in statement for statement in many) == 1


# --- opening ---------------------------------------------------------------------------------------------------------------


def test_a_ticket_is_opened_for_a_stranger_and_reaches_an_agent(desk: TestDesk) -> None:
    people.arrives(desk.people.alice)
    dana = program(desk, desk.people.dana)
    wish = new(requester={"email": "New.Person@Firm.example", "name": "New Person", "language": "en"}, priority="high")
    answer = dana.post("/tickets", wish)
    assert answer.status_code == 201 and answer.headers["Location"] == answer.json["url"] and answer.headers["ETag"] == '"1"'
    assert answer.json["channel"] == "api" and answer.json["priority"] == "high" and answer.json["status"] == "new"
    assert answer.json["requester"]["name"] == "New Person" and answer.json["requester"]["email"].lower() == "new.person@firm.example"
    assert answer.json["opened_at"].endswith("Z")
    desk.work()
    now = dana.get(f"/tickets/{answer.json['number']}").json
    assert now["assignee"] == {"id": desk.people.alice, "name": "Alice"} and now["status"] == "open"
    with db.read() as session:
        opened = session.scalars(select(Event).where(Event.kind == "ticket_opened")).one()
        assert (opened.actor_kind, opened.actor_id, opened.via) == ("token", dana.token_id, "api")
        assert opened.actor_for == answer.json["requester"]["id"]


def test_the_apis_own_inbox_comes_before_the_portals_and_a_chosen_one_before_both(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    assert dana.post("/tickets", new()).json["queue"]["name"] == "Support"
    with db.transaction() as session:
        session.add(Inbox(name="API", channel=Channel.API, queue_id=desk.people.billing))
    assert dana.post("/tickets", new()).json["queue"]["name"] == "Billing"
    assert dana.post("/tickets", new(inbox_id=desk.people.mail)).json["queue"]["name"] == "Support"


def test_an_agent_opens_tickets_only_where_they_work(desk: TestDesk) -> None:
    eve = program(desk, desk.people.eve)
    foreign, missing = eve.post("/tickets", new(inbox_id=desk.people.mail)), eve.post("/tickets", new(inbox_id=999))
    assert foreign.status_code == 422 and foreign.json == missing.json and foreign.json["errors"][0]["field"] == "inbox_id"
    assert eve.post("/tickets", new()).json["errors"][0]["field"] == "inbox_id"
    assert eve.post("/tickets", new(inbox_id=desk.people.billing_mail)).status_code == 201


def test_a_customers_token_opens_tickets_for_the_customer_and_nobody_else(desk: TestDesk) -> None:
    carol = program(desk, customer(desk.people.carol, "Carol"))
    wish = {"subject": "Help", "body": "Please.", "priority": "urgent"}
    answer = carol.post("/tickets", wish)
    assert answer.status_code == 201 and answer.json["requester"]["id"] == desk.people.carol and answer.json["priority"] == "normal"
    assert carol.post("/tickets", {**wish, "requester": {"id": desk.people.carol}}).status_code == 201
    assert carol.post("/tickets", {**wish, "requester": {"id": desk.people.oleg}}).status_code == 403
    assert carol.post("/tickets", {**wish, "requester": {"email": "oleg@klient.example"}}).status_code == 403
    assert carol.post("/tickets", {**wish, "inbox_id": desk.people.mail}).status_code == 403


WISHES: tuple[tuple[Any, str, str], ...] = (
        ({"subject": "x", "body": "y"}, "requester", "This field is needed."),
        (new(subject=None), "subject", "This must be text."),
        (new(subject="  "), "subject", "Write something here."),
        (new(subject="x" * 301), "subject", "Please shorten this to 300 characters."),
        (new(body="a\x00b"), "body", "This text contains a NUL character."),
        (new(body=5), "body", "This must be text."),
        (new(priority="asap"), "priority", "Choose one of low, normal, high, urgent."),
        (new(priorty="high"), "priorty", "There is no such field here."),
        (new(status="solved"), "status", "There is no such field here."),
        (new(inbox_id="1"), "inbox_id", "This must be a whole number."),
        (new(inbox_id=2**60), "inbox_id", "Give at most 9007199254740991."),
        (new(language="english"), "language", "This is not written as it should be."),
        (new(requester={}), "requester", "Give either id or email."),
        (new(requester={"id": 1, "email": "a@b.example"}), "requester", "Give either id or email."),
        (new(requester={"id": 4711}), "requester.id", "There is no such customer."),
        (new(requester={"email": "nobody"}), "requester.email", "“nobody” is not an e-mail address"),
        (new(requester={"email": "a@b.example", "vip": True}), "requester.vip", "There is no such field here."),
        ([], "body", "This must be an object."),
)  # fmt: skip


def test_a_wrong_field_is_refused_by_name_and_nothing_is_made(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    for wish, field, words in WISHES:
        answer = dana.post("/tickets", wish)
        assert answer.status_code == 422 and {"field": field, "detail": words} in answer.json["errors"], wish
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 0
        assert session.scalar(select(func.count()).select_from(Contact)) == 2


def test_all_faults_are_told_at_once_and_in_the_readers_language(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    answer = dana.post("/tickets", {"subject": 1, "extra": 2})
    assert {fault["field"] for fault in answer.json["errors"]} == {"subject", "body", "extra"}
    assert answer.json["status"] == 422 and answer.json["code"] == "invalid" and answer.mimetype == "application/problem+json"


def test_what_is_no_json_is_refused_plainly(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    for body in (b"", b"{", b'{"subject": "\xff"}', b'{"subject": "\\ud800", "body": "x"}', b"[" * 3000):
        answer = dana.post("/tickets", data=body, content_type="application/json")
        assert answer.status_code == 400 and answer.json["code"] == "unreadable" and "JSON" in answer.json["detail"]
    assert dana.post("/tickets", data="a=b", content_type="application/x-www-form-urlencoded").status_code == 415
    assert dana.post("/tickets", data=b"{}", content_type="text/plain").status_code == 415
    assert dana.get("/nothing").json["code"] == "not_found"
    wrong_way = dana.post("/me", {})
    assert wrong_way.status_code == 405 and "GET" in wrong_way.headers["Allow"]
    for number in ("0", "9" * 30, "-1", "x"):
        assert dana.get(f"/tickets/{number}").status_code == 404
        assert dana.patch(f"/tickets/{number}", {}).status_code == 404
        assert dana.post(f"/tickets/{number}/messages", {"kind": "note", "body": "x"}).status_code == 404


# --- changing ----------------------------------------------------------------------------------------------------------------


def test_status_priority_subject_queue_and_owner_change_in_one_request(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    dana = program(desk, company.dana)
    wish = {"status": "pending", "priority": "urgent", "subject": "New name", "assignee_id": company.bob}
    changed = dana.patch(f"/tickets/{ticket.number}", wish, headers={"If-Match": '"1"'})
    assert changed.status_code == 200 and changed.json["assignee"]["name"] == "Bob"
    assert (changed.json["status"], changed.json["priority"], changed.json["subject"]) == ("pending", "urgent", "New name")
    assert changed.headers["ETag"] == f'"{changed.json["version"]}"' and changed.json["version"] > 1
    back = dana.patch(f"/tickets/{ticket.number}", {"assignee_id": None, "queue_id": company.billing})
    assert back.json["assignee"] is None and back.json["queue"]["name"] == "Billing"
    assert dana.patch(f"/tickets/{ticket.number}", {}).json["version"] == back.json["version"]


def test_who_saw_an_older_version_is_told_and_nothing_changes(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice, path = program(desk, desk.people.alice), f"/tickets/{ticket.number}"
    assert alice.patch(path, {"priority": "high"}, headers={"If-Match": '"1"'}).status_code == 200
    late = alice.patch(path, {"subject": "Mine", "status": "solved"}, headers={"If-Match": '"1"'})
    assert late.status_code == 409 and late.json["code"] == "stale"
    now = alice.get(path).json
    assert now["subject"] == "Invoice" and now["status"] == "new"
    assert alice.patch(path, {"status": "solved"}, headers={"If-Match": "*"}).json["status"] == "solved"
    assert alice.patch(path, {"status": "open"}, headers={"If-Match": "yesterday"}).status_code == 400
    assert alice.patch(path, {"status": "open"}).json["status"] == "open"


def test_what_cannot_be_is_refused_and_the_whole_request_with_it(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    alice, path = program(desk, company.alice), f"/tickets/{ticket.number}"
    for wish, status, field in (
        ({"status": "closed"}, 422, "status"),
        ({"status": "new"}, 422, "status"),
        ({"status": None}, 422, "status"),
        ({"priority": None}, 422, "priority"),
        ({"queue_id": 999}, 422, "queue_id"),
        ({"assignee_id": 999}, 422, "assignee_id"),
        ({"number": 1}, 422, "number"),
        ({"requester_id": company.oleg}, 422, "requester_id"),
        ({"version": 9}, 422, "version"),
    ):
        answer = alice.patch(path, {"subject": "Half done", **wish})
        assert answer.status_code == status and answer.json["errors"][0]["field"] == field
        assert alice.get(path).json["subject"] == "Invoice"
    assert alice.patch(path, {"subject": "Half done", "assignee_id": customer(company.carol, "Carol")}).status_code == 422
    with db.transaction() as session:
        session.get_one(Ticket, ticket.id).status = Status.CLOSED
    assert alice.patch(path, {"status": "open"}).status_code == 409
    assert alice.get(path).json["subject"] == "Invoice"


def test_a_customers_token_may_say_it_is_solved_and_no_more(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    carol, path = program(desk, customer(company.carol, "Carol")), f"/tickets/{ticket.number}"
    for wish in (
        {"priority": "urgent"},
        {"assignee_id": None},
        {"queue_id": company.billing},
        {"status": "solved", "subject": "x"},
        {"status": "open"},
    ):
        assert carol.patch(path, wish).status_code == 403
    assert carol.patch(path, {"status": "solved"}).json["status"] == "solved"


def test_a_ticket_tells_how_it_was_rated_and_which_answer_counts(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    with db.transaction() as session:
        one = session.get_one(Ticket, ticket.id)
        survey = surveys.send(one, session.get_one(Contact, desk.people.carol))
    for score in (2, 5):
        stopped.move(minutes=1)
        with db.transaction() as session:
            surveys.answer(session.get_one(Survey, survey.id), score, comment=f"{score}!")
    shown = program(desk, desk.people.alice).get(f"/tickets/{ticket.number}/ratings").json["items"]
    assert [(one["score"], one["comment"], one["current"]) for one in shown] == [(5, "5!", True), (2, "2!", False)]


def test_the_desk_tells_its_places_and_people_to_colleagues_alone(desk: TestDesk) -> None:
    eve, dana = program(desk, desk.people.eve), program(desk, desk.people.dana)
    assert [queue["name"] for queue in eve.get("/queues").json["items"]] == ["Billing"]
    assert [queue["name"] for queue in dana.get("/queues").json["items"]] == ["Billing", "Support"]
    assert [inbox["name"] for inbox in eve.get("/inboxes").json["items"]] == ["Billing mail"]
    assert len(dana.get("/inboxes").json["items"]) == 3
    assert "Alice" in [user["name"] for user in eve.get("/agents").json["items"]]
    carol = program(desk, customer(desk.people.carol, "Carol"))
    assert [carol.get(path).status_code for path in ("/queues", "/inboxes", "/agents")] == [403] * 3


def test_one_customers_message_in_a_thread_is_theirs_although_a_program_brought_it(desk: TestDesk) -> None:
    made = program(desk, desk.people.dana).post("/tickets", new()).json
    with db.read() as session:
        first = session.scalars(select(Message)).one()
        assert (
            first.contact_id == made["requester"]["id"]
            and first.user_id is None
            and thread.newest_public(session.scalars(select(Ticket)).one())
        )
