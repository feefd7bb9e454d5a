"""A whole desk for a test: real database (each engine), real templates, real index, a stopped clock if asked for.

The schema is migrated once per run (for PostgreSQL once per test process) and the company of tests/people.py moves in; each test gets
its own copy. The application itself, which takes longer to build than most tests to run, stands through the run and moves from one copy
to the next.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from helpdesk import clock, config, db, files, live, schema, worker
from helpdesk.app import Desk, create_app, limiter
from helpdesk.auth import User
from helpdesk.config import Settings
from tests import people, samples
from tests.servers import PostgresServer

STOPPED_AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


@dataclass
class TestDesk:
    """An application with its company, ready to be used as a person, a program or a mail server would."""

    __test__ = False

    app: Desk
    settings: Settings
    people: people.Company

    def work(self, *, patience_s: float = 30.0) -> int:
        """Run every delivery that is due."""
        with self.app.app_context():
            return worker.work_off(patience_s=patience_s)

    def client(self, user: int | None = None) -> FlaskClient:
        """A browser; signed in as `user` if given."""
        client = self.app.test_client()
        if user is not None:
            with db.read() as session:
                name = session.get_one(User, user).fs_uniquifier
            with client.session_transaction() as session_:
                session_["_user_id"], session_["_fresh"] = name, True
        return client


@dataclass(frozen=True)
class Template:
    """A migrated database: a path for SQLite, a URL for PostgreSQL. `people` live in it, unless it is empty.

    A test gets a copy, except of PostgreSQL's with people in it: making a database there takes ten times as long as putting back the
    rows of the one that stands.
    """

    place: str
    people: people.Company | None = None


def _made(url: str, place: str, *, inhabited: bool) -> Template:
    db.connect(url)
    schema.upgrade()
    company = None
    if inhabited:
        create_app(config.load({"HELPDESK_DATA": tempfile.gettempdir(), "DATABASE_URL": url, "SECRET_KEYS": "k" * 40}))
        with clock.frozen(STOPPED_AT), db.transaction():
            company = people.company()
    db.disconnect()
    return Template(place, company)


def _sqlite(path: Path, *, inhabited: bool) -> Template:
    return _made(f"sqlite:///{path}", str(path), inhabited=inhabited)


@pytest.fixture(scope="session")
def templates(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Template]:
    """What to copy for an engine, empty or with the company in it; made when it is first asked for."""

    @lru_cache
    def of(engine: str, inhabited: bool) -> Template:
        if engine == "sqlite":
            name = "inhabited" if inhabited else "empty"
            _folder, kept = samples.made_once(tmp_path_factory, name, lambda folder: _sqlite(folder / "helpdesk.db", inhabited=inhabited))
            return kept  # type: ignore[no-any-return]
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.create()
        made = _made(url, url, inhabited=inhabited)
        if inhabited:
            server.keep(url)
        return made

    return of


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which database this test runs on; tests that ask for a desk run on both."""
    return str(request.param)


@pytest.fixture
def template(engine: str, templates: Callable[[str, bool], Template], request: pytest.FixtureRequest) -> Template:
    """What this test's database is a copy of: people live in it when the test asks for a desk."""
    return templates(engine, "desk" in request.fixturenames)


@pytest.fixture
def settings(engine: str, template: Template, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    environ = {"HELPDESK_DATA": str(tmp_path / "data"), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40}
    if engine == "sqlite":
        (tmp_path / "data").mkdir()
        shutil.copy(template.place, tmp_path / "data" / "helpdesk.db")
        yield config.load(environ)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    if template.people:
        server.put_back(template.place)
        yield replace(config.load({**environ, "DATABASE_URL": template.place}), pool_size=5)
        db.disconnect()
        return
    url = server.create(template.place.rsplit("/", 1)[1].split("?")[0])
    yield replace(config.load({**environ, "DATABASE_URL": url}), pool_size=5)
    db.disconnect()
    server.drop(url)


class Standing:
    """The application that stands through the run. It is built anew for settings that go into its making, and after a test that built
    one of its own: what a process has once, its sockets, then belongs to that one.
    """

    def __init__(self) -> None:
        self._plan: Settings | None = None
        self._app: Desk | None = None
        #: Per engine: SQL compiled from statements is kept with the dialect it is for.
        self._compiled: dict[str, Engine] = {}
        #: Per database on PostgreSQL, which is put back and not copied: connections that know its tables, for the next test.
        self._connected: dict[str, Engine] = {}

    def move(self, settings: Settings) -> Desk:
        """The application, serving the desk of these settings."""
        plan = replace(settings, data=Path(), database_url="", pool_size=0)
        if self._app is None or plan != self._plan or live.application() is not self._app:
            self._app, self._plan = create_app(settings), plan
        else:
            self._connect(settings)
            files.use(settings.data / "files")
        self._app.config["HELPDESK"] = settings
        limiter.reset()
        for name in [name for name in self._app.extensions if name.startswith("kb-")]:
            del self._app.extensions[name]
        engine = db.engine()
        first = self._compiled.setdefault(engine.name, engine)
        engine.dialect = engine.pool._dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
        if not settings.sqlite:
            self._connected.setdefault(settings.database_url, engine)
        return self._app

    def leave(self) -> None:
        """The test is over: its connections wait for the next one on the same database, or close."""
        if any(kept in (db._engine, getattr(db._engine, "_proxied", None)) for kept in self._connected.values()):
            db._engine = db._looking = None
        db.disconnect()

    def _connect(self, settings: Settings) -> None:
        if settings.database_url in self._connected:
            db.disconnect()
            # Another engine on the same connections: who listens to it, and what is remembered of its database, is of this test alone.
            db._engine, db._writing = self._connected[settings.database_url].execution_options(), threading.RLock()
        else:
            db.connect(settings.database_url, pool_size=settings.pool_size)


@pytest.fixture(scope="session")
def standing() -> Standing:
    return Standing()


@pytest.fixture
def desk(settings: Settings, template: Template, standing: Standing) -> Iterator[TestDesk]:
    """A desk with everybody of tests/people.py, nobody available yet."""
    assert template.people
    yield TestDesk(standing.move(settings), settings, replace(template.people))
    worker.employ(None)
    live.forget_watchers()
    standing.leave()


@pytest.fixture
def stopped() -> Iterator[clock.Hand]:
    """A stopped clock: Monday, 2026-03-02, 10:00 UTC. `stopped.move(minutes=5)` advances it."""
    with clock.frozen(STOPPED_AT) as hand:
        yield hand
