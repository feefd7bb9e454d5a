"""The backup's file: a .tar.gz with every table as text, every file that the rows point at, and a manifest that knows the hash of each.

The manifest comes last, so a cut-off archive has none. Nothing is believed before everything was read and compared; names inside the
archive never become paths by themselves.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from helpdesk.backup.tables import Table, Written

FORMAT = 1
MANIFEST = "manifest.json"
SECRET = "secret"
#: Fast rather than small: attachments are compressed already.
_LEVEL = 3
_TABLE = re.compile(r"tables/([a-z_]{1,60})\.copy")
_FILE = re.compile(r"files/([0-9a-z]{8,64})")
_CHUNK = 1 << 20


class Unusable(Exception):
    """An archive that must not be restored: not one of ours, cut off, altered, or from a newer version. Its text is for people."""


@dataclass
class Manifest:
    """What the archive holds. `files`: key → [size, sha256]; `missing`: files that were gone when the backup was taken."""

    version: str
    schema: str
    engine: str
    taken_at: str
    format: int = FORMAT
    ticket_number: int = 0
    secret: str = ""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, table: Table, written: Written) -> None:
        self.tables[table.name] = {"rows": written.rows, "sha256": written.sha256, "columns": table.columns, "key": table.key}

    def table(self, name: str) -> Table:
        said = self.tables[name]
        return Table(name, tuple((column, kind) for column, kind in said["columns"]), tuple(said["key"]))

    @property
    def rows(self) -> int:
        return sum(int(table["rows"]) for table in self.tables.values())


# --- writing -------------------------------------------------------------------------------------------------------------


class Writer:
    """An archive being written beside its place; see `writing`."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, content: BinaryIO, size: int) -> None:
        """Add a member of a known size. Raises OSError when the content is shorter."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        self._tar.addfile(entry, content)

    def finish(self, manifest: Manifest) -> None:
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
        self.add(MANIFEST, io.BytesIO(text), len(text))


@contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """Write an archive: complete and synced at its place at the end, or not there at all. Only its owner can read it."""
    aside = target.with_name(target.name + ".part")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_LEVEL) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                yield Writer(tar)
            raw.flush()
            os.fsync(raw.fileno())
        aside.replace(target)
        sync_folder(target.parent)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading -------------------------------------------------------------------------------------------------------------


def unpack(source: Path, staging: Path, say: Callable[[str], None]) -> Manifest:
    """Lay the archive's contents into an empty folder and check every one of them against the manifest.

    Tables become `tables/<name>.copy`, files `files/<two letters>/<key>`. Raises Unusable; then the folder's content means nothing.
    """
    found: dict[str, tuple[int, str]] = {}
    manifest: Manifest | None = None
    try:
        with gzip.open(source) as packed:
            with tarfile.open(fileobj=packed, mode="r|") as tar:
                for entry in tar:
                    content = tar.extractfile(entry) if entry.isreg() else None
                    if manifest is not None or content is None or entry.name in found:
                        raise Unusable("it holds something that a backup does not hold.")
                    if entry.name == MANIFEST:
                        manifest = _manifest(content.read(1 << 30))
                        continue
                    found[entry.name] = _lay(content, _place(staging, entry.name))
                    if len(found) % 1000 == 0:
                        say(f"{len(found)} parts read")
            while packed.read(_CHUNK):  # the checksum stands at the very end
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as wrong:
        raise Unusable(f"it is cut off or damaged ({wrong or type(wrong).__name__}).") from wrong
    if manifest is None:
        raise Unusable("it has no manifest at its end: it is cut off, or no backup of a desk.")
    _compare(manifest, found)
    return manifest


def _place(staging: Path, name: str) -> Path:
    """Where a member is laid; nothing but what a backup holds has a place."""
    if _TABLE.fullmatch(name) or name == SECRET:
        return staging / name
    if match := _FILE.fullmatch(name):
        return staging / "files" / match[1][:2] / match[1]
    raise Unusable(f"it holds something that a backup does not hold ({name[:80]!r}).")


def _lay(content: BinaryIO | Any, place: Path) -> tuple[int, str]:
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _manifest(text: bytes) -> Manifest:
    try:
        said = json.loads(text)
        if said.get("format") != FORMAT:
            raise Unusable(f"its format is {said.get('format')!r}, this version reads {FORMAT}: it was made by a newer version.")
        return Manifest(**said)
    except (ValueError, TypeError, AttributeError) as wrong:
        raise Unusable("its manifest cannot be read.") from wrong


def _compare(manifest: Manifest, found: dict[str, tuple[int, str]]) -> None:
    wanted = {f"tables/{name}.copy": str(table["sha256"]) for name, table in manifest.tables.items()}
    wanted |= {f"files/{key}": sha256 for key, (_size, sha256) in manifest.files.items()}
    if manifest.secret:
        wanted[SECRET] = manifest.secret
    if wanted.keys() != found.keys():
        odd = sorted(wanted.keys() ^ found.keys())
        raise Unusable(f"its content is not what its manifest says: {odd[0]}{' and others' if len(odd) > 1 else ''}.")
    for name, sha256 in wanted.items():
        if found[name][1] != sha256:
            raise Unusable(f"{name} was altered: its hash is not the one in the manifest.")
