"""Desks whose customers have bought, made once per engine; each test begins with a copy.

A test says by its fixture what must have happened: they `bought`, their worth was `valued` too, or they `lived` (tickets, promises, people
known twice) and were valued then.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache

import pytest
from sqlalchemy import select

from helpdesk import clock, config, db
from helpdesk.actor import Actor
from helpdesk.app import create_app
from helpdesk.crm.models import Contact
from helpdesk.preferences import prefer
from tests import samples
from tests.desks import STOPPED_AT, Template, TestDesk
from tests.integration.worth import sample
from tests.people import Company
from tests.servers import PostgresServer

STORIES = ("bought", "valued", "lived")


def tell(story: str, company: Company) -> None:
    """Let it happen on the connected desk."""
    with clock.frozen(STOPPED_AT):
        with db.transaction():
            prefer(rates="USD 0.9", minute_cents=80, winning_cents=500, reply_s=240)
            made = sample.customers()
            if story == "lived":
                sample.lives(made, inbox=company.mail, by=Actor("user", company.dana))
        if story != "bought":
            sample.computed()


@pytest.fixture(scope="session")
def stories(
    request: pytest.FixtureRequest, templates: Callable[[str, bool], Template], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Template]:
    """What to copy for an engine and a story."""

    def tell_there(story: str, url: str, company: Company) -> None:
        create_app(config.load({"HELPDESK_DATA": tempfile.gettempdir(), "DATABASE_URL": url, "SECRET_KEYS": "k" * 40}))
        tell(story, company)
        db.disconnect()

    @lru_cache
    def of(engine: str, story: str) -> Template:
        base = templates(engine, True)
        company = base.people
        assert company
        if engine == "sqlite":
            folder, _ = samples.made_once(
                tmp_path_factory, story, lambda new: tell_there(story, f"sqlite:///{shutil.copy(base.place, new / 'desk.db')}", company)
            )
            return Template(str(folder / "desk.db"), company)
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.put_back(base.place)
        url = server.create(base.place.rsplit("/", 1)[1])
        server.forget(url)
        tell_there(story, url, company)
        server.keep(url)
        return Template(url, company)

    return of


@pytest.fixture
def template(
    engine: str, templates: Callable[[str, bool], Template], stories: Callable[[str, str], Template], request: pytest.FixtureRequest
) -> Template:
    """What this test's database is a copy of."""
    for story in STORIES:
        if story in request.fixturenames:
            return stories(engine, story)
    return templates(engine, "desk" in request.fixturenames)


@pytest.fixture
def bought(desk: TestDesk, stopped: clock.Hand) -> list[int]:
    """Customers who bought, by their ids."""
    return customers()


@pytest.fixture
def valued(desk: TestDesk, stopped: clock.Hand) -> list[int]:
    """Customers who bought and whose worth was computed, by their ids."""
    return customers()


@pytest.fixture
def lived(desk: TestDesk, stopped: clock.Hand) -> list[int]:
    """Customers with whom all that can stand on a page has happened, by their ids; without those who were found to be somebody else."""
    with db.read() as session:
        alone = Contact.id.in_(customers()), Contact.merged_into_id.is_(None)
        return list(session.scalars(select(Contact.id).where(*alone).order_by(Contact.id)))


def customers() -> list[int]:
    with db.read() as session:
        return list(session.scalars(select(Contact.id).where(Contact.name.startswith("Customer ")).order_by(Contact.id)))
