"""Messages and files through the API: replies, notes, customers' words, and who may read what."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from helpdesk import clock, db, files
from helpdesk.tickets import thread
from helpdesk.tickets.models import Attachment, DeliveryState, Message, MessageKind, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.api.programs import customer, program, statements


def stored(desk: TestDesk) -> list[Path]:
    return [path for path in files.store().folder.glob("??/*")]


def with_files(message: Any, *given: tuple[str, bytes, str]) -> dict[str, Any]:
    return {
        "data": {"json": json.dumps(message), "files": [(io.BytesIO(content), name, kind) for name, content, kind in given]},
        "content_type": "multipart/form-data",
    }


def test_a_reply_carries_its_owners_name_stops_the_clock_and_waits_to_leave(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice = program(desk, desk.people.alice)
    answer = alice.post(f"/tickets/{ticket.number}/messages", {"kind": "reply", "body": "Corrected.", "then": "solved"})
    assert answer.status_code == 201 and answer.headers["Location"] == answer.json["url"]
    assert answer.json["author"] == {"kind": "user", "id": desk.people.alice, "name": "Alice"}
    assert answer.json["delivery"] == "waiting" and answer.json["ticket"] == ticket.number
    now = alice.get(f"/tickets/{ticket.number}").json
    assert now["status"] == "solved" and now["first_reply_at"] and now["due_at"] is None and now["waiting_since"] is None
    assert alice.get(f"/messages/{answer.json['id']}").json == answer.json


def test_a_customers_words_brought_by_a_program_reopen_the_ticket(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice, path = program(desk, desk.people.alice), f"/tickets/{ticket.number}"
    alice.patch(path, {"status": "solved"})
    answer = alice.post(f"{path}/messages", {"kind": "inbound", "body": "Still broken."})
    assert answer.json["author"] == {"kind": "contact", "id": desk.people.carol, "name": "Carol Jones"} and answer.json["channel"] == "api"
    assert alice.get(path).json["status"] == "open"
    with db.transaction() as session:
        session.get_one(Ticket, ticket.id).status = Status.CLOSED
    late = alice.post(f"{path}/messages", {"kind": "inbound", "body": "Hello?"})
    assert late.status_code == 409 and "closed" in late.json["detail"]


def test_a_reply_to_a_thread_that_went_on_is_refused(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice, path = program(desk, desk.people.alice), f"/tickets/{ticket.number}/messages"
    seen = alice.get(path).json["items"][-1]["id"]
    people.answers(ticket, desk.people.carol)
    late = alice.post(path, {"kind": "reply", "body": "Dear Carol", "seen_message": seen})
    assert late.status_code == 409 and late.json["code"] == "stale"
    assert len(alice.get(path).json["items"]) == 2


def test_customers_see_neither_notes_nor_what_was_taken_back_or_still_can_be(desk: TestDesk, stopped: clock.Hand) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    alice, carol = program(desk, company.alice), program(desk, customer(company.carol, "Carol"))
    path = f"/tickets/{ticket.number}/messages"
    note = alice.post(path, {"kind": "note", "body": "Careful."}).json
    secret = alice.post(path, **with_files({"kind": "note", "body": ""}, ("plan.txt", b"secret", "text/plain"))).json
    reply = alice.post(path, {"kind": "reply", "body": "Hello Carol"}).json
    assert len(alice.get(path).json["items"]) == 4
    assert [item["kind"] for item in carol.get(path).json["items"]] == ["inbound"]
    assert carol.get(f"/messages/{note['id']}").status_code == carol.get(f"/messages/{reply['id']}").status_code == 404
    assert carol.get(f"/attachments/{secret['attachments'][0]['id']}").status_code == 404
    stopped.move(seconds=16)
    assert [item["body"] for item in carol.get(path).json["items"]] == ["My invoice is wrong.", "Hello Carol"]
    with db.transaction() as session:
        session.get_one(Message, reply["id"]).delivery = DeliveryState.WITHDRAWN
    assert carol.get(f"/messages/{reply['id']}").status_code == 404 and alice.get(f"/messages/{reply['id']}").status_code == 200


def test_a_customers_token_writes_as_the_customer_and_nothing_else(desk: TestDesk) -> None:
    company = desk.people
    ticket = people.writes(company.carol, inbox=company.mail)
    carol, path = program(desk, customer(company.carol, "Carol")), f"/tickets/{ticket.number}/messages"
    assert carol.post(path, {"kind": "reply", "body": "From support"}).status_code == 403
    assert carol.post(path, {"kind": "note", "body": "Hm"}).status_code == 403
    assert carol.post(path, {"kind": "inbound", "body": "And?"}).json["author"]["name"] == "Carol Jones"


def test_wrong_messages_are_refused_by_name(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice, path = program(desk, desk.people.alice), f"/tickets/{ticket.number}/messages"
    for wish, field in (
        ({"body": "x"}, "kind"),
        ({"kind": "shout", "body": "x"}, "kind"),
        ({"kind": "reply"}, "body"),
        ({"kind": "note", "body": " \n "}, "body"),
        ({"kind": "inbound", "body": "\r\n"}, "body"),
        ({"kind": "reply", "body": "x" * 100_001}, "body"),
        ({"kind": "reply", "body": "x", "then": "closed"}, "then"),
        ({"kind": "reply", "body": "x", "html": "<b>x</b>"}, "html"),
        ({"kind": "reply", "body": "x", "author": 1}, "author"),
    ):
        answer = alice.post(path, wish)
        assert answer.status_code == 422 and answer.json["errors"][0]["field"] == field, wish
    assert len(alice.get(path).json["items"]) == 1


def test_pages_of_a_thread_follow_it_to_its_end_while_it_grows(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    for number in range(4):
        people.answers(ticket, desk.people.carol, f"{number}")
    alice, seen, path = program(desk, desk.people.alice), [], f"/tickets/{ticket.number}/messages?limit=2"
    while path:
        page = alice.get(path).json
        seen += [item["body"] for item in page["items"]]
        if len(seen) == 2:
            people.answers(ticket, desk.people.carol, "late")
        path = (page["next"] or "").removeprefix("http://localhost/api/v1")
    assert seen == ["My invoice is wrong.", "0", "1", "2", "3", "late"]


def test_a_thread_costs_the_same_statements_however_long_it_is(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice, path = program(desk, desk.people.alice), f"/tickets/{ticket.number}/messages"
    alice.post(path, {"kind": "note", "body": "x"})
    with statements() as few:
        alice.get(path)
    for _ in range(10):
        people.answers(ticket, desk.people.carol)
    with statements() as many:
        assert len(alice.get(path).json["items"]) == 12
    assert len(few) == len(many)


# --- files -------------------------------------------------------------------------------------------------------------


def test_files_come_with_a_message_and_go_out_as_downloads(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice, path = program(desk, desk.people.alice), f"/tickets/{ticket.number}/messages"
    page = b"<script>alert(1)</script>"
    sent = with_files({"kind": "reply", "body": "See the files."}, ("../../план.html", page, "text/html"), ("b.bin", b"\x00" * 10, ""))
    made = alice.post(path, **sent)
    assert made.status_code == 201
    one, two = made.json["attachments"]
    assert one["name"] == "план.html" and one["size"] == len(page) and two["size"] == 10
    out = alice.get(one["url"].removeprefix("http://localhost/api/v1"))
    assert out.data == page and out.headers["Content-Disposition"].startswith("attachment") and out.mimetype != "text/html"
    assert out.headers["X-Content-Type-Options"] == "nosniff"
    eve = program(desk, desk.people.eve)
    assert eve.get(f"/attachments/{one['id']}").json == eve.get("/attachments/4711").json


def test_a_new_ticket_can_bring_files_too(desk: TestDesk) -> None:
    wish = {"requester": {"id": desk.people.carol}, "subject": "Photo", "body": "Look"}
    dana = program(desk, desk.people.dana)
    made = dana.post("/tickets", **with_files(wish, ("photo.jpg", b"\xff\xd8\xff", "image/jpeg")))
    assert made.status_code == 201
    first = dana.get(f"/tickets/{made.json['number']}/messages").json["items"][0]
    assert [file["name"] for file in first["attachments"]] == ["photo.jpg"]


def test_files_of_a_refused_request_stay_nowhere(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice, eve, path = program(desk, desk.people.alice), program(desk, desk.people.eve), f"/tickets/{ticket.number}/messages"
    good = ("a.txt", b"text", "text/plain")
    refused = [
        alice.post(path, **with_files({"kind": "reply", "body": "x", "seen_message": 0}, good)),
        alice.post(path, **with_files({"kind": "reply", "body": "x", "no": 1}, good)),
        alice.post(path, **with_files({"kind": "reply", "body": "x"}, good, ("empty.txt", b"", "text/plain"))),
        alice.post(path, **with_files({"kind": "reply", "body": "x"}, *[good] * 11)),
        alice.post(path, data={"json": "{}", "file": (io.BytesIO(b"x"), "a")}, content_type="multipart/form-data"),
        alice.post(path, data={"files": (io.BytesIO(b"x"), "a")}, content_type="multipart/form-data"),
        eve.post(path, **with_files({"kind": "reply", "body": "x"}, good)),
    ]
    assert [answer.status_code for answer in refused] == [422] * 6 + [404]
    assert stored(desk) == []
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Attachment)) == 0
        assert thread.newest_public(session.get_one(Ticket, ticket.id)) == session.scalar(
            select(func.max(Message.id)).where(Message.kind == MessageKind.INBOUND)
        )
