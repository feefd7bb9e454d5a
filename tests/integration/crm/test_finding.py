"""Finding customers by any part of a name or an address: what the index holds follows every change, and never changes what is found."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from sqlalchemy import select, text

from helpdesk import db, schema
from helpdesk.actor import SYSTEM, Actor
from helpdesk.crm import addresses, contacts, editing, erasure, finding, identities, merging, pieces, queries
from helpdesk.crm.models import Contact, Identity, Organization
from helpdesk.errors import Invalid
from helpdesk.preferences import prefer
from tests import people
from tests.desks import TestDesk
from tests.integration.crm.lists import takes_back, takes_in

BY = Actor("system")


def person(name: str, *reached: str) -> int:
    with db.transaction():
        made = contacts.add(name=name, by=BY)
        for one in reached:
            identities.add(made, identities.read("email" if "@" in one else "phone", one), by=BY)
        return made.id


def finds(desk: TestDesk, words: str, *, user: int = 0) -> list[str]:
    """The first names of those found, in order of names."""
    with db.read():
        who = people.principal(user or desk.people.dana)
        return [one.contact.name.split()[0] for one in queries.page(who, queries.Wanted(q=words, sort="name")).rows]


def rows() -> dict[int, Any]:
    """The index as it is."""
    columns = "rowid, pieces" if db.engine().dialect.name == "sqlite" else "contact_id, pieces::text"
    with db.read() as session:
        return {row[0]: row[1] for row in session.execute(text(f"SELECT {columns} FROM contact_words"))}


def as_made_anew() -> bool:
    """Whether the index is what it would be had it been made just now."""
    before = rows()
    with db.transaction():
        finding.rebuild()
    return rows() == before


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("magdalena", ["Magdalena"]), ("gdale", ["Magdalena"]), ("MAGDA vonder", ["Magdalena"]), ("vonder magda", ["Magdalena"]),
        ("m.vonder@harbour", ["Magdalena"]), ("arbour-books.exam", ["Magdalena"]), ("7946 0018", ["Magdalena"]),
        ("020 7946 0018", ["Magdalena"]), ("94600", ["Magdalena"]), ("ma", ["Magdalena"]), ("nder-l", ["Magdalena"]),
        ("королё", ["Королёв"]), ("РОЛЁВ", ["Королёв"]), ("王伟", ["王伟"]), ("伟", ["王伟"]), ("o'ne", ["O'Neil"]), ("neil o", ["O'Neil"]),
        ("vonder nobody", []), ("magdalenas", []), ("%", []), ("mag_alena", []), ("0018 nobody", []),
        ('"', []), ('"magda" OR "x"', []), ("NEAR(", []), ("magda*", []), ("'", []), ("&|!:", []), ("da", []), ("li", ["Magdalena"]),
        ("王", ["王伟"]), ("- vonder", ["Magdalena"]), ("o'", ["O'Neil"]), ("\u1c90\u1c91\u1c92", []),
    ],
)  # fmt: skip
def test_any_part_of_a_name_or_an_address_finds_them(desk: TestDesk, words: str, answer: list[str]) -> None:
    person("Magdalena Vonder-Lippe", "M.Vonder@harbour-books.example", "+44 20 7946 0018")
    person("Королёв Илья")
    person("王伟")
    person("O'Neil Sean")
    assert finds(desk, words) == answer


def test_the_index_never_changes_who_is_found(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    for number in range(30):
        name = "".join(rng.choice("abкл") for _ in range(6)) + " " + "".join(rng.choice("аbcd1") for _ in range(4))
        person(
            f"{name} {number}", f"{name[:3]}{number}@{rng.choice('abc')}ab.example".encode("ascii", "replace").decode().replace("?", "q")
        )
    words = ["".join(rng.choice("abклcd1@. ") for _ in range(rng.randint(1, 6))) for _ in range(60)]
    by_index = [finds(desk, one) for one in words]
    monkeypatch.setattr(finding, "MOST", 1)
    assert [finds(desk, one) for one in words] == by_index, "walked, because too many may fit"
    assert sum(map(len, by_index)) > 30


def test_a_new_name_or_address_is_found_at_once_and_the_old_one_no_more(desk: TestDesk) -> None:
    found = person("Magdalena Vonder", "magda@vonder.example")
    with db.transaction() as session:
        contact = session.get_one(Contact, found)
        editing.rename(contact, "Bettina Kruse", by=BY)
        identities.add(contact, addresses.email("bettina@kruse.example"), by=BY)
        identities.remove(session.scalars(select(Identity).where(Identity.value_norm == "magda@vonder.example")).one(), by=BY)
    assert finds(desk, "vonder") == [] and finds(desk, "magda") == []
    assert finds(desk, "bettina@kru") == ["Bettina"] == finds(desk, "kruse") and as_made_anew()


def test_somebody_is_found_in_the_transaction_that_adds_them(desk: TestDesk) -> None:
    with db.transaction():
        contacts.by_email("magda@vonder.example", name="Magdalena Vonder", by=BY)
        who = people.principal(desk.people.dana)
        assert [one.contact.name for one in queries.page(who, queries.Wanted(q="gdale")).rows] == ["Magdalena Vonder"]


def test_what_was_refused_leaves_nothing_in_the_index(desk: TestDesk) -> None:
    before = rows()
    with pytest.raises(Invalid), db.transaction() as session:
        contacts.by_email("magda@vonder.example", name="Magdalena Vonder", by=BY)
        session.flush()
        raise Invalid
    assert rows() == before and finds(desk, "magda") == []


def test_the_organizations_name_finds_its_people_also_after_it_was_renamed(desk: TestDesk) -> None:
    found = person("Magdalena Vonder")
    with db.transaction() as session:
        company = contacts.add_organization("Harbour Books", by=SYSTEM)
        editing.join(session.get_one(Contact, found), company, by=BY)
    assert finds(desk, "harbour") == ["Magdalena"] == finds(desk, "magda arbour")
    with db.transaction() as session:
        session.get_one(Organization, company.id).name = "Quay Books"
    assert finds(desk, "harbour") == [] and finds(desk, "vonder quay") == ["Magdalena"]


def test_merging_brings_the_addresses_and_parting_gives_them_back(desk: TestDesk) -> None:
    twin = person("M. Vonder", "magda@vonder.example", "+44 20 7946 0018")
    into = person("Magdalena Vonder", "mv@work.example")
    before = rows()
    with db.transaction() as session:
        done = merging.merge(session.get_one(Contact, twin), session.get_one(Contact, into), by=BY)
    assert finds(desk, "magda@vonder") == ["Magdalena"] == finds(desk, "79460018") == finds(desk, "magdalena 7946")
    assert set(rows()) == set(before) - {twin} and as_made_anew()
    with db.transaction() as session:
        merging.undo(session.merge(done), by=BY)
    assert rows() == before and finds(desk, "magda@vonder") == ["M."] and finds(desk, "magdalena 7946") == []


def test_of_an_erased_person_nothing_is_left_in_the_index(desk: TestDesk) -> None:
    twin, into = person("M. Vonder", "magda@vonder.example"), person("Magdalena Vonder", "mv@work.example")
    with db.transaction() as session:
        merging.merge(session.get_one(Contact, twin), session.get_one(Contact, into), by=BY)
        erasure.erase(session.get_one(Contact, into), by=BY)
    assert not {twin, into} & set(rows()) and as_made_anew()
    for words in ("vonder", "magda@vonder", "mv@work", "erased"):
        assert finds(desk, words) == []


def test_who_came_with_a_list_is_found_and_who_was_taken_back_is_not(desk: TestDesk) -> None:
    before = rows()
    run = takes_in(desk, "Name,E-mail\nMagdalena Vonder,magda@vonder.example\nCarol J. Jones,carol@customer.example\n")
    assert finds(desk, "gdalena") == ["Magdalena"] and as_made_anew()
    takes_back(desk, run)
    assert finds(desk, "gdalena") == [] and rows() == before


def test_colleagues_find_only_whom_they_may_see(desk: TestDesk) -> None:
    found = person("Magdalena Vonder")
    with db.transaction() as session:
        prefer(customers_seen="team")
        session.get_one(Contact, found).owner_id = desk.people.ada
    assert finds(desk, "magda") == ["Magdalena"] and finds(desk, "magda", user=desk.people.alice) == []


def test_the_palette_finds_customers_by_an_address_too(desk: TestDesk) -> None:
    person("Magdalena Vonder", "magda@vonder.example")
    answer = desk.client(desk.people.alice).get("/find", query_string={"q": "gda@vond"}).json
    assert [one["name"] for one in answer if one["kind"] == "Customer"] == ["Magdalena Vonder"]


def test_the_step_that_brings_the_index_fills_it_with_everybody(desk: TestDesk) -> None:
    twin, into = person("M. Vonder", "magda@vonder.example"), person("Magdalena Vonder", "mv@work.example")
    with db.transaction() as session:
        merging.merge(session.get_one(Contact, twin), session.get_one(Contact, into), by=BY)
    before = rows()
    schema.downgrade("0019")
    schema.upgrade()
    assert rows() == before and finds(desk, "magda@vonder") == ["Magdalena"]


def test_pieces_are_three_letters_anywhere_and_fewer_where_a_word_begins() -> None:
    assert pieces.held(["Lee-Ann", "x1@b.ex"]) == ["a", "an", "ann", "b", "e", "ex", "l", "le", "lee", "x", "x1"]
    assert pieces.held(["王小明"]) == ["小", "小明", "明", "王", "王小", "王小明"]
    assert pieces.wanted("customer") == ["cus", "tom", "mer"] and pieces.wanted("jo") == ["jo"] and pieces.wanted("@") == []
    assert pieces.wanted("o'neil") == ["nei", "eil"] and pieces.wanted("a-b") == ["a", "b"]
    assert pieces.wanted("小明") == ["小明"] and len(pieces.wanted("abcdefghi" * 20)) <= pieces.MOST


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_two_who_give_one_customer_an_address_at_once_are_both_found_by(desk: TestDesk) -> None:
    found = person("Magdalena Vonder")
    both = threading.Barrier(2, timeout=20)

    def gives(address: str) -> None:
        with db.transaction() as session:
            identities.add(session.get_one(Contact, found), addresses.email(address), by=BY)
            session.flush()
            both.wait()

    hands = [threading.Thread(target=gives, args=(one,)) for one in ("first@vonder.example", "second@kruse.example")]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(30)
    assert finds(desk, "first@von") == ["Magdalena"] == finds(desk, "second@kru") and as_made_anew()
