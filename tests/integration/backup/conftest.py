"""A desk worth backing up: tickets, files, a rating, waiting deliveries and mails; and somewhere empty to restore it to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from helpdesk import clock, config, db, files, live
from helpdesk.actor import SYSTEM, Actor
from helpdesk.catalog import MailQueued
from helpdesk.channels.email.models import Outgoing, OutgoingState
from helpdesk.config import Settings
from helpdesk.crm.models import Contact
from helpdesk.events import record
from helpdesk.tickets import intake, surveys, thread
from helpdesk.tickets.models import Status, Survey, Ticket
from tests import people
from tests.desks import TestDesk
from tests.servers import PostgresServer

ODD = "Tabs\tand\\backslashes\\n,\nlines\r\n, \x0b\x0c\x08 «кавычки» 🫖 \\N and 'quotes' \"double\""


@dataclass
class Filled:
    """The desk that is backed up, with what to look for after a restore."""

    desk: TestDesk
    ticket: int
    file: str
    waiting_mail: int
    sent_mail: int


@pytest.fixture
def filled(desk: TestDesk, stopped: clock.Hand, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Filled:
    monkeypatch.setattr(live, "_artist", None)  # nobody looks, and a drawing thread would hold the database
    if not desk.settings.sqlite:
        request.getfixturevalue("postgres_server").leave(desk.settings.database_url)
    company = desk.people
    people.arrives(company.alice)
    first = people.writes(company.carol, ODD, inbox=company.mail, subject="Odd \t characters")
    desk.work()
    stored = files.store().put(os.urandom(300_000))
    files.store().put(b"litter that no row points at")
    with db.transaction() as session:
        ticket = session.get_one(Ticket, first.id)
        attached = intake.NewFile("photo.png", "image/png", stored)
        thread.reply(ticket, "Here it is.", by=Actor("user", company.alice), files=(attached,), then=Status.SOLVED)
    desk.work()
    with db.transaction() as session:
        survey = Survey(ticket_id=first.id, contact_id=company.carol, sent_at=clock.now())
        session.add(survey)
        session.flush()
        surveys.answer(survey, 4, comment=ODD)
        sent, waiting = _mail(OutgoingState.SENT), _mail(OutgoingState.WAITING)
        session.get_one(Contact, company.oleg).custom = {"a": [1, None, "ё"], "b": 0.1}
    people.writes(company.oleg, "Где мой заказ?", inbox=company.billing_mail, subject="Заказ")
    return Filled(desk, first.id, stored.key, waiting, sent)


def _mail(state: OutgoingState) -> int:
    row = Outgoing(
        kind="reply",
        recipient="carol@customer.example",
        to=[],
        cc=[],
        subject="Re",
        header_id=f"<{state}@x>",
        not_before=clock.now(),
        state=state,
    )
    db.session().add(row)
    db.session().flush()
    if state is OutgoingState.WAITING:
        record(MailQueued(row.id, SYSTEM))
    return row.id


@pytest.fixture
def elsewhere(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Settings]]:
    """Settings of an empty desk on the engine one asks for."""
    made: list[tuple[PostgresServer, str]] = []

    def empty(engine: str) -> Settings:
        settings = config.load({"HELPDESK_DATA": str(tmp_path / f"new-{engine}"), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40})
        if engine == "sqlite":
            return settings
        server: PostgresServer = request.getfixturevalue("postgres_server")
        made.append((server, server.create()))
        return replace(settings, database_url=made[-1][1], pool_size=3)

    yield empty
    db.disconnect()
    for server, url in made:
        server.drop(url)
