"""What a restore does not trust: an archive cut off, altered, added to, or of a newer version. It changes nothing then."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from helpdesk import config, db, schema
from helpdesk.backup import archive, restoring
from helpdesk.backup.archive import Manifest, Unusable
from helpdesk.backup.restoring import Refused
from helpdesk.backup.tables import Table, Written
from helpdesk.config import Settings

ROWS = "".join(f"{number}\tOdd characters {hashlib.sha256(str(number).encode()).hexdigest()}\n" for number in range(500)).encode()
FILE = hashlib.sha512(b"a file").digest() * 100


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return config.load({"HELPDESK_DATA": str(tmp_path / "new"), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40})


@pytest.fixture
def good(tmp_path: Path) -> Path:
    manifest = Manifest(version="0", schema=str(schema.newest()), engine="sqlite", taken_at="2026-03-02T10:00:00+00:00")
    manifest.add(Table("ticket", (("id", "int"), ("subject", "text")), ("id",)), Written(500, hashlib.sha256(ROWS).hexdigest()))
    manifest.files["0123456789abcdef"] = (len(FILE), hashlib.sha256(FILE).hexdigest())
    with archive.writing(tmp_path / "desk.tar.gz") as writer:
        writer.add("tables/ticket.copy", io.BytesIO(ROWS), len(ROWS))
        writer.add("files/0123456789abcdef", io.BytesIO(FILE), len(FILE))
        writer.finish(manifest)
    return tmp_path / "desk.tar.gz"


def members(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        return [(entry.name, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]


def pack(path: Path, content: list[tuple[str, bytes]]) -> Path:
    with archive.writing(path) as writer:
        for name, data in content:
            writer.add(name, io.BytesIO(data), len(data))
    return path


def refuse(settings: Settings, source: Path) -> str:
    """The words of the refusal; nothing may be left behind."""
    before = sorted(path.name for path in settings.data.iterdir())
    db.disconnect()
    with pytest.raises((Unusable, Refused)) as wrong:
        restoring.restore(settings, source, force=False, say=lambda _words: None)
    assert sorted(path.name for path in settings.data.iterdir()) == before
    return str(wrong.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_an_archive_cut_off_anywhere_is_refused(good: Path, settings: Settings, share: float) -> None:
    whole = good.read_bytes()
    good.write_bytes(whole[: int(len(whole) * share)])
    assert "cut off" in refuse(settings, good)


def test_a_single_changed_byte_anywhere_is_refused(good: Path, settings: Settings) -> None:
    whole = good.read_bytes()
    for place in range(20, len(whole), len(whole) // 12):
        altered = bytearray(whole)
        altered[place] ^= 0x20
        good.write_bytes(bytes(altered))
        refuse(settings, good)


def test_an_archive_whose_rows_were_edited_is_refused_by_its_hash(good: Path, settings: Settings) -> None:
    edited = [(name, data.replace(b"Odd", b"Own") if name == "tables/ticket.copy" else data) for name, data in members(good)]
    assert "tables/ticket.copy was altered" in refuse(settings, pack(good, edited))


def test_a_missing_or_an_additional_part_is_refused(good: Path, settings: Settings, tmp_path: Path) -> None:
    content = members(good)
    fewer = [(name, data) for name, data in content if not name.startswith("files/")]
    assert "not what its manifest says" in refuse(settings, pack(tmp_path / "fewer.tar.gz", fewer))
    more = [("files/fedcba9876543210", b"smuggled"), *content]
    assert "not what its manifest says" in refuse(settings, pack(tmp_path / "more.tar.gz", more))


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "files/../../outside", "tables/../x.copy", "helpdesk.db"])
def test_names_that_lead_elsewhere_are_refused(good: Path, settings: Settings, tmp_path: Path, name: str) -> None:
    assert "does not hold" in refuse(settings, pack(tmp_path / "evil.tar.gz", [(name, b"x"), *members(good)]))
    assert not (tmp_path / "outside").exists()


def test_links_and_other_archives_are_refused(settings: Settings, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("files/0123456789abcdef")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert "does not hold" in refuse(settings, tmp_path / "link.tar.gz")
    (tmp_path / "no.tar.gz").write_bytes(b"this is not an archive")
    assert "cut off or damaged" in refuse(settings, tmp_path / "no.tar.gz")
    (tmp_path / "empty.tar.gz").write_bytes(gzip.compress(b"\0" * 10240))
    assert "no manifest" in refuse(settings, tmp_path / "empty.tar.gz")


@pytest.mark.parametrize(("field", "value", "words"), [("schema", "9999", "newer"), ("format", 99, "newer version")])
def test_a_backup_of_a_newer_version_is_refused(good: Path, settings: Settings, field: str, value: object, words: str) -> None:
    *content, (name, text) = members(good)
    changed = json.dumps({**json.loads(text), field: value}).encode()
    assert words in refuse(settings, pack(good, [*content, (name, changed)]))


def test_what_was_not_tampered_with_is_laid_out_whole(good: Path, tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    manifest = archive.unpack(good, tmp_path / "staging", lambda _words: None)
    assert (tmp_path / "staging" / "tables" / "ticket.copy").read_bytes() == ROWS
    assert (tmp_path / "staging" / "files" / "01" / "0123456789abcdef").read_bytes() == FILE
    assert manifest.rows == 500 and manifest.table("ticket").columns == (("id", "int"), ("subject", "text"))


def test_the_archive_is_for_its_owner_alone(good: Path) -> None:
    assert good.stat().st_mode & 0o777 == 0o600
