"""A seeded sample company, small enough to be made within a few seconds; made once per run, copied for each module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from helpdesk import config, db
from helpdesk.app import Desk, create_app
from helpdesk.config import Settings
from helpdesk.demo import seed
from tests import samples
from tests.desks import Template


@dataclass
class Sample:
    """A desk with the sample company in it."""

    app: Desk
    settings: Settings
    made: seed.Seeded


@pytest.fixture(scope="module")
def sample(templates: Callable[[str, bool], Template], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    data = tmp_path_factory.mktemp("demo")
    made = samples.company(tmp_path_factory, templates, data)
    settings = config.load({"HELPDESK_DATA": str(data), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40})
    yield Sample(create_app(settings), settings, made)
    db.disconnect()
