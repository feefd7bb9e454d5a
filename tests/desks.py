"""A whole desk for a test: real database (each engine), real templates, real index, a stopped clock if asked for.

The schema is migrated once per run and engine; each test gets its own copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache

from helpdesk import clock, config, db, live, schema, worker
from helpdesk.app import Desk, create_app
from helpdesk.auth import User
from helpdesk.config import Settings
from tests import people
from tests.servers import PostgresServer

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


@dataclass
class TestDesk:
    """An application with its company, ready to be used as a person, a program or a mail server would."""

    __test__ = False

    app: Desk
    settings: Settings
    people: people.Company

    def work(self) -> int:
        """Run every delivery that is due."""
        with self.app.app_context():
            return worker.work_off()

    def client(self, user: int | None = None) -> FlaskClient:
        """A browser; signed in as `user` if given."""
        client = self.app.test_client()
        if user is not None:
            with db.read() as session:
                name = session.get_one(User, user).fs_uniquifier
            with client.session_transaction() as session_:
                session_["_user_id"], session_["_fresh"] = name, True
        return client


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "helpdesk.db"
    db.connect(f"sqlite:///{path}")
    schema.upgrade()
    db.disconnect()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    url = postgres_server.create()
    db.connect("postgresql+psycopg" + url[url.index(":") :])
    schema.upgrade()
    db.disconnect()
    return url


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which database this test runs on; tests that ask for a desk run on both."""
    return str(request.param)


@pytest.fixture
def settings(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    environ = {"HELPDESK_DATA": str(tmp_path / "data"), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40}
    if engine == "sqlite":
        (tmp_path / "data").mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "data" / "helpdesk.db")
        yield config.load(environ)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("postgres_template")
    url = server.create(template.rsplit("/", 1)[1].split("?")[0])
    yield replace(config.load({**environ, "DATABASE_URL": url}), pool_size=5)
    db.disconnect()
    server.drop(url)


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Each test has its own application; compiling the templates anew for each would take longer than most tests."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def desk(settings: Settings, compiled_templates: FileSystemBytecodeCache) -> Iterator[TestDesk]:
    """A desk with everybody of tests/people.py, nobody available yet."""
    app = create_app(settings)
    app.config["TESTING"] = False
    app.jinja_env.bytecode_cache = compiled_templates
    with db.transaction():
        made = people.company()
    yield TestDesk(app, settings, made)
    worker.employ(None)
    live.forget_watchers()
    db.disconnect()


@pytest.fixture
def stopped() -> Iterator[clock.Hand]:
    """A stopped clock: Monday, 2026-03-02, 10:00 UTC. `stopped.move(minutes=5)` advances it."""
    with clock.frozen(datetime(2026, 3, 2, 10, tzinfo=UTC)) as hand:
        yield hand
