"""What taking in costs: how many statements a mail and a request of a program take from their door to the agent's screen.

Ceilings (78 and 56 when written; a slow machine cuts the work into a few more transactions, whose beginnings are not counted), so that
what was saved does not creep back; whoever needs more raises them and says what for. Counted on SQLite, where one process does all of it;
the reactions run as they do there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select

from helpdesk import db, drawing, events, live, worker
from helpdesk.actor import SYSTEM
from helpdesk.agents import tokens
from helpdesk.agents.models import AgentProfile
from helpdesk.auth import User
from helpdesk.channels.email import arrivals
from helpdesk.channels.email.models import Arrival, ArrivalState, Outgoing, OutgoingKind
from helpdesk.setup import first_records
from helpdesk.tickets.models import Ticket
from tests import people
from tests.desks import TestDesk

OF_A_MAIL, OF_A_REQUEST = 84, 60
LETTER = (
    b"From: Nora New <nora%d@new.example>\r\nTo: support@example.com\r\nSubject: The printer\r\nMessage-ID: <%d@new.example>\r\n"
    b"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nIt does not print. Can you help?\r\n"
)


@pytest.fixture
def engine() -> str:
    return "sqlite"


class Counter:
    """Statements that the database was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def note(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        self.seen.append(" ".join(statement.split()))


@contextmanager
def counting() -> Iterator[Counter]:
    made = Counter()
    event.listen(db.engine(), "before_cursor_execute", made.note)
    try:
        yield made
    finally:
        event.remove(db.engine(), "before_cursor_execute", made.note)


@pytest.fixture
def taken_in(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], object]], Counter]]:
    """Run something and all that follows from it, the screens included, and count the statements."""
    people.arrives(desk.people.alice)
    with db.transaction() as session:
        first_records()
        session.get_one(AgentProfile, desk.people.alice).capacity = 100
    artist = drawing.Artist(desk.app, live._showers)
    monkeypatch.setattr(live, "watched", lambda _room: True)
    monkeypatch.setattr(live, "_artist", None)  # ours draws, in turn, so that the count is the same each time
    stated: list[Any] = []

    def keep(facts: list[Any], _lanes: set[str]) -> None:
        stated.extend(facts)

    def draw() -> None:
        facts, stated[:] = stated[:], []
        if facts:
            artist._round(facts)

    def run(deed: Callable[[], object]) -> Counter:
        with counting() as counter, desk.app.app_context():
            deed()
            draw()
            for lane in ("hot", "io", "hot"):
                worker.drain(lane)
                draw()
        return counter

    events.published.insert(0, keep)
    yield run
    events.published.remove(keep)


def _arrives(number: int) -> None:
    arrivals.store(
        LETTER % (number, number), box="listener", inbox_id=None, sender=f"nora{number}@new.example", recipients=["support@example.com"]
    )


def test_taking_in_a_mail_of_a_stranger_costs_at_most_so_many_statements(taken_in: Callable[[Callable[[], object]], Counter]) -> None:
    taken_in(lambda: _arrives(1))  # the first one fills what a process reads once
    counter = taken_in(lambda: _arrives(2))
    with db.read() as session:
        arrival = session.scalars(select(Arrival).order_by(Arrival.id.desc())).first()
        assert arrival is not None and arrival.state is ArrivalState.ACCEPTED
        assert session.get_one(Ticket, arrival.ticket_id).assignee_id is not None
        assert session.scalar(select(Outgoing.id).where(Outgoing.ticket_id == arrival.ticket_id, Outgoing.kind == OutgoingKind.RECEIPT))
    assert len(counter.seen) <= OF_A_MAIL, "\n".join(counter.seen)


def test_a_request_by_a_program_costs_at_most_so_many_statements(
    desk: TestDesk, taken_in: Callable[[Callable[[], object]], Counter]
) -> None:
    with db.transaction() as session:
        _token, secret = tokens.issue(
            session.get_one(User, desk.people.ada), "bench", ["tickets:write", "contacts:write"], valid=None, by=SYSTEM
        )
    program = desk.client()

    def asks(number: int) -> None:
        sent = {"subject": "The printer", "body": "It does not print.", "requester": {"email": f"nora{number}@new.example", "name": "Nora"}}
        answer = program.post("/api/v1/tickets", json=sent, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 201, answer.text

    taken_in(lambda: asks(1))
    counter = taken_in(lambda: asks(2))
    with db.read() as session:
        assert session.scalar(select(Ticket.assignee_id).order_by(Ticket.id.desc()).limit(1)) is not None
    assert len(counter.seen) <= OF_A_REQUEST, "\n".join(counter.seen)
