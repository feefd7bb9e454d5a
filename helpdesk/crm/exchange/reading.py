"""A file of customers as rows of text, whatever program wrote it: CSV in the usual encodings and delimiters, Excel, vCard.

Nothing here knows what a column means (`columns`) or touches the database (`importing`). Files are read row by row, never whole, but for
vCards; what cannot be read at all raises Invalid with a sentence for whoever uploaded it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _

from helpdesk.crm.exchange import vcards
from helpdesk.errors import Invalid

ENCODINGS = ("utf-8", "cp1251", "cp1252", "utf-16", "koi8-r")
DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 256 * 1024
MOST_COLUMNS = 300
#: An Excel file is a zip; one that unpacks to more than this is a bomb or no list of customers.
MOST_UNPACKED = 600 * 2**20
LONGEST_CELL = 20_000
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Shape:
    """What a file is. `kind`: csv, xlsx or vcard; encoding and delimiter only for CSV."""

    kind: str
    encoding: str = ""
    delimiter: str = ""


def sniff(path: Path) -> Shape:
    """Find out what a file is by its content; its name says nothing. Raises Invalid for an empty or unreadable one."""
    with path.open("rb") as file:
        head = file.read(SAMPLE)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf"):
        raise Invalid(fields={"file": _("This file is empty.")})
    if head.startswith(b"PK\x03\x04"):
        return Shape("xlsx")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Invalid(fields={"file": _("This is an old Excel file. Save it as .xlsx or CSV first.")})
    encoding = _encoding(path, head)
    text = head.decode(encoding, "ignore").lstrip("\ufeff \r\n")
    if text[:11].upper() == "BEGIN:VCARD":
        return Shape("vcard", encoding)
    return Shape("csv", encoding, _delimiter(text))


def rows(path: Path, shape: Shape) -> Iterator[list[str]]:
    """The header, then each row, as trimmed text; rows without any text are left out. Raises Invalid where the file breaks off."""
    found = {"xlsx": _excel, "vcard": _cards, "csv": _csv}[shape.kind](path, shape)
    header = next(found, None)
    if header is None:
        raise Invalid(fields={"file": _("This file is empty.")})
    while header and not header[-1]:
        header.pop()
    if not header or len(header) > MOST_COLUMNS:
        raise Invalid(fields={"file": _("The first row must name the columns; there can be at most %(n)s.", n=MOST_COLUMNS)})
    yield _names(header)
    for row in found:
        while row and not row[-1]:
            row.pop()
        if row:
            yield row


def _names(header: list[str]) -> list[str]:
    """Column names without doubles: the second Phone becomes Phone (2), a nameless one gets its number."""
    seen: Counter[str] = Counter()
    names = []
    for number, name in enumerate(header, 1):
        name = name or f"#{number}"
        seen[name.casefold()] += 1
        names.append(name if seen[name.casefold()] == 1 else f"{name} ({seen[name.casefold()]})")
    return names


def clean(value: Any) -> str:
    """A cell as text: trimmed, one kind of space, without invisible characters; the apostrophe that guards a formula goes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).replace("\x00", "").replace("\ufeff", "").replace("\u00a0", " ").replace("\u200b", "").strip()
    return text[1:] if re.match(r"'[=+\-@]", text) else text


# --- CSV -----------------------------------------------------------------------------------------------------------------


def _encoding(path: Path, head: bytes) -> str:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                decoder.decode(chunk)
            decoder.decode(b"", True)
        return "utf-8"
    except UnicodeDecodeError:
        pass
    # One byte per letter: Russian words are runs of high bytes, other Europe's letters stand alone among Latin ones.
    runs = re.findall(rb"[\x80-\xff]+", head)
    russian = sum(len(run) for run in runs if len(run) > 2)
    if russian * 2 < sum(map(len, runs)):
        return "cp1252"
    # KOI8-R has its small letters where CP1251 has the capitals.
    small = sum(byte >= 0xE0 for byte in head)
    capital = sum(0xC0 <= byte < 0xE0 for byte in head)
    return "koi8-r" if capital > small * 2 else "cp1251"


def _delimiter(text: str) -> str:
    """The sign that parts the cells: the one that gives the most columns in the most equal rows."""
    if found := re.match(r"sep=(.)\r?\n", text):
        return found[1]
    best, most = ",", (0.0, 0)
    sample = text[:20_000]
    for sign in DELIMITERS:
        widths = [len(row) for row in csv.reader(io.StringIO(sample), delimiter=sign) if row][:50]
        if len(widths) > 2 and len(sample) < len(text):
            widths.pop()
        if not widths or widths[0] < 2:
            continue
        even = sum(width == widths[0] for width in widths) / len(widths)
        if (even, widths[0]) > most:
            best, most = sign, (even, widths[0])
    return best


def _csv(path: Path, shape: Shape) -> Iterator[list[str]]:
    csv.field_size_limit(2**20)
    encoding = "utf-8-sig" if shape.encoding == "utf-8" else shape.encoding or "utf-8"
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        lines = (line.replace("\x00", "") for line in file)
        reader = csv.reader(lines, delimiter=shape.delimiter or ",")
        try:
            for number, row in enumerate(reader):
                if number == 0 and row and re.fullmatch(r"\ufeff?sep=.?", shape.delimiter.join(row).strip()):
                    continue
                yield [clean(cell) for cell in row]
        except csv.Error as wrong:
            raise Invalid(
                fields={"file": _("Line %(n)s cannot be read: a quotation mark is probably missing.", n=reader.line_num)}
            ) from wrong


# --- others --------------------------------------------------------------------------------------------------------------


def _excel(path: Path, _shape: Shape) -> Iterator[list[str]]:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_UNPACKED:
                raise Invalid(fields={"file": _("This file is too large when unpacked.")})
        book = load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
    except Invalid:
        raise
    except Exception as wrong:
        raise Invalid(fields={"file": _("This is no Excel file that can be read.")}) from wrong
    try:
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [clean(cell) for cell in row[:MOST_COLUMNS]]
    except Exception as wrong:
        raise Invalid(fields={"file": _("This is no Excel file that can be read.")}) from wrong
    finally:
        book.close()


def _cards(path: Path, shape: Shape) -> Iterator[list[str]]:
    cards = list(vcards.read(path.read_text(shape.encoding or "utf-8", "replace")))
    width: Counter[str] = Counter()
    for card in cards:
        for name, values in card.items():
            width[name] = max(width[name], len(values))
    header = [name for name in vcards.COLUMNS for _number in range(width[name])]
    yield header or [vcards.COLUMNS[0]]
    for card in cards:
        yield [clean((card.get(name, []) + [""] * width[name])[number]) for name in vcards.COLUMNS for number in range(width[name])]
