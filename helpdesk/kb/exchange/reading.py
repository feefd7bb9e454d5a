"""Understanding what others wrote: each entry of a file as an article in one language, or as what is wrong with it and where."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flask_babel import gettext as _

from helpdesk.kb import articles, render
from helpdesk.kb.models import Audience

#: What a zip may hold: more is a mistake, or meant to fill the memory.
MOST_ENTRIES, MOST_BYTES = 20_000, 300 * 2**20
_LONGEST_FILE = 4 * articles.LONGEST_BODY + 10_000  # bytes; UTF-8 takes up to four a letter
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_DELIMITERS = ",;\t"


class Unreadable(Exception):
    """What cannot be taken in: which file and line, and why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why = where, why


@dataclass(frozen=True)
class Written:
    """One article in one language, as it stands in a file at `where`. `topic` is a category's slug or name."""

    key: str
    language: str
    title: str
    body: str
    topic: str = ""
    tags: tuple[str, ...] = ()
    audience: Audience = Audience.PUBLIC
    where: str = ""


#: What reading yields, in the file's order.
Entry = Written | Unreadable


def from_folder(folder: Path) -> Iterator[Entry]:
    """Every Markdown file below a folder laid out as the package describes."""
    files = ((path.relative_to(folder).as_posix(), path.read_bytes()) for path in sorted(folder.rglob("*.md")) if path.is_file())
    return _each_once(_from_markdown(files))


def from_zip(path: Path) -> Iterator[Entry]:
    """The same folder packed up, also when it was packed as one folder with everything in it. Raises Unreadable for what is no such zip."""
    try:
        with zipfile.ZipFile(path) as packed:
            found = [one for one in packed.infolist() if not one.is_dir() and _is_page(one.filename)]
            if len(found) > MOST_ENTRIES or sum(one.file_size for one in found) > MOST_BYTES:
                raise Unreadable(path.name, _("it holds more than %(n)s articles, or too much text", n=MOST_ENTRIES))
            names = {one.filename: PurePosixPath(one.filename.replace("\\", "/")) for one in found}
            around = 0 if any(name.parts[0] in articles.LANGUAGES for name in names.values()) else 1
            inside = sorted((PurePosixPath(*name.parts[around:]).as_posix(), full) for full, name in names.items())
            yield from _each_once(_from_markdown((name, _unpacked(packed, full)) for name, full in inside))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as wrong:  # cut, of a strange method, or with a password
        raise Unreadable(path.name, _("this zip cannot be opened")) from wrong


def from_table(path: Path, name: str = "") -> Iterator[Entry]:
    """A CSV file with the columns question and answer, and if wanted key, language, topic, tags and audience.

    Rows without a key are known by their question. Raises Unreadable when the whole file cannot be understood.
    """
    name = name or path.name
    text = _decoded(name, path.read_bytes())
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    known = {(column or "").strip().lower(): column for column in rows.fieldnames or ()}
    if not {"question", "answer"} <= known.keys():
        raise Unreadable(name, _("the first line names the columns; question and answer must be among them"))
    yield from _each_once(_from_rows(name, rows))


def from_lines(path: Path) -> Iterator[Entry]:
    """JSON lines {"id", "q", "a", "cat", "tags"}, as in sets that search is measured with."""
    return _each_once(_from_json(path))


def or_raise(entries: Iterable[Entry]) -> Iterator[Written]:
    """Only what can be read; the first that cannot is raised."""
    for entry in entries:
        if isinstance(entry, Unreadable):
            raise entry
        yield entry


# --- each kind of file -----------------------------------------------------------------------------------------------------------------


def _from_markdown(files: Iterable[tuple[str, bytes]]) -> Iterator[Entry]:
    for name, content in files:
        try:
            yield _page(name, content)
        except Unreadable as wrong:
            yield wrong


def _page(name: str, content: bytes) -> Written:
    place = PurePosixPath(name).parts
    if place[0] not in articles.LANGUAGES:
        raise Unreadable(name, _("the first folder names the language, one of %(known)s", known=", ".join(articles.LANGUAGES)))
    known, body = _head(name, _decoded(name, content))
    audience = known.get("audience", Audience.PUBLIC)
    topic = known.get("topic", place[1] if len(place) > 2 else "")
    tags = tuple(tag.strip() for tag in known.get("tags", "").split(",") if tag.strip())
    key = known.get("key") or "/".join(place[1:]).removesuffix(".md")
    return _checked(name, key, place[0], known.get("title", ""), body, topic, tags, audience)


