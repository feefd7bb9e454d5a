"""One person known twice: found, merged, read as one everywhere, and parted again exactly."""

from __future__ import annotations

import random
from html import unescape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import Role
from helpdesk.crm import contacts, duplicates, editing, history, merging, profile, queries, timeline
from helpdesk.crm.base_models import Duplicate, Merge
from helpdesk.crm.models import Contact, Identity, IdentityKind, Interaction, Membership
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import Event
from helpdesk.tickets import intake, linking, surveys
from helpdesk.tickets import policy as ticket_policy
from helpdesk.tickets.models import Ticket
from tests import people
from tests.desks import TestDesk

BY = Actor("system")
#: What a merge may change of a contact, and undoing it gives back.
FIELDS = ("name", "language", "tags", "owner_id", "organization_id", "custom", "terms", "survey_allowed", "merged_into_id", "last_at")


def person(name: str, *addresses: str, **values: Any) -> int:
    with db.transaction() as session:
        made = contacts.add(name=name, by=SYSTEM)
        for field, value in values.items():
            setattr(made, field, value)
        for address in addresses:
            kind = IdentityKind.EMAIL if "@" in address else IdentityKind.PHONE
            session.add(Identity(contact_id=made.id, kind=kind, value=address, value_norm=address.lower()))
    return made.id


def merged(source: int, into: int, **take: str) -> int:
    with db.transaction() as session:
        return merging.merge(session.get_one(Contact, source), session.get_one(Contact, into), by=BY, take=take).id


def parted(merge_id: int) -> merging.Parted:
    with db.transaction() as session:
        return merging.undo(session.get_one(Merge, merge_id), by=BY)


def state(*ids: int) -> dict[int, dict[str, Any]]:
    with db.read() as session:
        return {id_: {field: getattr(session.get_one(Contact, id_), field) for field in FIELDS} for id_ in ids}


# --- merging and parting -------------------------------------------------------------------------------------------------


def test_a_merge_moves_nothing_and_everything_is_read_as_one(desk: TestDesk) -> None:
    twin = person("C. Jones", "carol@home.example", tags=["loyal"], language="ru")
    ticket = people.writes(twin, inbox=desk.people.mail, subject="From home")
    with db.transaction() as session:
        surveys.answer(surveys.send(session.get_one(Ticket, ticket.id), session.get_one(Contact, twin)), 1)
    merged(twin, desk.people.carol)
    with db.read() as session:
        carol = session.get_one(Contact, desk.people.carol)
        assert (carol.name, carol.language, carol.tags) == ("Carol Jones", "en", ["loyal"]), "what she lacked, and the tags of both"
        assert carol.ratings_count == 1 and (carol.satisfaction or 0) < 75
        assert session.get_one(Ticket, ticket.id).requester_id == twin, "rows keep the contact they were written with"
        assert contacts.find_by_email("carol@home.example").id == carol.id  # type: ignore[union-attr]
        assert contacts.group(twin) == contacts.group(carol.id) == [carol.id, twin]
        told = session.query(Event).filter_by(kind="contacts_merged").one()
        assert (told.contact_id, told.data["merged_id"]) == (carol.id, twin)
    page = desk.client(desk.people.alice).get(f"/customers/{desk.people.carol}").text
    assert "From home" in page and "carol@home.example" in page
    assert desk.client(desk.people.alice).get(f"/customers/{twin}").headers["Location"] == f"/customers/{desk.people.carol}"
    assert "C. Jones" not in desk.client(desk.people.alice).get("/customers").text
    assert "Carol Jones" in desk.client(desk.people.alice).get("/customers?q=home.example").text
    card = desk.client(desk.people.alice).get(f"/inbox/{ticket.number}").text
    assert f'href="/customers/{desk.people.carol}"' in card and "carol@customer.example" in card


def test_parting_restores_both_and_later_messages_stay_where_they_arrived(desk: TestDesk, stopped: clock.Hand) -> None:
    twin = person("C. Jones", "carol@home.example", language="ru", terms="Pays in advance", survey_allowed=False)
    stopped.move(minutes=1)
    before = state(twin, desk.people.carol)
    done = merged(twin, desk.people.carol, name="from", language="from")
    assert state(desk.people.carol)[desk.people.carol]["name"] == "C. Jones"
    assert state(desk.people.carol)[desk.people.carol]["survey_allowed"] is False, "her no counts for the whole person"
    with db.transaction() as session:
        sender = contacts.by_email("carol@home.example", by=SYSTEM)
        timeline.note(sender.id, "call", title="After the merge")
    undone = parted(done)
    assert undone.kept == ()
    after = state(twin, desk.people.carol)
    after[desk.people.carol]["last_at"] = before[desk.people.carol]["last_at"]
    assert after == before
    with db.read() as session:
        assert session.query(Interaction).one().contact_id == desk.people.carol
        assert contacts.find_by_email("carol@home.example").id == twin  # type: ignore[union-attr]
        assert session.query(Event).filter_by(kind="contacts_unmerged").count() == 1


