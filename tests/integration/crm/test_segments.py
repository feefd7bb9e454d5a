"""Live segments: every field and operator against what the facts say, groups, what may not be asked, and the pages."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.crm import consent, contacts, fields, merging, segments, timeline
from helpdesk.crm.base_models import Segment
from helpdesk.crm.models import Contact, Order
from helpdesk.errors import Invalid
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import buys, company, names_on, phones


def leaf(field: str, op: str, value: str = "") -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.fixture
def crowd(stopped: clock.Hand, desk: TestDesk) -> TestDesk:
    """Carol is loyal, buys and was here yesterday; Oleg speaks Russian and has not been heard of for half a year."""
    company(desk, "Harbour Books", desk.people.carol)
    phones(desk.people.oleg, "+7 916 123-45-67")
    with db.transaction() as session:
        carol, oleg = session.get_one(Contact, desk.people.carol), session.get_one(Contact, desk.people.oleg)
        for label, kind in (("Size", "number"), ("Vegan", "yes_no"), ("Colour", "text")):
            fields.add("contact", label=label, kind=kind, by=SYSTEM)
        carol.tags, carol.lifecycle, carol.tier, carol.owner_id = ["loyal", 'say "hi"'], "loyal", "gold", desk.people.alice
        carol.satisfaction, carol.ratings_count, carol.value_cents = 90.0, 3, 50_000
        carol.custom = {"size": 44.5, "vegan": True, "colour": "Blue"}
        oleg.custom = {"size": 40, "vegan": False}
        oleg.survey_allowed, oleg.acquired_at = False, clock.now() - timedelta(days=900)
        carol.last_at, oleg.last_at = clock.now() - timedelta(days=1), clock.now() - timedelta(days=180)
    buys(desk.people.carol, 120_000)
    buys(desk.people.carol, 80_000, status="returned")
    with db.transaction() as session:
        session.query(Order).update({"at": clock.now() - timedelta(days=20)})
    return desk


def found(desk: TestDesk, tree: dict[str, Any], user: int = 0) -> set[str]:
    who = people.principal(user or desk.people.dana)
    with db.read() as session:
        rows = session.query(Contact).filter(Contact.merged_into_id.is_(None), segments.condition(who, tree))
        names = {row.name.split()[0] for row in rows}
        assert len(names) == segments.count(who, tree)
    return names


CAROL, OLEG, BOTH = {"Carol"}, {"Олег"}, {"Carol", "Олег"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (leaf("name", "contains", "jones"), CAROL), (leaf("name", "contains", "тарас"), OLEG), (leaf("name", "is", "carol jones"), CAROL),
        (leaf("name", "is_not", "Carol Jones"), OLEG), (leaf("name", "contains", "%"), set()), (leaf("language", "is", "ru"), OLEG),
        (leaf("language", "is_not", "ru"), CAROL), (leaf("organization", "contains", "harbour"), CAROL),
        (leaf("organization", "empty"), OLEG),
        (leaf("organization", "filled"), CAROL), (leaf("organization_kind", "is", "client"), CAROL),
        (leaf("lifecycle", "is", "loyal"), CAROL),
        (leaf("tier", "empty"), OLEG), (leaf("tier", "is", "GOLD"), CAROL), (leaf("tag", "has", "loyal"), CAROL),
        (leaf("tag", "has", "loya"), set()), (leaf("tag", "has", 'say "hi"'), CAROL), (leaf("tag", "has_not", "loyal"), OLEG),
        (leaf("owner", "yes"), CAROL), (leaf("owner", "no"), OLEG), (leaf("phone", "yes"), OLEG), (leaf("phone", "no"), CAROL),
        (leaf("email", "yes"), BOTH), (leaf("last_at", "within", "30"), CAROL), (leaf("last_at", "before", "90"), OLEG),
        (leaf("acquired_at", "before", "365"), OLEG), (leaf("satisfaction", "least", "80"), CAROL), (leaf("ratings", "most", "0"), OLEG),
        (leaf("survey_allowed", "no"), OLEG), (leaf("orders", "least", "1"), CAROL), (leaf("orders", "most", "0"), OLEG),
        (leaf("last_order", "within", "30"), CAROL), (leaf("last_order", "before", "30"), set()), (leaf("bought", "least", "1200"), CAROL),
        (leaf("bought", "least", "1201"), set()), (leaf("value", "least", "500"), CAROL), (leaf("custom.size", "least", "44"), CAROL),
        (leaf("custom.size", "most", "40,5"), OLEG), (leaf("custom.vegan", "yes"), CAROL), (leaf("custom.vegan", "no"), OLEG),
        (leaf("custom.colour", "contains", "blu"), CAROL), (leaf("custom.colour", "empty"), OLEG),
        ({"match": "any", "of": [leaf("language", "is", "ru"), leaf("tag", "has", "loyal")]}, BOTH),
        ({"match": "all", "of": [leaf("language", "is", "ru"), leaf("tag", "has", "loyal")]}, set()),
        ({"match": "all", "of": [{"match": "any", "of": [leaf("tier", "empty"), leaf("tag", "has", "loyal")]}, leaf("phone", "yes")]},
         OLEG),
        ({"match": "all", "of": []}, BOTH),
    ],
)  # fmt: skip
def test_each_question_is_answered_as_the_facts_are(crowd: TestDesk, question: dict[str, Any], answer: set[str]) -> None:
    assert found(crowd, question) == answer


def test_consent_is_asked_as_its_newest_word_says(crowd: TestDesk) -> None:
    by, carol = Actor("user", crowd.people.ada), crowd.people.carol
    assert found(crowd, leaf("news_allowed", "yes")) == set() and found(crowd, leaf("profiling_allowed", "yes")) == BOTH
    with db.transaction() as session:
        twin = contacts.add(name="Carol again", by=by)
        for given in (False, True):
            consent.say(session.get_one(Contact, carol), "news", given, source="agent", by=by)
        consent.say(twin, "profiling", False, source="agent", by=by)
        merging.merge(twin, session.get_one(Contact, carol), by=by)
    assert found(crowd, leaf("news_allowed", "yes")) == CAROL and found(crowd, leaf("news_allowed", "no")) == OLEG
    assert found(crowd, leaf("profiling_allowed", "no")) == CAROL, "a no of one of the merged counts for the person"
    with db.read() as session:
        alive = session.query(Contact).filter(Contact.merged_into_id.is_(None)).all()
        said = {(purpose, one.name.split()[0]): consent.allows(one, purpose) for one in alive for purpose in ("news", "profiling")}
    for (purpose, name), allowed in said.items():
        assert allowed == (name in found(crowd, leaf(f"{purpose}_allowed", "yes")))


def test_what_a_merged_one_brought_counts_for_who_speaks(crowd: TestDesk) -> None:
    with db.transaction() as session:
        merging.merge(session.get_one(Contact, crowd.people.carol), session.get_one(Contact, crowd.people.oleg), by=SYSTEM)
    assert found(crowd, leaf("orders", "least", "1")) == OLEG == found(crowd, leaf("email", "yes"))


@pytest.mark.parametrize(
    "question",
    [
        leaf("password", "is", "x"), leaf("name", "sql", "x"), leaf("name; DROP TABLE contact", "is", "x"),
        leaf("language", "is", "' OR 1=1"),
        leaf("orders", "least", "many"), leaf("orders", "least", "nan"), leaf("name", "contains", ""), leaf("custom.none", "is", "x"),
        {"match": "all", "of": [{"of": [{"of": [leaf("name", "filled")]}]}]}, {"of": [leaf("name", "filled")] * 31}, {"of": ["text"]},
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_not_asked(crowd: TestDesk, question: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        found(crowd, question)


def test_worth_is_asked_about_only_by_those_who_see_it(crowd: TestDesk) -> None:
    for field in ("value", "bought"):
        assert found(crowd, leaf(field, "least", "1")) == CAROL
        with pytest.raises(Invalid):
            found(crowd, leaf(field, "least", "1"), crowd.people.alice)


def test_a_segment_is_built_counted_saved_listed_exported_and_stays_live(crowd: TestDesk) -> None:
    dana = Browser(crowd, crowd.people.dana)
    row = {"match": "all", "match-0": "all", "field-0-0": "language", "op-0-0": "is", "value-0-0": "ru"}
    more = dana.send("/segments/build", page="/segments", then="row-0", **row)
    assert more.status_code == 200 and 'name="field-0-1"' in more.text and "1 customer" in more.text
    assert 'name="field-1-0"' in dana.send("/segments/build", page="/segments", then="group", **row).text
    counted = dana.client.post("/segments/build", data={"csrf_token": dana.token("/segments"), **row}, headers={"HX-Request": "true"})
    assert "1 customer" in counted.text and "<form" not in counted.text
    assert dana.send("/segments", page="/segments", name=" ", **row).status_code == 422
    saved = dana.send("/segments", page="/segments", name="Russian speakers", shared="1", **row)
    assert saved.status_code == 303
    place = saved.headers["Location"]
    assert names_on(dana.open(place).text) == ["Олег Тарасенко"] and "Russian speakers" in dana.open("/segments").text
    with db.transaction():
        made = contacts.by_email("anna@new.example", name="Anna New", language="ru", by=SYSTEM)
        timeline.note(made.id, "call", title="Hello")
    assert set(names_on(dana.open(place).text)) == {"Олег Тарасенко", "Anna New"}
    out = dana.send("/customers/export", page="/customers", segment=place.rsplit("/", 1)[1])
    assert [line[1] for line in csv.reader(io.StringIO(out.data.decode("utf-8-sig")))] == ["Name", "Anna New", "Олег Тарасенко"]
    changed = dana.save(f"{place}/edit", to="/segments", **{"value-0-0": "en"})
    assert changed.status_code == 303 and names_on(dana.open(place).text) == ["Carol Jones"]
    assert dana.send(f"{place}/removal", page="/segments").status_code == 303 and dana.open(place).status_code == 404


def test_one_agents_own_segment_is_nobody_elses(crowd: TestDesk) -> None:
    alice, bob = Browser(crowd, crowd.people.alice), Browser(crowd, crowd.people.bob)
    row = {"match-0": "all", "field-0-0": "language", "op-0-0": "is", "value-0-0": "ru"}
    own = alice.send("/segments", page="/segments", name="Mine", **row).headers["Location"]
    shared = alice.send("/segments", page="/segments", name="Ours", shared="1", **row).headers["Location"]
    assert bob.open(own).status_code == 404 and bob.open(shared).status_code == 200
    assert "Mine" not in bob.open("/segments").text
    for path in (f"{shared}/edit",):
        assert bob.open(path).status_code == 404 and alice.open(path).status_code == 200
    assert bob.send(f"{shared}/removal", page="/segments").status_code == 404
    assert bob.send("/segments", page="/segments", name="Stolen", segment=shared.rsplit("/", 1)[1], **row).status_code == 404
    assert (
        alice.send(
            "/segments", page="/segments", name="Rich", **{**row, "field-0-0": "value", "op-0-0": "least", "value-0-0": "1"}
        ).status_code
        == 422
    )
    rich = Browser(crowd, crowd.people.dana).send(
        "/segments", page="/segments", name="Rich", shared="1", **{"field-0-0": "value", "op-0-0": "least", "value-0-0": "1"}
    ).headers["Location"]  # fmt: skip
    assert alice.open(rich).status_code == 404, "what customers are worth is not told by a segment either"
    with db.read() as session:
        assert session.query(Segment).count() == 3