def _from_rows(name: str, rows: csv.DictReader[str]) -> Iterator[Entry]:
    line = rows.line_num + 1
    while True:
        where = _("%(file)s, line %(n)s", file=name, n=line)
        try:
            raw = next(rows)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield Unreadable(where, str(wrong))
            return
        line = rows.line_num + 1
        row = {(column or "").strip().lower(): value.strip() for column, value in raw.items() if isinstance(value, str)}
        question = " ".join(row.get("question", "").split())
        key = row.get("key", "") or f"question-{hashlib.sha256(question.lower().encode()).hexdigest()[:16]}"
        tags = tuple(tag.strip() for tag in row.get("tags", "").split(",") if tag.strip())
        given = row.get("language", ""), question, row.get("answer", ""), row.get("topic", ""), tags, row.get("audience") or Audience.PUBLIC
        try:
            yield _checked(where, key, *given)
        except Unreadable as wrong:
            yield wrong


def _from_json(path: Path) -> Iterator[Entry]:
    for number, line in enumerate(_decoded(path.name, path.read_bytes()).splitlines(), 1):
        where = _("%(file)s, line %(n)s", file=path.name, n=number)
        try:
            row = json.loads(line)
            id, question, answer = str(row["id"]), str(row.get("q", "")), str(row["a"])
            tags = tuple(str(tag) for tag in row.get("tags", ()) if str(tag).strip())
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            yield Unreadable(where, repr(wrong))
            continue
        key = f"{path.parent.name}/{id}"
        try:
            yield _checked(where, key, str(row.get("lang", "")), question, answer, str(row.get("cat", "")), tags, Audience.PUBLIC)
        except Unreadable as wrong:
            yield wrong


# --- each entry ------------------------------------------------------------------------------------------------------------------------


def _checked(where: str, key: str, language: str, title: str, body: str, topic: str, tags: tuple[str, ...], audience: str) -> Written:
    title, body = (unicodedata.normalize("NFC", words).replace("\x00", "") for words in (title, body))
    body = body.replace("\r\n", "\n").strip().lstrip("\ufeff")
    title = " ".join(title.split()) or render.first_words(body, 80)
    if not body or not title:
        raise Unreadable(where, _("there is no text"))
    language = language.strip().lower() or ("ru" if _CYRILLIC.search(title + body[:200]) else "en")
    if language not in articles.LANGUAGES:
        raise Unreadable(where, _("the language “%(word)s” is not one of %(known)s", word=language, known=", ".join(articles.LANGUAGES)))
    if len(title) > articles.LONGEST_TITLE or len(body) > articles.LONGEST_BODY:
        raise Unreadable(where, _("longer than an article can be"))
    if audience not in (Audience.PUBLIC, Audience.AGENTS):
        raise Unreadable(where, _("audience is public or agents, not “%(word)s”", word=audience))
    return Written(key[:120], language, title, body, topic, tags, Audience(audience), where)


def _each_once(entries: Iterable[Entry]) -> Iterator[Entry]:
    """An article's language stands once in a file; a second one would only overwrite the first."""
    seen: dict[tuple[str, str], str] = {}
    for entry in entries:
        if isinstance(entry, Written):
            first = seen.setdefault((entry.key, entry.language), entry.where)
            if first != entry.where:
                yield Unreadable(entry.where, _("the same article stands at %(where)s", where=first))
                continue
        yield entry


def _head(name: str, text: str) -> tuple[dict[str, str], str]:
    if not text.startswith("---\n"):
        raise Unreadable(name, _("it begins with a head between two lines of ---"))
    head, closed, body = text[4:].partition("\n---")
    if not closed:
        raise Unreadable(name, _("the head is not closed by ---"))
    known: dict[str, str] = {}
    for number, line in enumerate(head.splitlines(), 2):
        word, colon, value = line.partition(":")
        if line.strip() and not colon:
            raise Unreadable(_("%(file)s, line %(n)s", file=name, n=number), _("a head's line is a name, a colon and a value"))
        known[word.strip().lower()] = " ".join(value.split())
    return known, body


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as wrong:
        raise Unreadable(name, _("this is no UTF-8 text; save it as UTF-8 and try again")) from wrong


def _is_page(name: str) -> bool:
    """A Markdown file of the author's; what macOS and version control put beside it is not."""
    parts = name.replace("\\", "/").split("/")
    return name.lower().endswith(".md") and not any(part.startswith((".", "__MACOSX")) for part in parts) and ".." not in parts


def _unpacked(packed: zipfile.ZipFile, name: str) -> bytes:
    """A file of a zip, as far as it can be an article: what its head says of its size may be wrong."""
    with packed.open(name) as file:
        return file.read(_LONGEST_FILE)
