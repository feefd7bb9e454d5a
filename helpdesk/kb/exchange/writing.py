"""Articles on their way out: what is published, as Markdown files or as a table, in the shape that `reading` takes back."""

from __future__ import annotations

import csv
import io
import secrets
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from helpdesk import db
from helpdesk.kb import queries
from helpdesk.kb.models import Article, Audience
from helpdesk.kb.queries import Filter

#: Articles read at a time: no transaction stays open while a slow reader takes the file.
CHUNK = 200
COLUMNS = ("key", "language", "question", "answer", "topic", "tags", "audience")


@dataclass(frozen=True)
class Page:
    """One published translation with what is known about it. `name` is its path in a folder of Markdown."""

    name: str
    key: str
    language: str
    title: str
    body: str
    topic: str
    tags: str
    audience: str

    @property
    def markdown(self) -> str:
        head = f"key: {self.key}\ntitle: {self.title}\ntags: {self.tags}\naudience: {self.audience}\n"
        return f"---\n{head}---\n{self.body}\n"


def pages(wanted: Filter | None = None) -> Iterator[Page]:
    """Every published translation of the articles that a list narrowed like this shows. Opens transactions of its own.

    Articles without a key get one that stays theirs. What only chosen companies may read is meant for colleagues elsewhere.
    """
    wanted = wanted or Filter(state="published")
    after = 0
    while True:
        with db.transaction() as session:
            found = (
                select(Article)
                .where(*queries.conditions(wanted), Article.withdrawn_at.is_(None), Article.id > after)
                .options(selectinload(Article.translations), joinedload(Article.category))
                .order_by(Article.id)
                .limit(CHUNK)
            )
            chunk = list(session.scalars(found))
            for article in chunk:
                if article.external_id is None:
                    article.external_id = f"kb-{secrets.token_hex(6)}"
            made = [page for article in chunk for page in _of(article, wanted.language)]
        yield from made
        if len(chunk) < CHUNK:
            return
        after = chunk[-1].id


def to_folder(folder: Path) -> int:
    """Write everything that is published as files; how many."""
    count = 0
    for page in pages():
        path = folder / page.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page.markdown, encoding="utf-8")
        count += 1
    return count


def to_zip(found: Iterable[Page], target: IO[bytes]) -> int:
    """The same folder packed up; how many files."""
    count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for page in found:
            packed.writestr(page.name, page.markdown)
            count += 1
    return count


def to_table(found: Iterable[Page], target: IO[bytes]) -> int:
    """A CSV of questions and answers that office programs open as UTF-8; how many rows."""
    count = 0
    text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for page in found:
        rows.writerow((page.key, page.language, page.title, page.body, page.topic, page.tags, page.audience))
        count += 1
    text.detach()
    return count


def _of(article: Article, language: str) -> Iterator[Page]:
    topic = article.category.slug if article.category else ""
    audience = Audience.PUBLIC if article.audience is Audience.PUBLIC else Audience.AGENTS
    for translation in article.translations:
        if translation.published_revision is not None and (not language or translation.language == language):
            yield Page(
                "/".join(filter(None, (translation.language, topic, f"{translation.slug}.md"))),
                article.external_id or "", translation.language, translation.title, translation.body, topic, ", ".join(article.tags),
                audience,
            )  # fmt: skip
