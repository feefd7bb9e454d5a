"""A person is erased everywhere: sixty canaries of hers are in her export, and afterwards nowhere at all."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from helpdesk import clock, db, files
from helpdesk.actor import SYSTEM, Actor
from helpdesk.channels.email.models import Outgoing, OutgoingState
from helpdesk.channels.portal import own_data
from helpdesk.crm import belongings, contacts, erasure
from helpdesk.crm.models import Contact, Interaction, Order, Rating
from helpdesk.crm.privacy_models import Erasure
from helpdesk.events import Event
from helpdesk.tickets import search
from helpdesk.tickets.models import Message, Status, Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.privacy import canaries
from tests.integration.privacy.canaries import Planted


@pytest.fixture
def planted(desk: TestDesk, stopped: clock.Hand) -> Planted:
    return canaries.plant(desk)


def erase(desk: TestDesk, contact_id: int, hand: clock.Hand) -> None:
    """Erase somebody and let everything follow that follows."""
    with desk.app.app_context():
        with db.transaction() as session:
            erasure.erase(session.get_one(Contact, contact_id), by=Actor("user", desk.people.ada))
        desk.work()
        hand.move(minutes=11)
        desk.work()
    with db.read() as session:
        states = list(session.scalars(select(Erasure.state)))
    assert states and set(states) == {"compacted"}


def test_sixty_canaries_are_in_the_export_and_after_erasure_nowhere(
    desk: TestDesk, planted: Planted, stopped: clock.Hand, tmp_path: Path
) -> None:
    log = tmp_path / "desk.log"
    handler = logging.FileHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        with db.read() as session:
            her = session.get_one(Contact, planted.contact)
            exported = canaries.said_in({**own_data.export(her), **belongings.everything(her)})
        assert exported >= set(planted.hers) and len(planted.hers) >= 60
        assert not exported & set(planted.inner), "what colleagues noted, or is not sent yet, is not given out"
        there = canaries.found_in(desk, tmp_path)
        assert any("kb-index" in place for place in there) and any(place.startswith("files/") for place in there), sorted(there)

        erase(desk, planted.contact, stopped)

        assert canaries.found_in(desk, tmp_path, log) == {}
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_what_is_no_word_stays_for_statistics(desk: TestDesk, planted: Planted, stopped: clock.Hand) -> None:
    with db.read() as session:
        before = {
            table: session.scalar(select(func.count()).select_from(table))
            for table in (Ticket, Message, Rating, Order, Interaction, Contact)
        }
        events = list(session.execute(select(Event.id, Event.kind).order_by(Event.id)))
    erase(desk, planted.contact, stopped)
    with db.read() as session:
        assert {table: session.scalar(select(func.count()).select_from(table)) for table in before} == before
        assert list(session.execute(select(Event.id, Event.kind).order_by(Event.id)))[: len(events)] == events
        rating = session.scalars(select(Rating)).one()
        assert (rating.score, rating.score100, rating.contact_id) == (5, 100, planted.contact)
        ticket = session.get_one(Ticket, planted.ticket)
        assert ticket.status is Status.CLOSED and ticket.opened_at
        assert not list(
            session.scalars(select(Outgoing.id).where(Outgoing.state == OutgoingState.WAITING, Outgoing.ticket_id == ticket.id))
        )


def test_others_keep_everything_but_her_name_and_address_in_their_words(desk: TestDesk, planted: Planted, stopped: clock.Hand) -> None:
    erase(desk, planted.contact, stopped)
    with db.read() as session:
        oleg = session.get_one(Contact, desk.people.oleg)
        assert oleg.name == "Олег Тарасенко" and contacts.email_of(oleg.id) == "oleg@klient.example"
        his = list(session.scalars(select(Message.text).join(Ticket).where(Ticket.requester_id == oleg.id).order_by(Message.id)))
        assert his[0] == "Hello" and "called, write to" in his[-1] and "vogel" not in his[-1].lower()
        assert session.scalar(select(Ticket.id).where(search.matching("called"))) is not None
        assert session.scalar(select(Ticket.id).where(search.matching("vogel"))) is None
        assert session.scalar(select(Ticket.id).where(search.matching("Hello"))) is not None


def test_who_writes_again_after_being_erased_is_somebody_new(desk: TestDesk, planted: Planted, stopped: clock.Hand) -> None:
    erase(desk, planted.contact, stopped)
    with db.transaction():
        again = contacts.by_email(planted.email, name="Vera", by=SYSTEM)
        assert again.id not in (planted.contact, planted.twin)
    ticket = people.writes(again.id, "It is me.", inbox=desk.people.mail)
    with db.read() as session:
        assert session.get_one(Ticket, ticket.id).requester_id == again.id


def test_her_account_ends_with_its_sessions_and_links(desk: TestDesk, planted: Planted, stopped: clock.Hand) -> None:
    browser = desk.client(planted.account)
    assert browser.get("/my").status_code == 200
    erase(desk, planted.contact, stopped)
    assert browser.get("/my").status_code == 303


def test_who_must_be_kept_is_not_erased_and_the_refusal_says_why(desk: TestDesk, stopped: clock.Hand) -> None:
    ada = Actor("user", desk.people.ada)
    with db.transaction() as session:
        carol = session.get_one(Contact, desk.people.carol)
        held = erasure.hold(carol, "Lawsuit 7", until=clock.now() + timedelta(days=9), by=ada)
    with pytest.raises(erasure.Held, match="held"), db.transaction() as session:
        erasure.erase(session.get_one(Contact, desk.people.carol), by=ada)
    with db.read() as session:
        assert session.get_one(Contact, desk.people.carol).name == "Carol Jones"
    with db.transaction() as session:
        erasure.lift(session.merge(held), by=ada)
        erasure.erase(session.get_one(Contact, desk.people.carol), by=ada)
    with pytest.raises(erasure.Conflict), db.transaction() as session:
        erasure.erase(session.get_one(Contact, desk.people.carol), by=ada)


def test_somebody_else_of_the_same_name_keeps_it(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction():
        contacts.by_email("other.carol@elsewhere.example", name="Carol Jones", by=SYSTEM)
    ticket = people.writes(desk.people.oleg, "Carol Jones told me, carol@customer.example knows.", inbox=desk.people.mail)
    erase(desk, desk.people.carol, stopped)
    with db.read() as session:
        said = session.scalars(select(Message.text).where(Message.ticket_id == ticket.id)).one()
        assert said.startswith("Carol Jones told me") and "carol@customer.example" not in said
        assert list(files.store().keys()) == []