def test_what_somebody_changed_since_the_merge_is_kept_and_named(desk: TestDesk) -> None:
    twin = person("C. Jones", language="ru")
    done = merged(twin, desk.people.carol, name="from", language="from")
    with db.transaction() as session:
        editing.rename(session.get_one(Contact, desk.people.carol), "Carol Jones-Smith", by=BY)
    assert parted(done).kept == ("name",)
    now = state(desk.people.carol)[desk.people.carol]
    assert (now["name"], now["language"]) == ("Carol Jones-Smith", "en")


def test_a_chain_is_flat_and_can_be_parted_in_any_order(desk: TestDesk) -> None:
    first, second, third = person("A"), person("B"), person("C")
    before = state(first, second, third)
    one, two = merged(first, second, name="from"), merged(second, third, name="from")
    now = state(first, second, third)
    assert now[first]["merged_into_id"] == now[second]["merged_into_id"] == third
    parted(one)
    assert state(first, second)[first]["merged_into_id"] is None and state(second)[second]["merged_into_id"] == third
    parted(two)
    assert {id_: {**kept, "last_at": 0} for id_, kept in state(first, second, third).items()} == {
        id_: {**kept, "last_at": 0} for id_, kept in before.items()
    }


def test_two_merges_into_one_give_back_the_first_value_whichever_is_undone_first(desk: TestDesk) -> None:
    a, b = person("A"), person("B")
    for order in (0, 1):
        made = [merged(a, desk.people.carol, name="from"), merged(b, desk.people.carol, name="from")]
        for number in (order, 1 - order):
            assert parted(made[number]).kept == ()
        assert state(desk.people.carol)[desk.people.carol]["name"] == "Carol Jones"


def test_the_impossible_is_refused(desk: TestDesk) -> None:
    twin = person("Twin")
    with pytest.raises(Invalid):
        merged(twin, twin)
    with pytest.raises(Invalid):
        merged(twin, desk.people.carol, name="both")
    done = merged(twin, desk.people.carol)
    for source, into in ((twin, desk.people.oleg), (desk.people.oleg, twin), (desk.people.carol, twin)):
        with pytest.raises(Conflict):
            merged(source, into)
    parted(done)
    with pytest.raises(Conflict):
        parted(done)
    with db.transaction() as session:
        session.get_one(Contact, twin).erased_at = clock.now()
    with pytest.raises(Conflict):
        merged(twin, desk.people.carol)


def exercise(desk: TestDesk, seed: int, steps: int) -> None:
    """Random merges, partings, mails and edits among five people; after each step nothing is lost and nothing doubled."""
    chance = random.Random(seed)
    crowd = [person(f"Person {seed}-{n}", f"p{n}.{seed}@crowd.example", language=chance.choice(["", "en", "ru"])) for n in range(5)]
    before = state(*crowd)
    in_force: list[int] = []
    written = 0
    for step in range(steps):
        deed = chance.choice(["merge", "merge", "undo", "mail"])
        if deed == "merge":
            with db.read() as session:
                free = [id_ for id_ in crowd if session.get_one(Contact, id_).merged_into_id is None]
            if len(free) > 1:
                source, into = chance.sample(free, 2)
                in_force.append(merged(source, into, name=chance.choice(["from", "into"]), language=chance.choice(["from", "into"])))
        elif deed == "undo" and in_force:
            assert parted(in_force.pop(chance.randrange(len(in_force)))).kept == ()
        elif deed == "mail":
            with db.transaction():
                sender = contacts.by_email(f"p{chance.randrange(5)}.{seed}@crowd.example", by=SYSTEM)
                timeline.note(sender.id, "message", title=str(step))
            written += 1
        check_one_base(crowd, written)
    for merge_id in chance.sample(in_force, len(in_force)):
        parted(merge_id)
        check_one_base(crowd, written)
    after = state(*crowd)
    for id_ in crowd:
        before[id_]["last_at"] = after[id_]["last_at"] = None
    assert after == before


def check_one_base(crowd: list[int], written: int) -> None:
    """Whoever speaks, speaks for themselves; each entry and address is read with exactly one person."""
    with db.read() as session:
        rows = {id_: session.get_one(Contact, id_) for id_ in crowd}
        speakers = [row for row in rows.values() if row.merged_into_id is None]
        assert all(rows[row.merged_into_id].merged_into_id is None for row in rows.values() if row.merged_into_id is not None)
        groups = [contacts.group(row.id) for row in speakers]
        assert sorted(id_ for group in groups for id_ in group) == sorted(crowd)
        entries = [entry.id for group in groups for entry in timeline.latest(group, limit=1000)]
        assert len(entries) == len(set(entries)) == written
        addresses = [one.id for group in groups for one in queries.identities(group)]
        assert len(addresses) == len(set(addresses)) == len(crowd)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**20))
