"""What search is taught beside the articles: weights fitted to this base, words to be treated alike, words known from tickets.

It stands in the database, so that every process on every host takes it over: `KbState.taught` grows with each change, and `search` looks at
it with every question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.errors import Invalid, NotFound
from helpdesk.events import record
from helpdesk.kb import text
from helpdesk.kb.everyday import small_talk
from helpdesk.kb.models import KbState, SearchLog, SynonymGroup
from helpdesk.kb.ranking import Weights

MOST_GROUPS, MOST_WORDS = 500, 20
MOST_FAMILIAR = 5_000
#: Searches of one visitor this close together are tries at one question; so many visitors make a suggestion.
SAME_QUESTION = timedelta(minutes=10)
SUGGESTED_AT = 2


@dataclass(frozen=True)
class Lessons:
    """Everything search was taught, and the number it stands for."""

    taught: int
    weights: Weights
    alike: tuple[tuple[str, ...], ...]
    familiar: frozenset[str]


def lessons() -> Lessons:
    """What is in force now. Three reads; `taught` alone is one."""
    state = db.session().get(KbState, 1, populate_existing=True)
    groups = tuple(tuple(group.words) for group in synonyms())
    if state is None:
        return Lessons(0, Weights(), groups, frozenset())
    return Lessons(state.taught, weights_of(state.tuning), groups, frozenset(state.familiar.split()))


def taught() -> int:
    """Whether there is something new to take over."""
    return db.session().scalar(select(KbState.taught).where(KbState.id == 1)) or 0


# --- weights -------------------------------------------------------------------------------------------------------------------------


def weights_of(kept: dict[str, Any]) -> Weights:
    """Weights from what is stored: unknown names and wrong kinds, from another version of the desk, are left out."""
    known = asdict(Weights())
    values: dict[str, Any] = {}
    for name, value in kept.items():
        if name == "stop_words" and isinstance(value, list):
            values[name] = tuple(str(word) for word in value)
        elif name in known and isinstance(value, int | float) and not isinstance(value, bool):
            values[name] = type(known[name])(value)
    return Weights(**values)


def keep_weights(weights: Weights, *, report: dict[str, Any], by: Actor) -> None:
    """Put these weights in force, with what was measured of them. Only what differs from the defaults is kept."""
    default = asdict(Weights())
    state = _state()
    state.tuning = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(weights).items() if value != default[name]
    }
    state.tuned = {**report, "at": clock.now().isoformat()}
    _teach()
    record(SettingsChanged(by, "kb:weights"))


def forget_weights(*, by: Actor) -> None:
    """Back to the defaults."""
    state = _state()
    state.tuning, state.tuned = {}, {}
    _teach()
    record(SettingsChanged(by, "kb:weights"))


def tuned() -> dict[str, Any]:
    """What the last tuning measured, {} before the first; with `weights` that differ from the defaults."""
    state = db.session().get(KbState, 1)
    return {**state.tuned, "weights": state.tuning} if state is not None and state.tuned else {}


# --- words to be treated alike -------------------------------------------------------------------------------------------------------


def synonyms() -> list[SynonymGroup]:
    """The groups in force, oldest first."""
    return list(db.session().scalars(select(SynonymGroup).where(SynonymGroup.refused.is_(False)).order_by(SynonymGroup.id)))


def treat_alike(words: str, *, by: Actor) -> SynonymGroup:
    """Search for each of these words also with the others. Raises Invalid for fewer than two, or for what is no word."""
    group = _group(words)
    session = db.session()
    if len(synonyms()) >= MOST_GROUPS:
        raise Invalid(fields={"words": _("There are %(n)s groups already. Remove some first.", n=MOST_GROUPS)})
    made = SynonymGroup(words=group)
    session.add(made)
    session.flush()
    _teach()
    record(SettingsChanged(by, f"synonyms:{made.id}"))
    return made


def refuse(words: str, *, by: Actor) -> None:
    """Do not suggest these words again."""
    made = SynonymGroup(words=_group(words), refused=True)
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, f"synonyms:{made.id}"))


def remove(group_id: int, *, by: Actor) -> None:
    """Treat a group's words as different again. Raises NotFound."""
    group = db.session().get(SynonymGroup, group_id)
    if group is None:
        raise NotFound
    record(SettingsChanged(by, f"synonyms:{group.id}"))
    db.session().delete(group)
    db.session().flush()
    _teach()


@dataclass(frozen=True)
class Suggestion:
    """Two words that visitors used for one thing: first the one that led nowhere, then the one that led to an article."""

    words: tuple[str, str]
    visitors: int


def suggested(*, since: datetime, limit: int = 20) -> list[Suggestion]:
    """Words that searchers replaced by another one before they found something, and how many of them did. Reads at most 20,000 searches."""
    rows = db.session().execute(
        select(SearchLog.visitor, SearchLog.at, SearchLog.query, SearchLog.found, SearchLog.clicked_article_id)
        .where(SearchLog.visitor.is_not(None), SearchLog.at >= since)
        .order_by(SearchLog.visitor, SearchLog.id)
        .limit(20_000)
    )
    known = [set(text.stems(" ".join(group.words))) for group in db.session().scalars(select(SynonymGroup))]
    counted: dict[tuple[str, str], set[str]] = defaultdict(set)
    before: tuple[str, datetime, str] | None = None
    for visitor, at, query, found, clicked in rows:
        if clicked is not None and before is not None and before[0] == visitor and at - before[1] <= SAME_QUESTION:
            pair = _replaced(before[2], query)
            if pair and not any({text.stem(word) for word in pair} <= group for group in known):
                counted[pair].add(visitor)
        before = (str(visitor), at, query) if clicked is None or not found else None
    ranked = sorted(counted.items(), key=lambda one: (-len(one[1]), one[0]))
    return [Suggestion(pair, len(visitors)) for pair, visitors in ranked if len(visitors) >= SUGGESTED_AT][:limit]


# --- words known from tickets --------------------------------------------------------------------------------------------------------


def know(words: Iterable[str]) -> None:
    """Take these words for correctly written although no article has them."""
    state = _state()
    kept = " ".join(sorted(set(words))[:MOST_FAMILIAR])
    if kept != state.familiar:
        state.familiar = kept
        _teach()


def _replaced(first: str, second: str) -> tuple[str, str] | None:
    """The one word of a question that another took the place of."""
    one, other = ({text.stem(word): word for word in text.words(query)} for query in (first, second))
    gone = [word for stem, word in one.items() if stem not in other and stem not in small_talk() and len(word) > 2]
    come = [word for stem, word in other.items() if stem not in one and stem not in small_talk() and len(word) > 2]
    return (gone[0], come[0]) if len(gone) == len(come) == 1 else None


def _group(words: str) -> list[str]:
    group = list(dict.fromkeys(text.words(words)))
    if len({text.stem(word) for word in group}) < 2:
        raise Invalid(fields={"words": _("Name at least two different words.")})
    if len(group) > MOST_WORDS:
        raise Invalid(fields={"words": _("At most %(n)s words in a group.", n=MOST_WORDS)})
    return group


def _state() -> KbState:
    state = db.session().get(KbState, 1, populate_existing=True)
    if state is None:
        state = KbState(id=1, revision=0)
        db.session().add(state)
        db.session().flush()
    return state


def _teach() -> None:
    db.session().flush()
    raised = update(KbState).where(KbState.id == 1).values(taught=KbState.taught + 1)
    db.session().execute(raised, execution_options={"synchronize_session": False})
