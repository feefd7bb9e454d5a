"""Idempotency-Key: whatever is sent twice, one after the other or at the same moment, is done once."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

from sqlalchemy import func, select
from werkzeug.test import TestResponse

from helpdesk import db, files
from helpdesk.channels.api.models import IdempotencyKey
from helpdesk.tickets.models import Message, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.api.programs import BASE, Program, program

WISH = {"requester": {"email": "carol@customer.example"}, "subject": "Broken", "body": "It does not start."}


def count(model: Any) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def key(word: str) -> dict[str, str]:
    return {"Idempotency-Key": word}


def test_the_same_request_again_gets_the_first_answer_and_makes_nothing(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    first = dana.post("/tickets", WISH, headers=key("a"))
    again = dana.post("/tickets", WISH, headers=key("a"))
    assert first.status_code == again.status_code == 201 and first.data == again.data and count(Ticket) == 1
    assert again.headers["Location"] == first.headers["Location"] and again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert dana.post("/tickets", WISH, headers=key("b")).json["number"] != first.json["number"]
    assert dana.post("/tickets", WISH).json["number"] != first.json["number"]


def test_the_same_key_for_another_request_is_refused(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    number = dana.post("/tickets", WISH, headers=key("a")).json["number"]
    other = dana.post("/tickets", {**WISH, "body": "Something else."}, headers=key("a"))
    elsewhere = dana.post(f"/tickets/{number}/messages", {"kind": "note", "body": "x"}, headers=key("a"))
    for answer in (other, elsewhere):
        assert answer.status_code == 422 and answer.json["code"] == "key_used" and answer.json["errors"][0]["field"] == "Idempotency-Key"
    assert count(Ticket) == count(Message) == 1


def test_a_key_belongs_to_its_token(desk: TestDesk) -> None:
    one, two = program(desk, desk.people.dana), program(desk, desk.people.ada)
    assert one.post("/tickets", WISH, headers=key("a")).json["number"] != two.post("/tickets", WISH, headers=key("a")).json["number"]


def test_a_refused_request_may_be_corrected_under_its_key(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    assert dana.post("/tickets", {**WISH, "inbox_id": 999}, headers=key("a")).status_code == 422
    assert count(IdempotencyKey) == 0
    assert dana.post("/tickets", WISH, headers=key("a")).status_code == 201


def test_a_key_that_is_no_word_is_refused(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    for word in ("", " ", "a b", "x" * 121, "ключ".encode().decode("latin-1")):
        answer = dana.post("/tickets", WISH, headers=key(word))
        assert answer.status_code == 422 and answer.json["errors"][0]["field"] == "Idempotency-Key", word
    assert count(Ticket) == 0


def test_files_sent_again_are_neither_doubled_nor_kept(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.mail)
    alice = program(desk, desk.people.alice)

    def send(content: bytes) -> TestResponse:
        data = {"json": json.dumps({"kind": "note", "body": "See"}), "files": (io.BytesIO(content), "a.txt", "text/plain")}
        return alice.post(f"/tickets/{ticket.number}/messages", data=data, content_type="multipart/form-data", headers=key("a"))

    first, again, other = send(b"one"), send(b"one"), send(b"two")
    assert first.status_code == 201 and again.data == first.data and again.headers["Idempotency-Replayed"] and other.status_code == 422
    assert len([path for path in files.store().folder.glob("??/*")]) == 1


def test_the_same_request_from_eight_threads_at_once_is_one_ticket(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    start = threading.Barrier(8)
    answers: list[TestResponse] = []

    def send() -> None:
        again = Program(desk.client(), dana.secret, dana.token_id)
        start.wait()
        answers.append(again.post("/tickets", WISH, headers=key("parallel")))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201} and len({answer.data for answer in answers}) == 1
    assert count(Ticket) == count(Message) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 7


def test_reading_and_changing_take_no_notice_of_a_key(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    assert dana.get("/tickets", headers=key("a")).status_code == 200
    assert desk.client().get(f"{BASE}/openapi.json", headers=key("a")).status_code == 200
    assert count(IdempotencyKey) == 0
