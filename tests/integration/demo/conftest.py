"""A seeded sample company, small enough to be made within a few seconds; made once per module."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from helpdesk import config, db
from helpdesk.app import Desk, create_app
from helpdesk.config import Settings
from helpdesk.demo import seed
from tests.desks import Template

TICKETS = 80


@dataclass
class Sample:
    """A desk with the sample company in it."""

    app: Desk
    settings: Settings
    made: seed.Seeded


@pytest.fixture(scope="module")
def sample(templates: Callable[[str, bool], Template], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    data = tmp_path_factory.mktemp("demo")
    shutil.copy(templates("sqlite", False).place, data / "helpdesk.db")
    settings = config.load({"HELPDESK_DATA": str(data), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40})
    app = create_app(settings)
    with app.app_context():
        made = seed.fill(lambda _done: None, tickets=TICKETS)
    yield Sample(app, settings, made)
    db.disconnect()
