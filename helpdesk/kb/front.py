"""What the start pages show of the knowledge base: topics with their counts, and what helped others.

Counting and ordering everything costs a third of a second at ten thousand articles, so each process keeps it for a minute, per language and
audience. A change of any article is seen at once: the knowledge base's revision is part of the key.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Engine, select

from helpdesk import db
from helpdesk.auth import Principal
from helpdesk.kb import policy, queries
from helpdesk.kb.models import KbState
from helpdesk.kb.queries import Card, Shelf

KEPT_S = 60.0
EACH = 6
MOST_USEFUL = 6
#: Audiences times languages that are kept at most.
_MOST_KEPT = 100


@dataclass(frozen=True)
class Front:
    """Shelves with up to EACH titles each, and the titles that helped most."""

    shelves: list[Shelf]
    useful: list[Card]


_Key = tuple[Engine, int, str, frozenset[str]]
_kept: dict[_Key, tuple[float, Front]] = {}


def front(who: Principal, language: str) -> Front:
    """The start pages' part for this reader, at most a minute old where it only counts what was helpful."""
    revision = db.session().scalar(select(KbState.revision).where(KbState.id == 1)) or 0
    key = (db.engine(), revision, language, policy.terms(who))
    known = _kept.get(key)
    if known is not None and time.monotonic() - known[0] < KEPT_S:
        return known[1]
    made = Front(queries.shelves(who, language, each=EACH), queries.most_useful(who, language, limit=MOST_USEFUL))
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = (time.monotonic(), made)
    return made
