"""An engine over the shelf of shelves.py, its index in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpdesk.kb.engine import Engine
from helpdesk.kb.index import Index
from tests.unit.kb.shelves import ALL, Shelf


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(*ALL)


@pytest.fixture
def folder(tmp_path: Path, shelf: Shelf) -> Path:
    Index(tmp_path / "kb").rebuild(shelf.all(), shelf.revision())
    return tmp_path / "kb"


@pytest.fixture
def engine(folder: Path, shelf: Shelf) -> Engine:
    return Engine(folder, shelf)
