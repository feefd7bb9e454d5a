"""The last part of an article's address: readable, in Latin letters, and nobody else's, former addresses included."""

from __future__ import annotations

import re
import unicodedata

from sqlalchemy import select

from helpdesk import db
from helpdesk.kb.models import Article, FormerAddress, Translation

_LATIN = dict(zip(
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    [*"abvgdee", "zh", *"ziyklmnoprstuf", "kh", "ts", "ch", "sh", "sch", "", "y", "", "e", "yu", "ya"],
    strict=True,
))  # fmt: skip


def slug_of(title: str) -> str:
    """A title as the last part of an address: Latin letters, digits and hyphens, so that it survives every mail program."""
    plain = "".join(_LATIN.get(letter, letter) for letter in unicodedata.normalize("NFC", title).lower())
    ascii_ = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-")[:80].strip("-")


def free_slug(slug: str, language: str, article: Article) -> str:
    """`slug`, or the next free one beginning like it."""
    slug = slug or f"article-{article.id}"
    taken = select(Translation.slug).where(
        Translation.language == language, Translation.article_id != article.id, Translation.slug.startswith(slug, autoescape=True)
    )
    former = select(FormerAddress.slug).where(
        FormerAddress.language == language, FormerAddress.article_id != article.id, FormerAddress.slug.startswith(slug, autoescape=True)
    )
    used = set(db.session().scalars(taken)) | set(db.session().scalars(former))
    if slug not in used:
        return slug
    return next(f"{slug}-{n}" for n in range(2, len(used) + 3) if f"{slug}-{n}" not in used)
