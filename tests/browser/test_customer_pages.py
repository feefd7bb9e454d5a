"""Every page about customers, from the address map: through axe, by keyboard alone and on a small screen, in both languages and themes.

A new page without an entry in PAGES fails the first test; what is no page says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk import clock, db, worker
from helpdesk.actor import Actor
from helpdesk.agents.worth import compute, nightly
from helpdesk.crm import contacts, corrections, duplicates, fields, identities, segments, triage
from helpdesk.crm.base_models import CustomField, Import, Segment
from helpdesk.crm.care_models import SurveyDefinition
from helpdesk.crm.models import Contact, Identity, IdentityKind, Membership
from helpdesk.preferences import prefer
from tests import axe, people, walking
from tests.integration.crm.lists import takes_in
from tests.integration.worth import sample
from tests.running import RunningDesk, started

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DOORS = {"crm", "care", "worth"}
#: Settings that are about customers stand among the administrator's.
SETTINGS = tuple(f"helpdesk.agents.admin.{name}" for name in ("customers", "retention", "surveys"))
#: What is no page of its own, and why.
NO_PAGES = {"crm.customer_data": "a file", "crm.import_faults": "a file", "worth.model": "a part of the retention page"}
Path = Callable[["House"], str]
WIDE, SMALL = ("light", 1440), ("dark", 390)


class House:
    """A desk with something behind every address: customers who bought, asked and rated, a company, lists, segments, an import."""

    def __init__(self, desk: RunningDesk) -> None:
        self.desk, company = desk, desk.people
        dana = Actor("user", company.dana)
        with db.transaction() as session:
            prefer(rates="USD 0.9, CHF 1.1", minute_cents=80, winning_cents=500)
            made = sample.customers(80)
            sample.lives(made, inbox=company.mail, by=dana)
            harbour = contacts.add_organization("Harbour Books", by=dana)
            theirs = select(Contact).where(Contact.id.in_(made), Contact.merged_into_id.is_(None))
            alive = list(session.scalars(theirs.order_by(Contact.id)))
            for contact in alive[:3]:
                contact.organization_id = harbour.id
                session.add(Membership(contact_id=contact.id, organization_id=harbour.id, role="Buyer"))
            self.first, self.second, self.organization = alive[0].id, alive[1].id, harbour.id
            twin = contacts.add(name=alive[0].name, by=dana)
            for contact, address in ((alive[0], "anna.berg@gmail.com"), (twin, "annaberg@gmail.com")):
                session.add(Identity(contact_id=contact.id, kind=IdentityKind.EMAIL, value=address, value_norm=address))
            session.flush()
            duplicates.seek([twin.id])
            fields.add("contact", label="Coffee", label_ru="Кофе", kind="text", options="", by=dana)
            lead = people.principal(company.dana)
            tree = {"match": "all", "of": [{"match": "all", "of": [{"field": "orders", "op": "least", "value": "1"}]}]}
            segments.save(None, name="Buyers", tree=tree, shared=True, seen=None, who=lead, by=dana)
            corrections.plan(reason="slow", title="Answer sooner", owner_id=company.dana, due_at=clock.now() + timedelta(days=9), by=dana)
            session.add(SurveyDefinition(name="Afterwards", questions=[{"kind": "csat", "en": "How was it?", "ru": "Как вам?"}]))
            triage.note(identities.read("phone", "+44 20 7946 0000"), kind="call", text="Asked for Ann", by=dana)
            run = nightly.want(by=dana)
        compute.compute(run.id)
        takes_in(self, "Name,E-mail\nZoe,zoe@list.example\nNobody,not-an-address\n")
        with db.read() as session:
            self.segment, self.run, self.field, self.survey = (
                session.scalars(select(table.id)).first() for table in (Segment, Import, CustomField, SurveyDefinition)
            )

    @property
    def people(self) -> people.Company:
        return self.desk.people

    def work(self, *, patience_s: float = 30.0) -> None:
        with self.desk.app.app_context():
            worker.work_off(patience_s=patience_s)


#: Endpoint → its address. Settings are looked at by Ada, everything else by Dana.
PAGES: dict[str, Path] = {
    "admin.customer_field": lambda house: f"/admin/customers/fields/{house.field}",
    "admin.customers": lambda house: "/admin/customers",
    "admin.new_survey": lambda house: "/admin/surveys/new",
    "admin.retention": lambda house: "/admin/retention",
    "admin.survey": lambda house: f"/admin/surveys/{house.survey}",
    "admin.surveys": lambda house: "/admin/surveys",
    "care.calls": lambda house: "/calls?whose=all",
    "care.reason": lambda house: "/satisfaction/reason?reason=slow",
    "care.satisfaction": lambda house: "/satisfaction",
    "crm.choose_member": lambda house: f"/organizations/{house.organization}/people?q=Customer",
    "crm.choose_merge": lambda house: f"/customers/{house.first}/merge?q=Customer",
    "crm.compare_customers": lambda house: f"/customers/{house.first}/merge/{house.second}",
    "crm.confirm_erasure": lambda house: f"/customers/{house.first}/erasure",
    "crm.customer": lambda house: f"/customers/{house.first}",
    "crm.customer_history": lambda house: f"/customers/{house.first}/history",
    "crm.customer_privacy": lambda house: f"/customers/{house.first}/privacy",
    "crm.customers": lambda house: "/customers",
    "crm.duplicate_customers": lambda house: "/customers/duplicates",
    "crm.edit_customer": lambda house: f"/customers/{house.first}/edit",
    "crm.edit_organization": lambda house: f"/organizations/{house.organization}/edit",
    "crm.edit_segment": lambda house: f"/segments/{house.segment}/edit",
    "crm.hand_over_page": lambda house: f"/customers/handover?from={house.people.bob}",
    "crm.imports": lambda house: "/customers/imports",
    "crm.merges": lambda house: "/customers/merges",
    "crm.new_customer": lambda house: "/customers/new",
    "crm.new_organization": lambda house: "/organizations/new",
    "crm.new_segment": lambda house: "/segments/new",
    "crm.organization": lambda house: f"/organizations/{house.organization}",
    "crm.organization_history": lambda house: f"/organizations/{house.organization}/history",
    "crm.organizations": lambda house: "/organizations",
    "crm.promise_list": lambda house: "/promises?whose=all",
    "crm.segment": lambda house: f"/segments/{house.segment}",
    "crm.segment_list": lambda house: "/segments",
    "crm.show_import": lambda house: f"/customers/imports/{house.run}",
    "crm.unknown_callers": lambda house: "/customers/unknown",
    "worth.retention": lambda house: "/retention",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    desk = RunningDesk(tmp_path_factory.mktemp("customers"))
    desk.prepare()
    made = House(desk)
    with started(desk):
        yield made


def test_every_address_about_customers_is_a_page_looked_at_here_or_says_why_not(house: House) -> None:
    app = house.desk.app
    known = {
        rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())
        and (rule.endpoint.split(".")[0] in DOORS or app.view_functions[rule.endpoint].__module__ in SETTINGS)
    }  # fmt: skip
    assert known == PAGES.keys() | NO_PAGES.keys()


@pytest.mark.parametrize("language", ["en", "ru"])
def test_each_page_is_walked_by_keyboard_and_pleases_axe(chromium: Any, house: House, language: str) -> None:
    """In English with every rule and the keyboard, and small and dark; in Russian for what its longer words need."""
    faults: list[str] = []
    contexts, tabs = [], {}
    for user in (house.people.dana, house.people.ada):
        contexts.append(chromium.new_context(locale="en-US" if language == "en" else "ru-RU"))
        contexts[-1].add_cookies([house.desk.cookie(user)])
        tabs[user] = contexts[-1].new_page()
        axe.listen(tabs[user], faults)
    try:
        for endpoint, path in PAGES.items():
            tab = tabs[house.people.ada if endpoint.startswith("admin.") else house.people.dana]
            address = house.desk.base + path(house)
            if language == "en":
                found = walking.faults(tab, address, WIDE, SMALL, keyboard=[WIDE])
            else:
                found = walking.faults_of_words(tab, address, language, SMALL)
            faults += [f"{endpoint}: {fault}" for fault in found]
    finally:
        for context in contexts:
            context.close()
    assert not faults, "\n".join(faults)
