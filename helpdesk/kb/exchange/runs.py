"""An import on a screen: a file is kept and looked at, taken in beside other work after a yes, stopped, and taken back.

Each batch is one transaction that also moves `done`, so that an import that was interrupted goes on where it was and does nothing twice.
What an entry did stands in `article_taken`; undoing reads it backwards and leaves alone what was edited since.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import clock, db, files
from helpdesk.actor import Actor
from helpdesk.catalog import ArticleImportStarted, ArticlesTakenIn
from helpdesk.errors import Conflict, Invalid, NotFound
from helpdesk.events import Outside, reaction, record
from helpdesk.kb import articles
from helpdesk.kb.exchange import reading, taking
from helpdesk.kb.exchange.reading import Entry, Unreadable, Written
from helpdesk.kb.exchange.taking import Planned
from helpdesk.kb.models import Article, ArticleImport, ArticleTaken, Translation

#: Articles a transaction takes: nobody else waits long for the database.
BATCH = 20
#: How long one delivery works before it hands over to the next: other heavy work waits no longer than this.
STINT_S = 30.0
#: How many entries of each kind the preview names.
SHOWN = 50


@dataclass
class Preview:
    """What taking a file in would do: how many entries by outcome, the first of those that do something, and those that cannot be read."""

    counts: Counter[str] = field(default_factory=Counter)
    shown: list[Planned] = field(default_factory=list)
    refused: list[Unreadable] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)

    @property
    def does(self) -> int:
        return self.counts["new"] + self.counts["changed"]


def accept(name: str, content: BinaryIO, *, limit: int, by: Actor) -> ArticleImport:
    """Keep an uploaded file. Raises Invalid for what cannot be understood as a whole or holds nothing, TooLarge."""
    stored = files.store().put(content, limit=limit)
    run = ArticleImport(name=_short(name), shape="csv", object_key=stored.key, user_id=by.user_id, at=clock.now())
    with files.store().open(stored.key) as file:
        if file.read(4) == b"PK\x03\x04":
            run.shape = "markdown"
    try:
        run.total = sum(1 for _entry in entries(run))
        if not run.total:
            raise Invalid(fields={"file": _("There is no article in this file.")})
    except (Unreadable, Invalid) as wrong:
        files.store().delete(stored.key)
        raise wrong if isinstance(wrong, Invalid) else Invalid(fields={"file": str(wrong)}) from wrong
    db.session().add(run)
    db.session().flush()
    return run


def entries(run: ArticleImport) -> Iterator[Entry]:
    """What stands in the file. Raises Unreadable."""
    path = files.store().path(run.object_key)
    return reading.from_table(path, run.name) if run.shape == "csv" else reading.from_zip(path)


def preview(run: ArticleImport) -> Preview:
    """What taking the file in would do now."""
    made, topics, waiting = Preview(), set[str](), entries(run)
    while batch := list(islice(waiting, 500)):
        for planned in taking.plan([one for one in batch if isinstance(one, Written)]):
            made.counts[planned.outcome] += 1
            topics.add(planned.entry.topic)
            if planned.outcome != "same" and len(made.shown) < SHOWN:
                made.shown.append(planned)
        wrong = [one for one in batch if isinstance(one, Unreadable)]
        made.counts["refused"] += len(wrong)
        made.refused += wrong[: SHOWN - len(made.refused)]
    made.topics = taking.new_topics(topics)
    return made


def refused(run: ArticleImport) -> list[Unreadable]:
    """The first entries that could not be read, with their reasons."""
    return list(islice((one for one in entries(run) if isinstance(one, Unreadable)), SHOWN))


def start(run: ArticleImport, *, by: Actor) -> None:
    """Take it in, beside other work. Raises Conflict unless it was only looked at."""
    _only(run, "read")
    run.state = "running"
    record(ArticleImportStarted(run.id, by))


def stop(run: ArticleImport) -> None:
    """Stop after the present batch; what is in stays and can be taken back."""
    _only(run, "running")
    run.state, run.finished_at = "stopped", clock.now()


def undo(run: ArticleImport, *, by: Actor) -> None:
    """Take back what an import published, beside other work. Raises Conflict unless it is over."""
    _only(run, "done", "stopped")
    run.state, run.kept = "undoing", 0
    record(ArticleImportStarted(run.id, by))


def forget(run: ArticleImport) -> None:
    """Throw away a file that was only looked at."""
    _only(run, "read")
    key = run.object_key
    db.session().delete(run)
    db.after_commit(lambda: files.drop([key]))


@reaction(ArticleImportStarted, lane="heavy", key=lambda fact: f"import:{fact.import_id}", newcomer="keep", name="kb.import")
def work(fact: ArticleImportStarted) -> Outside:
    """A stint of an import: batches until it is over or the time is up, then the next stint."""

    def then(result: Any) -> None:
        if isinstance(result, Exception):
            raise result
        if not result:
            record(ArticleImportStarted(fact.import_id, fact.by))

    return Outside(call=lambda: work_for(fact.import_id, by=fact.by.through("import"), seconds=STINT_S), then=then)


def work_for(import_id: int, *, by: Actor, seconds: float = float("inf")) -> bool:
    """Work on an import with transactions of its own; whether it is over. Called outside of any transaction."""
    until = time.monotonic() + seconds
    with db.read() as session:
        run = session.get(ArticleImport, import_id)
    if run is None or run.state not in ("running", "undoing"):
        return True
    batches = _published(run, by) if run.state == "running" else _taken_back(run, by)
    for is_over in batches:
        if is_over:
            return True
        time.sleep(0.001)  # under gevent SQLite never yields by itself
        if time.monotonic() > until:
            return False
    return True


def _published(run: ArticleImport, by: Actor) -> Iterator[bool]:
    """Publish batch by batch; yields whether it is over."""
    done, waiting = run.done, islice(entries(run), run.done, None)
    while batch := list(islice(waiting, BATCH)):
        with db.transaction():
            held = _held(run.id)
            if held.state != "running" or held.done != done:
                break  # stopped, or another worker took over
            planned, published = taking.take_in([one for one in batch if isinstance(one, Written)], by=by)
            for number, one in enumerate(published, done):
                db.session().add(
                    ArticleTaken(
                        import_id=run.id, number=number, article_id=one.article_id, language=one.planned.entry.language, began=one.began,
                        before=one.planned.before, after=one.after,
                    )
                )  # fmt: skip
            for outcome in taking.OUTCOMES:
                setattr(held, outcome, getattr(held, outcome) + sum(1 for one in planned if one.outcome == outcome))
            held.refused += len(batch) - len(planned)
            done = held.done = done + len(batch)
        yield False
    else:
        with db.transaction():
            held = _held(run.id)
            if held.state == "running":
                held.state, held.finished_at = "done", clock.now()
                record(ArticlesTakenIn(run.id, held.new, held.changed, held.same, held.refused, by))
    yield True


def _taken_back(run: ArticleImport, by: Actor) -> Iterator[bool]:
    """Take back batch by batch, the last entry first; yields whether it is over."""
    while True:
        with db.transaction() as session:
            held = _held(run.id)
            newest = select(ArticleTaken).where(ArticleTaken.import_id == run.id).order_by(ArticleTaken.number.desc()).limit(BATCH)
            rows = list(session.scalars(newest))
            for row in rows:
                held.kept += not _took_back(row, held.finished_at or clock.now(), by)
                session.delete(row)
            if not rows:
                held.state, held.finished_at = "undone", clock.now()
        yield not rows


def _took_back(row: ArticleTaken, ended_at: datetime, by: Actor) -> bool:
    """Show what readers saw before; False when that is not possible, or somebody has worked on the article since."""
    article = db.session().get_one(Article, row.article_id)
    all_of_it = articles.translations(article)
    mine = next(one for one in all_of_it if one.language == row.language)
    if mine.published_revision != row.after or _is_edited(mine):
        return False
    if row.before is not None:
        articles.restore(article, row.language, row.before, by=by)
        articles.publish(article, row.language, by=by)
        return True
    if row.began:
        if any(_is_edited(one) or (one.published_at is not None and one.published_at > ended_at) for one in all_of_it):
            return False  # somebody has added or edited another language
        articles.withdraw(article, by=by)
        return True
    # A language that was added to an article goes with the article, if that began in the same import.
    began = select(ArticleTaken).where(
        ArticleTaken.import_id == row.import_id, ArticleTaken.article_id == row.article_id, ArticleTaken.began.is_(True)
    )
    return db.session().scalar(began) is not None


def _is_edited(translation: Translation) -> bool:
    return (translation.draft_title, translation.draft_body) != (translation.title, translation.body)


def _held(import_id: int) -> ArticleImport:
    """The import as it stands now, so that one worker at a time moves it. Raises NotFound."""
    held = db.session().get(ArticleImport, import_id, with_for_update=True, populate_existing=True)
    if held is None:
        raise NotFound
    return held


def _only(run: ArticleImport, *states: str) -> None:
    if run.state not in states:
        raise Conflict(_("This import has gone on meanwhile. Look at it again, then decide."))


def _short(name: str) -> str:
    return Path(name.replace("\\", "/")).name[:255] or "file"
