"""Databases that take seconds to make, made once per run: the first test process that needs one makes it, the others wait and copy.

A sample is a folder; what its maker wants to be remembered about it is kept beside it.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from helpdesk import config, db
from helpdesk.app import create_app
from helpdesk.demo import seed

if TYPE_CHECKING:
    from tests.desks import Template

#: How many tickets the sample company has in tests.
TICKETS = 80
PATIENCE_S = 150


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> tuple[Path, Any]:
    """The folder `name` as `make` filled it, and what `make` answered. Look at it and copy it; never change it."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # workers' folders lie side by side in the run's
        place = place.parent
    folder, kept = place / f"sample-{name}", place / f"sample-{name}.pickle"
    with FileLock(f"{kept}.lock", timeout=PATIENCE_S):
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            kept.write_bytes(pickle.dumps(make(folder)))
    return folder, pickle.loads(kept.read_bytes())


def company(factory: pytest.TempPathFactory, templates: Callable[[str, bool], Template], into: Path) -> seed.Seeded:
    """Copy the desk of the sample company into a folder: a SQLite database `helpdesk.db` and what lies beside it."""

    def make(folder: Path) -> seed.Seeded:
        shutil.copy(templates("sqlite", False).place, folder / "helpdesk.db")
        settings = config.load({"HELPDESK_DATA": str(folder), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40})
        with create_app(settings).app_context():
            made = seed.fill(lambda _done: None, tickets=TICKETS)
        db.disconnect()
        return made

    folder, made = made_once(factory, "company", make)
    shutil.copytree(folder, into, dirs_exist_ok=True)
    return made  # type: ignore[no-any-return]
