"""Where gevent serves, a file that waits for the disk keeps nobody else waiting; inside a transaction everybody waits anyway."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent import get_hub, monkey

from helpdesk import db, files


@pytest.fixture
def synced_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The threads in which the disk was waited for, as a process that serves does it."""
    threads: list[int] = []
    sync = os.fsync

    def noting(handle: int) -> None:
        threads.append(threading.get_ident())
        sync(handle)

    monkeypatch.setattr(monkey, "is_module_patched", lambda _name: True)
    monkeypatch.setattr(os, "fsync", noting)
    yield threads
    get_hub().destroy(destroy_loop=True)


def test_a_file_is_synced_beside_everybody_else(tmp_path: Path, synced_in: list[int]) -> None:
    store = files.Store(tmp_path)
    assert store.read(store.put(b"a mail").key) == b"a mail"
    assert len(synced_in) == 2 and threading.get_ident() not in synced_in, "the bytes and their name"


def test_inside_a_transaction_nobody_else_gets_a_turn(tmp_path: Path, synced_in: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "in_transaction", lambda: True)
    files.Store(tmp_path).put(b"a mail")
    assert synced_in == [threading.get_ident()] * 2