def test_people_merged_and_parted_at_random_lose_and_double_nothing(desk: TestDesk, seed: int) -> None:
    with db.read() as session:
        if session.scalar(select(func.count()).where(Identity.value_norm == f"p0.{seed}@crowd.example")):
            return
    exercise(desk, seed, steps=12)


@pytest.mark.soak
def test_a_thousand_random_merges_lose_and_double_nothing(desk: TestDesk) -> None:
    for seed in range(100):
        exercise(desk, 10_000_000 + seed, steps=20)


# --- everybody who reads -------------------------------------------------------------------------------------------------


def test_the_portal_shows_a_merged_customer_all_their_requests_and_nobody_elses(desk: TestDesk) -> None:
    twin = person("C. Jones", "carol@home.example")
    from_home = people.writes(twin, inbox=desk.people.mail, subject="From home")
    from_work = people.writes(desk.people.carol, inbox=desk.people.mail, subject="From work")
    others = people.writes(desk.people.oleg, inbox=desk.people.mail, subject="Somebody elses")
    with db.transaction():
        carla = people.person("Carla", Role.CUSTOMER, contact_id=twin).id
    mine = desk.client(carla).get("/my").text
    assert "From home" in mine and "From work" not in mine
    done = merged(twin, desk.people.carol)
    mine = desk.client(carla).get("/my").text
    assert "From home" in mine and "From work" in mine and "Somebody elses" not in mine
    for number, code in ((from_home.number, 200), (from_work.number, 200), (others.number, 404)):
        assert desk.client(carla).get(f"/my/requests/{number}").status_code == code
    with db.read() as session:
        carol, ticket = session.get_one(Contact, desk.people.carol), session.get_one(Ticket, from_home.id)
        assert intake.takes_part(ticket, carol) and not intake.takes_part(ticket, session.get_one(Contact, desk.people.oleg))
        assert linking.opened(linking.token(ticket, carol.id)) == (ticket, carol.id)
    parted(done)
    assert desk.client(carla).get(f"/my/requests/{from_work.number}").status_code == 404, "parted, she is only herself again"
    with db.read() as session:
        who = people.principal(carla)
        assert not ticket_policy.may(who, "see", session.get_one(Ticket, from_work.id))
        assert ticket_policy.may(who, "see", session.get_one(Ticket, from_home.id))


def test_what_a_company_lets_one_of_them_see_the_merged_person_sees(desk: TestDesk) -> None:
    twin = person("C. Jones")
    with db.transaction() as session:
        company = contacts.add_organization("Harbour Books", by=SYSTEM)
        session.add(Membership(contact_id=twin, organization_id=company.id, sees_all_tickets=True))
        carla = people.person("Carla", Role.CUSTOMER, contact_id=desk.people.carol).id
    assert company.id not in people.principal(carla).organizations
    done = merged(twin, desk.people.carol)
    assert company.id in people.principal(carla).organizations
    parted(done)
    assert company.id not in people.principal(carla).organizations


