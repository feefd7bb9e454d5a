"""Articles from elsewhere and back again: a folder of Markdown, a table of questions and answers, JSON lines.

A Markdown file begins with what is known about it, then comes the text; its folders name language and topic:

    en/returns/send-it-back.md        ---
                                      key: returns-1
                                      title: Send it back
                                      tags: box, label
                                      ---
                                      ## Pack it …

`key` joins the languages of one article and finds it again at the next import, which then changes what differs and leaves the rest alone.
"""

from __future__ import annotations

import csv
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb import articles, categories, render
from helpdesk.kb.models import Article, Audience, Category

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


class Unreadable(Exception):
    """What cannot be taken in: says which file and line, and why. Nothing of that file has been taken."""


@dataclass(frozen=True)
class Written:
    """One article in one language, as it stands in a file. `topic` is a category's slug or name."""

    key: str
    language: str
    title: str
    body: str
    topic: str = ""
    tags: tuple[str, ...] = ()
    audience: Audience = Audience.PUBLIC


@dataclass
class Taken:
    """How many translations were new, changed, or already the same."""

    new: int = 0
    changed: int = 0
    same: int = 0


def take_in(found: Iterable[Written], taken: Taken, *, by: Actor) -> None:
    """Publish these in the current transaction, counting into `taken`."""
    for one in found:
        article = db.session().scalar(select(Article).where(Article.external_id == one.key))
        if article is None:
            article = articles.create(
                by=by, category_id=_category(one.topic, by), audience=one.audience, tags=one.tags, external_id=one.key
            )
        known = articles.translation_of(article, one.language)
        if known is not None and known.published_revision and (known.title, known.body) == (one.title, one.body):
            taken.same += 1
            continue
        if known is None or not known.published_revision:
            taken.new += 1
        else:
            taken.changed += 1
        articles.save_draft(article, one.language, title=one.title, body=one.body, by=by)
        articles.publish(article, one.language, by=by)


# --- reading -------------------------------------------------------------------------------------------------------------------------


def from_markdown(folder: Path) -> Iterator[Written]:
    """Every file of a folder laid out as described above. Raises Unreadable."""
    for path in sorted(folder.rglob("*.md")):
        place = path.relative_to(folder).parts
        if place[0] not in articles.LANGUAGES:
            raise Unreadable(f"{path}: the first folder names the language, one of {', '.join(articles.LANGUAGES)}")
        known, body = _head(path, _text(path))
        if not known.get("title") or not body:
            raise Unreadable(f"{path}: it needs a title in its head and a text below")
        audience = known.get("audience", "public")
        if audience not in (Audience.PUBLIC, Audience.AGENTS):
            raise Unreadable(f"{path}: audience is public or agents, not {audience!r}")
        yield Written(
            known.get("key") or "/".join(place[1:]).removesuffix(".md")[:120],
            place[0],
            known["title"],
            body,
            place[1] if len(place) > 2 else "",
            tuple(tag.strip() for tag in known.get("tags", "").split(",") if tag.strip()),
            Audience(audience),
        )


def from_table(path: Path) -> Iterator[Written]:
    """A CSV file with the columns question and answer, and if wanted key, language, topic and tags. Raises Unreadable."""
    rows = csv.DictReader(_text(path).splitlines())
    if not {"question", "answer"} <= {name.strip().lower() for name in rows.fieldnames or ()}:
        raise Unreadable(f"{path}: the first line names the columns; question and answer must be among them")
    for number, raw in enumerate(rows, 2):
        row = {(name or "").strip().lower(): (value or "").strip() for name, value in raw.items() if isinstance(value, str)}
        yield _entry(f"{path}, line {number}", path.stem, row.get("key", "") or str(number), row.get("question", ""), row.get("answer", ""),
                     row.get("language", ""), row.get("topic", ""), row.get("tags", "").split(","))  # fmt: skip


def from_lines(path: Path) -> Iterator[Written]:
    """JSON lines {"id", "q", "a", "cat", "tags"}, as in sets that search is measured with. Raises Unreadable."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            row = json.loads(line)
            id, question, answer = str(row["id"]), str(row.get("q", "")), str(row["a"])
            tags = [str(tag) for tag in row.get("tags", ())]
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise Unreadable(f"{path}, line {number}: {wrong!r}") from wrong
        yield _entry(
            f"{path}, line {number}", path.parent.name, id, question, answer, str(row.get("lang", "")), str(row.get("cat", "")), tags
        )


def _entry(where: str, source: str, id: str, question: str, answer: str, language: str, topic: str, tags: Iterable[str]) -> Written:
    body = answer.strip().lstrip("\ufeff")
    title = " ".join(question.split()) or render.first_words(body, 80)
    if not title or not body:
        raise Unreadable(f"{where}: there is no answer")
    if not language:
        language = "ru" if _CYRILLIC.search(title + body[:200]) else "en"
    if language not in articles.LANGUAGES:
        raise Unreadable(f"{where}: the language {language!r} is not one of {', '.join(articles.LANGUAGES)}")
    if len(title) > articles.LONGEST_TITLE or len(body) > articles.LONGEST_BODY:
        raise Unreadable(f"{where}: longer than an article can be")
    return Written(f"{source}/{id}"[:120], language, title, body, topic, tuple(tag for tag in tags if tag.strip()))


def _head(path: Path, text: str) -> tuple[dict[str, str], str]:
    if not text.startswith("---\n"):
        raise Unreadable(f"{path}: it begins with a head between two lines of ---")
    head, closed, body = text[4:].partition("\n---")
    if not closed:
        raise Unreadable(f"{path}: the head is not closed by ---")
    known: dict[str, str] = {}
    for number, line in enumerate(head.splitlines(), 2):
        name, colon, value = line.partition(":")
        if line.strip() and not colon:
            raise Unreadable(f"{path}, line {number}: a head's line is a name, a colon and a value")
        known[name.strip().lower()] = " ".join(value.split())
    return known, body.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as wrong:
        raise Unreadable(f"{path}: {wrong}") from wrong


def _category(topic: str, by: Actor) -> int | None:
    """The category of that slug or name, made if there is none."""
    topic = " ".join(topic.split())[:120]
    if not topic:
        return None
    found = db.session().scalar(
        select(Category).where((Category.slug == topic) | (Category.name_en == topic) | (Category.name_ru == topic)).limit(1)
    )
    return (found or categories.add(name_en=topic, name_ru=topic, by=by)).id


# --- writing -------------------------------------------------------------------------------------------------------------------------


def to_markdown(folder: Path) -> int:
    """Write every published translation as a file; how many. Articles without a key get one that stays theirs."""
    session, count = db.session(), 0
    found = (
        select(Article)
        .where(Article.withdrawn_at.is_(None))
        .options(selectinload(Article.translations), joinedload(Article.category))
        .order_by(Article.id)
    )
    for article in session.scalars(found):
        if article.external_id is None:
            article.external_id = f"kb-{secrets.token_hex(6)}"
        topic = article.category.slug if article.category else ""
        for translation in article.translations:
            if translation.published_revision is None:
                continue
            path = folder / translation.language / topic / f"{translation.slug}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            audience = "agents" if article.audience is not Audience.PUBLIC else "public"
            head = (
                f"---\nkey: {article.external_id}\ntitle: {translation.title}\ntags: {', '.join(article.tags)}\naudience: {audience}\n---\n"
            )
            path.write_text(f"{head}{translation.body}\n", encoding="utf-8")
            count += 1
    return count
