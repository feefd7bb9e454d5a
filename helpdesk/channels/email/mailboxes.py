"""Mail as it lies on disk: maildir, mbox, single files, folders of any of them. The importer reads through here, one mail at a time.

A pass over the headers finds each mail's place and date, so that answers come after what they answer; the second pass reads them. Memory
holds one mail and a line per mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

#: Endings of files that are mail inside a folder; anything may be named directly.
ENDINGS = (".eml", ".box", ".mbox", ".mbx", ".mail")
#: Endings of files that are one mail each, whatever lines stand inside.
SINGLE = (".eml", ".box", ".mail")
MAILDIR = ("cur", "new")

_SEPARATOR = re.compile(rb"From \S+.*\d\d?:\d\d")
_DATE = re.compile(rb"(?im)^date:[ \t]*([^\r\n]{6,80})")
_STUFFED = re.compile(rb"(?m)^>(>*From )")
_PEEK = 64 * 1024


@dataclass(frozen=True)
class Place:
    """Where one mail lies: a file, or a stretch of one. `at`: its own claim when it was sent, in seconds since 1970; for sorting only."""

    path: Path
    start: int
    size: int
    stuffed: bool
    at: float
    name: str


def find(path: Path) -> list[Place]:
    """Every mail under a path, the oldest first. Raises FileNotFoundError, and ValueError for a folder without mail."""
    if not path.exists():
        raise FileNotFoundError(path)
    places = list(_in_folder(path) if path.is_dir() else _in_file(path, path.name))
    if not places and path.is_dir():
        raise ValueError(f"{path} holds no mail: neither a maildir nor files ending in {', '.join(ENDINGS[:4])}")
    return sorted(places, key=lambda place: (place.at, str(place.path), place.start))


def read(place: Place) -> bytes:
    """The mail's bytes as they were before they were put into the mailbox."""
    with place.path.open("rb") as file:
        file.seek(place.start)
        raw = file.read(place.size)
    return _STUFFED.sub(rb"\1", raw) if place.stuffed else raw


def _in_folder(folder: Path) -> Iterator[Place]:
    if any((folder / part).is_dir() for part in MAILDIR):
        for part in MAILDIR:
            for file in sorted((folder / part).glob("*")):
                if file.is_file() and not file.name.startswith("."):
                    yield _whole(file, f"{part}/{file.name}")
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name not in (*MAILDIR, "tmp"):
            yield from (_named(place, entry.name) for place in _in_folder(entry))
        elif entry.is_file() and entry.suffix.lower() in ENDINGS:
            yield from _in_file(entry, entry.name)


def _in_file(path: Path, name: str) -> Iterator[Place]:
    with path.open("rb") as file:
        mbox = file.read(5) == b"From " and path.suffix.lower() not in SINGLE
    yield from _in_mbox(path, name) if mbox else [_whole(path, name)]


def _whole(path: Path, name: str) -> Place:
    """A file that is one mail; a separator line that a mailbox left at its top is not part of it."""
    with path.open("rb") as file:
        head = file.read(_PEEK)
    begin = head.find(b"\n") + 1 if head.startswith(b"From ") else 0
    return Place(path, begin, path.stat().st_size - begin, False, _sent_at(head), name)


def _in_mbox(path: Path, name: str) -> Iterator[Place]:
    """The mails of an mbox: each begins after a line "From address date" that follows an empty one (mboxrd: ">From " inside is undone)."""
    start, position, empty = -1, 0, True
    head = b""
    found: list[tuple[int, int, float]] = []
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(1 << 16), b""):
            begins = empty and line.startswith(b"From ") and (start < 0 or _SEPARATOR.match(line) is not None)
            if begins:
                if start >= 0:
                    found.append((start, position - start, _sent_at(head)))
                start, head = position + len(line), b""
            elif len(head) < _PEEK:
                head += line
            empty = line in (b"\n", b"\r\n")
            position += len(line)
        if start >= 0:
            found.append((start, position - start, _sent_at(head)))
    for number, (begin, size, at) in enumerate(found, 1):
        yield Place(path, begin, size, True, at, name if len(found) == 1 else f"{name}#{number}")


def _named(place: Place, folder: str) -> Place:
    return Place(place.path, place.start, place.size, place.stuffed, place.at, f"{folder}/{place.name}")


def _sent_at(head: bytes) -> float:
    """What the Date header claims; 0 when it cannot be read, so that the order of files decides."""
    found = _DATE.search(head.partition(b"\n\n")[0] if b"\n\n" in head else head)
    if found is None:
        return 0.0
    try:
        return parsedate_to_datetime(found[1].decode("ascii", "replace").strip()).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return 0.0