# --- likely duplicates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "reasons"),
    [
        (("Anna Berg", "anna.berg@gmail.com"), ("A. Berg", "annaberg+shop@googlemail.com"), ["email"]),
        (("Пётр Иванов", "+79161234567"), ("Petr Ivanov", "+79161234567;ext=12"), ["phone", "name"]),
        (("Пётр Иванов", "petr@firma.example"), ("Иванов Петр", "p.ivanov@firma.example"), ["name", "organization"]),
        (("Anna Berg", "anna.berg@one.example"), ("Anna Berg", "anna.berg@two.example"), ["local_part", "name"]),
    ],
)
def test_the_same_person_written_differently_is_found(
    desk: TestDesk, first: tuple[str, ...], second: tuple[str, ...], reasons: list[str]
) -> None:
    one, two = person(*first), person(*second)
    desk.work()
    with db.read() as session:
        (pair,) = session.query(Duplicate).all()
        assert (pair.first_id, pair.second_id, pair.reasons) == (one, two, reasons) and pair.score >= duplicates.LEAST
        (found,) = duplicates.of(session.get_one(Contact, two))
        assert found[1].id == one


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("Anna Berg", "anna@one.example"), ("Anna Berg", "other@two.example")),  # a name alone
        (("Anna Berg", "anna@gmail.com"), ("Anna Berg", "other@gmail.com")),  # a mail provider is no employer
        (("Anna Berg", "info@one.example"), ("Bob Hill", "info@two.example")),
        (("", "a@one.example"), ("", "b@one.example")),
    ],
)
def test_different_people_are_not_called_one(desk: TestDesk, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    person(*first), person(*second)
    desk.work()
    with db.read() as session:
        assert session.query(Duplicate).count() == 0


def test_a_front_desks_phone_makes_nobody_a_duplicate(desk: TestDesk) -> None:
    for number in range(3):
        made = person(f"Clerk {'abc'[number]}")
        with db.transaction() as session:
            session.add(Identity(contact_id=made, kind=IdentityKind.PHONE, value="+1", value_norm="+12025550123", shared=True))
    with db.transaction():
        duplicates.seek_everybody(by=BY)
    desk.work()
    with db.read() as session:
        assert session.query(Duplicate).count() == 0


def test_a_corrected_name_takes_the_suspicion_away_and_a_settled_pair_stays_settled(desk: TestDesk) -> None:
    one, two = person("Anna Berg", "anna@firma.example"), person("Anna Berg", "berg@firma.example")
    desk.work()
    with db.transaction() as session:
        duplicates.settle_as_different(session.query(Duplicate).one().id, by=BY)
        editing.rename(session.get_one(Contact, two), "Berg Anna", by=BY)
    desk.work()
    with db.read() as session:
        assert session.query(Duplicate).one().settled_as == "different" and duplicates.listed() == []
    three = person("Anna Berg", "a.berg@firma.example")
    desk.work()
    with db.read():
        assert {(pair.first_id, pair.second_id) for pair, _a, _b in duplicates.listed()} == {(one, three), (two, three)}
    with db.transaction() as session:
        editing.rename(session.get_one(Contact, three), "Clara Holm", by=BY)
    desk.work()
    with db.read():
        assert duplicates.listed() == []


def test_everybody_is_gone_through_in_batches(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BATCH", 3)
    with db.transaction():
        for number in range(8):
            contacts.by_email(f"{'twin' if number in (1, 6) else number}+{number}@firma.example", name=f"N{number}", by=SYSTEM)
    with db.transaction() as session:
        session.query(Duplicate).delete()
        duplicates.seek_everybody(by=BY)
    desk.work()
    with db.read():
        assert len(duplicates.listed()) == 1


# --- the history of fields -----------------------------------------------------------------------------------------------


def test_each_change_says_who_when_from_what_to_what(stopped: clock.Hand, desk: TestDesk) -> None:
    with db.transaction() as session:
        carol = session.get_one(Contact, desk.people.carol)
        editing.rename(carol, "Carol Smith", by=Actor("user", desk.people.alice, via="page"))
        stopped.move(days=400)
        editing.speak(carol, "ru", by=Actor("user", desk.people.bob, via="page"))
    with db.transaction() as session:
        carol = session.get_one(Contact, desk.people.carol)
        rows = history.of_contact([carol.id])
        assert [(row.field, row.old, row.new, row.actor_id) for row in rows] == [
            ("language", "en", "ru", desk.people.bob),
            ("name", "Carol Jones", "Carol Smith", desk.people.alice),
        ]
        fresh = history.freshness(carol, ("name", "language"))
        assert fresh["name"].stale and not fresh["language"].stale and fresh["language"].user_id == desk.people.bob
        history.confirm(carol, by=Actor("user", desk.people.bob))
        assert not history.freshness(carol, ("name",))["name"].stale
        assert not any("Smith" in str(event.data) for event in session.query(Event)), "events hold no values"


def test_the_score_of_a_merged_person_is_that_of_all_their_ratings(desk: TestDesk) -> None:
    twin = person("C. Jones")
    for who, score in ((twin, 1), (desk.people.carol, 5)):
        ticket = people.writes(who, inbox=desk.people.mail)
        with db.transaction() as session:
            surveys.answer(surveys.send(session.get_one(Ticket, ticket.id), session.get_one(Contact, who)), score)
    done = merged(twin, desk.people.carol)
    with db.read() as session:
        assert profile.satisfaction_of(session.get_one(Contact, desk.people.carol)).n == 2
    parted(done)
    with db.read() as session:
        assert session.get_one(Contact, desk.people.carol).ratings_count == 1 and session.get_one(Contact, twin).ratings_count == 1


def test_a_page_says_unescaped_markup_of_a_merged_name_as_text(desk: TestDesk) -> None:
    evil = "<b>bold</b>"
    merged(person(evil), desk.people.carol, name="from")
    assert evil in unescape(desk.client(desk.people.alice).get(f"/customers/{desk.people.carol}").text)
    assert evil not in desk.client(desk.people.alice).get(f"/customers/{desk.people.carol}").text
