"""How long each kind of data is kept: the rules that packages declare, the days that an administrator chose, and what goes by night.

Nothing goes without a rule; what belongs to customers who must be kept stays (each rule leaves them out itself).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from helpdesk import clock, db, privacy
from helpdesk.preferences import preferences
from helpdesk.privacy import Retention

#: Rows of one transaction, and transactions of one round: a backlog takes several rounds, ten minutes apart, and holds nobody up.
TOGETHER, ROUNDS = 200, 20
#: The hours, in UTC, in which old data goes.
NIGHT = range(0, 5)


@dataclass(frozen=True)
class Shown:
    """A rule as it stands: the days in force, and how much would go now."""

    rule: Retention
    days: int
    would_go: int


def days_of(rule: Retention) -> int:
    """How long this is kept; 0 is for ever."""
    chosen = preferences().retention.get(rule.name)
    return rule.days if chosen is None else int(chosen)


def preview(chosen: dict[str, int] | None = None) -> list[Shown]:
    """Every rule with what would go, under other days if given: {name: days}. Nothing is changed."""
    found = []
    for rule in privacy.retentions().values():
        days = (chosen or {}).get(rule.name, days_of(rule))
        found.append(Shown(rule, days, rule.count(_before(days)) if days else 0))
    return found


def run(*, by_night: bool = True) -> dict[str, int]:
    """Remove what has served its time, in small transactions: {rule: rows that went}. Outside transactions."""
    if by_night and clock.now().hour not in NIGHT:
        return {}
    with db.read():
        due = [(rule, days) for rule in privacy.retentions().values() if (days := days_of(rule))]
    gone: dict[str, int] = {}
    for rule, days in due:
        for _round in range(ROUNDS):
            with db.transaction():
                went = rule.run(_before(days), TOGETHER)
            gone[rule.name] = gone.get(rule.name, 0) + went
            if went < TOGETHER:
                break
    return {name: number for name, number in gone.items() if number}


def _before(days: int) -> datetime:
    return clock.now() - timedelta(days=days)
