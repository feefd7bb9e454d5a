"""The sample company's knowledge: forty articles in both languages, kept in `knowledge/<language>/<topic>.md`, published through the verbs.

A file holds a topic's articles one after the other: `# title`, a line `tags: …`, then the body in Markdown. The same place in the files of
both languages is one article.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from helpdesk import clock
from helpdesk.actor import Actor
from helpdesk.kb import articles

FOLDER = Path(__file__).parent / "knowledge"


@dataclass(frozen=True)
class Text:
    """One article in one language, as written."""

    title: str
    tags: tuple[str, ...]
    body: str


def texts(language: str, topic: str) -> list[Text]:
    """A topic's articles in one language, in their order."""
    found = []
    for part in ("\n" + (FOLDER / language / f"{topic}.md").read_text(encoding="utf-8")).split("\n# ")[1:]:
        title, _, rest = part.partition("\n")
        first, _, body = rest.strip().partition("\n")
        tags = tuple(tag.strip() for tag in first.removeprefix("tags:").split(",")) if first.startswith("tags:") else ()
        found.append(Text(title.strip(), tags, body.strip() if tags else rest.strip()))
    return found


def publish_all(categories: dict[str, int], author: int, rng: random.Random) -> int:
    """Publish everything in the current transaction, at moments of the last year; how many articles."""
    by = Actor("user", author)
    now, count = clock.now(), 0
    for topic, category in categories.items():
        for english, russian in zip(texts("en", topic), texts("ru", topic), strict=True):
            with clock.frozen(now - timedelta(days=rng.uniform(65, 360))):
                article = articles.create(by=by, category_id=category, tags=(*english.tags, *russian.tags))
                for language, text in (("en", english), ("ru", russian)):
                    articles.save_draft(article, language, title=text.title, body=text.body, by=by)
                    articles.publish(article, language, by=by)
            article.views = rng.randint(20, 900)
            article.helpful = int(article.views * rng.uniform(0.05, 0.2))
            article.unhelpful = int(article.helpful * rng.uniform(0.02, 0.3))
            count += 1
    return count
