"""Why an agent may not have an item, in plain words: the ranking's rules and tie-breaks as people read them.

Stored decisions and live looks tell the same rule with the same details, so one sentence serves the page about a ticket and the floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import select

from helpdesk import db
from helpdesk.agents import ranking
from helpdesk.agents.models import Skill
from helpdesk.auth import User
from helpdesk.errors import Words

PRESENCE: dict[str, Words] = {
    "away": lazy_gettext("is away"),
    "not_responding": lazy_gettext("did not answer the last offer"),
    "wrap_up": lazy_gettext("is finishing up after a piece of work"),
    "offline": lazy_gettext("is offline"),
}
CHANNELS: dict[str, Words] = {
    "ticket": lazy_gettext("tickets"),
    "chat": lazy_gettext("chats"),
    "phone": lazy_gettext("calls"),
}
WHILE: dict[str, Words] = {
    "ticket": lazy_gettext("While working on a ticket"),
    "chat": lazy_gettext("While in a chat"),
    "phone": lazy_gettext("While on a call"),
}
TIES: dict[str, Words] = {
    "proficiency": lazy_gettext("knows most about what it asks for"),
    "load": lazy_gettext("has the most room"),
    "longest_idle": lazy_gettext("has been without new work the longest"),
    "id": lazy_gettext("comes first in the order of the list, everything else being equal"),
    "only": lazy_gettext("was the only one possible"),
    "tier": lazy_gettext("this work stands in a more urgent rank"),
    "vkey": lazy_gettext("this work is due first, priority and the customer's value counted in"),
    "enqueued_at": lazy_gettext("this work has waited longest"),
}
#: What the desk itself writes as the reason of a presence; people write their own words.
ABSENCES: dict[str, Words] = {
    "silent": lazy_gettext("the screen went silent"),
    "deactivated": lazy_gettext("deactivated"),
    "left": lazy_gettext("left"),
}
RULES: dict[str, Words] = {
    "presence": lazy_gettext("not available"),
    "channel": lazy_gettext("does not take this channel"),
    "membership": lazy_gettext("not in this queue"),
    "held": lazy_gettext("kept for another agent"),
    "skill": lazy_gettext("lacks a skill"),
    "excluded": lazy_gettext("asked lately"),
    "channel_maximum": lazy_gettext("has the most of this channel"),
    "interrupt": lazy_gettext("must not be interrupted"),
    "capacity": lazy_gettext("has no room"),
}


@dataclass(frozen=True)
class Names:
    """What ids in a decision are called."""

    skills: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[int, str] = field(default_factory=dict)

    def skill(self, key: object) -> str:
        return self.skills.get(str(key), "?")

    def person(self, key: object) -> str:
        return self.people.get(int(str(key)), "?") if str(key).isdigit() else "?"


def names(people: Iterable[int] = ()) -> Names:
    """The names of all skills, which are few, and of these people."""
    session = db.session()
    skills = {str(row.id): row.name for row in session.execute(select(Skill.id, Skill.name))}
    wanted = set(people)
    found = session.execute(select(User.id, User.name).where(User.id.in_(wanted))) if wanted else ()
    return Names(skills, {row.id: row.name for row in found})


def absence(reason: str) -> str:
    """The reason of a presence, as the person wrote it or in the reader's language."""
    return str(ABSENCES.get(reason, reason))


def words(rule: str, detail: Mapping[str, Any], known: Names) -> str:
    """One rule as the rest of a sentence that begins with the agent's name."""
    match rule:
        case ranking.Rule.PRESENCE:
            return str(PRESENCE.get(str(detail.get("presence")), RULES["presence"]))
        case ranking.Rule.CHANNEL:
            return str(_("does not take %(channel)s", channel=CHANNELS.get(str(detail.get("channel")), detail.get("channel"))))
        case ranking.Rule.MEMBERSHIP:
            return str(_("does not work in this queue"))
        case ranking.Rule.HELD:
            return str(_("it is being kept for %(name)s for a moment", name=known.person(detail.get("held_for"))))
        case ranking.Rule.SKILL if detail.get("has"):
            return str(_(
                "has %(skill)s at level %(has)s, and level %(needs)s is asked for",
                skill=known.skill(detail.get("skill")), has=detail.get("has"), needs=detail.get("needs"),
            ))  # fmt: skip
        case ranking.Rule.SKILL:
            return str(
                _(
                    "does not have %(skill)s, and level %(needs)s is asked for",
                    skill=known.skill(detail.get("skill")),
                    needs=detail.get("needs"),
                )
            )
        case ranking.Rule.EXCLUDED:
            return str(_("was asked about it lately and did not take it"))
        case ranking.Rule.CHANNEL_MAXIMUM:
            return str(_(
                "has %(n)s %(channel)s in hand, which is the most for them",
                n=detail.get("maximum"), channel=CHANNELS.get(str(detail.get("channel")), detail.get("channel")),
            ))  # fmt: skip
        case ranking.Rule.INTERRUPT:
            return _interrupted(str(detail.get("in_hand")), str(CHANNELS.get(str(detail.get("channel")), detail.get("channel"))))
        case ranking.Rule.CAPACITY:
            return str(_(
                "has no room: %(load)s of %(capacity)s are taken, and it takes %(weight)s",
                load=detail.get("load"), capacity=detail.get("capacity"), weight=detail.get("weight"),
            ))  # fmt: skip
    return str(RULES.get(rule, rule))


def _interrupted(in_hand: str, what: str) -> str:
    match in_hand:
        case "ticket":
            return str(_("has a ticket in hand, and %(what)s are not given beside it", what=what))
        case "chat":
            return str(_("is in a chat, and %(what)s are not given beside it", what=what))
        case "phone":
            return str(_("is on a call, and %(what)s are not given beside it", what=what))
    return str(RULES["interrupt"])


def beside(table: ranking.Interrupts) -> list[tuple[str, str, str]]:
    """A table of interruptions as sentences: (channel in hand, "While on a call", what may come beside it as a list of words)."""
    return [
        (
            held,
            str(words),
            ", ".join(str(CHANNELS[channel]) for channel in CHANNELS if channel in table.get(held, CHANNELS)) or str(_("nothing else")),
        )
        for held, words in WHILE.items()
    ]


def why_not(out: ranking.Exclusion | None, known: Names) -> str:
    """The same for a look taken just now; empty when nothing keeps the agent from it."""
    return "" if out is None else words(str(out.rule), out.detail, known)
