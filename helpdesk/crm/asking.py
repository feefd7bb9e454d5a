"""What a survey asks: the desk's own surveys, and the usual one where nobody wrote another.

A survey has one to three questions (satisfaction 1–5, recommendation 0–10, ease 1–7), each at most once and in the reader's language; the
first one leads. Administrators write them; `tickets.surveys` asks and keeps the answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import get_locale
from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import db, versions
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.crm.care_models import SurveyDefinition
from helpdesk.crm.reasons import USUAL_REASONS
from helpdesk.crm.satisfaction import SCALES, Question
from helpdesk.errors import Invalid, Words
from helpdesk.events import record
from helpdesk.preferences import preferences

OCCASIONS = ("solved", "periodic")
LONGEST_QUESTION, LONGEST_REASON, MOST_REASONS = 200, 80, 20
DELAY_MIN, EVERY_DAYS, REMIND_DAYS = (0, 30 * 24 * 60), (7, 730), (0, 30)

#: How each question is asked where the desk has no words of its own.
USUAL_WORDS: Mapping[Question, Words] = {
    Question.CSAT: _("How satisfied are you with our help?"),
    Question.NPS: _("How likely are you to recommend us to a friend or colleague?"),
    Question.CES: _("How easy was it to get help?"),
}
#: What the two ends of each scale mean.
ENDS: Mapping[Question, tuple[Words, Words]] = {
    Question.CSAT: (_("Very bad"), _("Very good")),
    Question.NPS: (_("Not at all"), _("Certainly")),
    Question.CES: (_("Very hard"), _("Very easy")),
}


@dataclass(frozen=True)
class Ask:
    """One question as the reader sees it. `name`: its field in the form."""

    kind: Question
    words: str
    name: str

    @property
    def scale(self) -> tuple[int, int]:
        return SCALES[self.kind]

    @property
    def ends(self) -> tuple[Words, Words]:
        return ENDS[self.kind]


@dataclass(frozen=True)
class Shape:
    """Everything an administrator says about a survey; see SurveyDefinition. `questions`: in order, with their words by language."""

    name: str
    occasion: str = "solved"
    queue_id: int | None = None
    delay_min: int = 60
    every_days: int = 90
    remind_days: int = 0
    questions: Sequence[tuple[str, str, str]] = ()
    reasons: Sequence[tuple[str, str]] = ()
    active: bool = True


def questions(definition: SurveyDefinition | None) -> list[Ask]:
    """What is asked, in the language of the moment; the first question leads."""
    rows = definition.questions if definition is not None else [{"kind": "csat"}]
    lang = get_locale().language if get_locale() else "en"
    asks = []
    for number, row in enumerate(rows):
        kind = Question(row["kind"])
        words = row.get(lang) or str(USUAL_WORDS[kind])
        asks.append(Ask(kind, words, "score" if number == 0 else f"score-{kind.value}"))
    return asks


def reasons(definition: SurveyDefinition | None) -> list[tuple[str, str]]:
    """What it may have been about: pairs of stored word and words to read."""
    if definition is None or not definition.reasons:
        return [(key, str(words)) for key, words in USUAL_REASONS.items()]
    lang = get_locale().language if get_locale() else "en"
    return [(row["key"], row.get(lang) or row["en"]) for row in definition.reasons]


def for_queue(queue_id: int) -> SurveyDefinition | None:
    """The survey after a ticket of this queue: its own, else the one for every queue, else None: the usual one."""
    rows = db.session().scalars(
        select(SurveyDefinition)
        .where(SurveyDefinition.active, SurveyDefinition.occasion == "solved")
        .where((SurveyDefinition.queue_id == queue_id) | SurveyDefinition.queue_id.is_(None))
        .order_by(SurveyDefinition.queue_id.is_(None), SurveyDefinition.id)
        .limit(1)
    )
    return rows.first()


def periodic() -> list[SurveyDefinition]:
    """The surveys about the whole relationship that are in force."""
    found = select(SurveyDefinition).where(SurveyDefinition.active, SurveyDefinition.occasion == "periodic")
    return list(db.session().scalars(found.order_by(SurveyDefinition.id)))


def delay(definition: SurveyDefinition | None) -> timedelta:
    """How long after solving is asked."""
    return preferences().survey_delay if definition is None else timedelta(seconds=definition.delay_s)


def listed() -> list[SurveyDefinition]:
    """The desk's surveys, those in force first."""
    return list(db.session().scalars(select(SurveyDefinition).order_by(SurveyDefinition.active.desc(), SurveyDefinition.id)))


# --- verbs of administrators -----------------------------------------------------------------------------------------------


def add(shape: Shape, *, by: Actor) -> SurveyDefinition:
    """A new survey. Raises Invalid with every fault at once."""
    made = SurveyDefinition(**_values(shape))
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, what=f"survey:{made.id}"))
    return made


def change(definition: SurveyDefinition, shape: Shape, *, seen: int | None, by: Actor) -> None:
    """Write a survey anew; links that are out ask what it says now. Raises Stale, Invalid."""
    versions.change(definition, seen, **_values(shape))
    record(SettingsChanged(by, what=f"survey:{definition.id}"))


def _values(shape: Shape) -> dict[str, Any]:
    faults: dict[str, Words] = {}
    name = " ".join(shape.name.split())
    if not 0 < len(name) <= 120:
        faults["name"] = _("Please write from %(least)s to %(most)s characters.", least=1, most=120)
    if shape.occasion not in OCCASIONS:
        faults["occasion"] = _("Choose one of these.")
    for field, value, (least, most) in (
        ("delay_min", shape.delay_min, DELAY_MIN),
        ("every_days", shape.every_days, EVERY_DAYS),
        ("remind_days", shape.remind_days, REMIND_DAYS),
    ):
        if not least <= value <= most:
            faults[field] = _("Please give a number from %(least)s to %(most)s.", least=least, most=most)
    kinds = [kind for kind, _en, _ru in shape.questions]
    if not kinds:
        faults["questions"] = _("Ask at least one question.")
    if len(set(kinds)) != len(kinds) or not set(kinds) <= {question.value for question in Question}:
        faults["questions"] = _("Ask each question once.")
    if any(len(words) > LONGEST_QUESTION for _kind, *both in shape.questions for words in both):
        faults["questions"] = _("Please shorten this to %(n)s characters.", n=LONGEST_QUESTION)
    keys = [_key(en) for en, _ru in shape.reasons]
    if len(keys) > MOST_REASONS or len(set(keys)) != len(keys) or not all(keys) or any(
        len(words) > LONGEST_REASON for both in shape.reasons for words in both
    ):  # fmt: skip
        faults["reasons"] = _("At most %(n)s different reasons, each in one line, English first, of at most %(most)s letters.",
                              n=MOST_REASONS, most=LONGEST_REASON)  # fmt: skip
    if faults:
        raise Invalid(fields=faults)
    return {
        "name": name,
        "occasion": shape.occasion,
        "queue_id": shape.queue_id if shape.occasion == "solved" else None,
        "delay_s": shape.delay_min * 60,
        "every_days": shape.every_days,
        "remind_days": shape.remind_days,
        "questions": [{"kind": kind, "en": " ".join(en.split()), "ru": " ".join(ru.split())} for kind, en, ru in shape.questions],
        "reasons": [{"key": _key(en), "en": en, "ru": ru or en} for en, ru in shape.reasons],
        "active": shape.active,
    }


def _key(words: str) -> str:
    """A reason's stored word, made of its English words."""
    return re.sub(r"\W+", "-", words.casefold()).strip("-")[:60]
