"""Attachments and raw mails on disk, under random names. The name a sender gave is only metadata in the database.

A file is complete or absent: it is written beside its place, synced, then moved there. Seam: a desk on several hosts mounts one folder
for all of them, or replaces this module's `Store` by one over an object store.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from helpdesk import db
from helpdesk.errors import NotFound, TooLarge, Unavailable


@dataclass(frozen=True)
class Stored:
    """What was kept: its random key, size in bytes and SHA-256."""

    key: str
    size: int
    sha256: str


class Store:
    """A folder of objects, two levels deep so that no folder grows without bound."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes | BinaryIO, *, limit: int | None = None) -> Stored:
        """Keep content and return its key once it is durable.

        Raises TooLarge beyond `limit` bytes and Unavailable when the disk is full or broken; nothing half-written stays.
        """
        key = secrets.token_hex(20)
        path = self._path(key)
        aside = path.with_suffix(".part")
        digest, size = hashlib.sha256(), 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("xb") as file:
                for chunk in _chunks(content):
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise TooLarge
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                _sync(file.fileno())
            aside.rename(path)
            _sync_folder(path.parent)
        except OSError as wrong:
            aside.unlink(missing_ok=True)
            full = wrong.errno in (errno.ENOSPC, errno.EDQUOT)
            raise Unavailable("the disk is full; nothing was saved" if full else "the disk cannot be written; nothing was saved") from wrong
        except TooLarge:
            aside.unlink(missing_ok=True)
            raise
        return Stored(key, size, digest.hexdigest())

    def read(self, key: str) -> bytes:
        """The whole object. Raises NotFound."""
        with self.open(key) as file:
            return file.read()

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError:
            raise NotFound from None

    def path(self, key: str) -> Path:
        """Where the object lies, for streaming it out. Raises NotFound."""
        path = self._path(key)
        if not path.is_file():
            raise NotFound
        return path

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """Every complete object's key."""
        if self.folder.is_dir():
            for path in self.folder.glob("??/*"):
                if not path.suffix:
                    yield path.name

    def _path(self, key: str) -> Path:
        if not key.isalnum() or len(key) < 8:
            raise NotFound
        return self.folder / key[:2] / key


def _sync_folder(folder: Path) -> None:
    """The name itself must survive a power cut, not only the bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _sync(handle)
    finally:
        os.close(handle)


def _sync(handle: int) -> None:
    """Wait for the disk. Where gevent serves, in a thread of its hub's, so that everybody else goes on; never inside a transaction, for
    whose end they would wait.
    """
    if "gevent" in sys.modules and not db.in_transaction():
        from gevent import get_hub, monkey

        if monkey.is_module_patched("threading"):
            get_hub().threadpool.apply(os.fsync, (handle,))
            return
    os.fsync(handle)


def _chunks(content: bytes | BinaryIO, size: int = 1 << 18) -> Iterable[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    while chunk := content.read(size):
        yield chunk


_store: Store | None = None


def use(folder: Path) -> Store:
    """Bind this process to its store; called by the factory."""
    global _store
    _store = Store(folder)
    return _store


def drop(keys: Iterable[str]) -> None:
    """Delete many objects; those that are gone already are no matter."""
    for key in keys:
        store().delete(key)


def store() -> Store:
    if _store is None:
        raise Unavailable("no file store is configured")
    return _store
