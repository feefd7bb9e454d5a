"""What an agent may be given beside the work in hand: the desk's own table, a row for each channel of what is in hand.

Kept as a preference, so every process believes a change after a second at the latest. `matching`, `candidates`, the floor, explanations
and dry runs ask `in_force`; what waits follows a change in `agents.reordering`, and `agents.beside` says beforehand what one would do.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask_babel import lazy_gettext as _

from helpdesk.actor import Actor
from helpdesk.agents import ranking
from helpdesk.agents.models import CHANNELS
from helpdesk.agents.ranking import Interrupts
from helpdesk.catalog import InterruptsChanged
from helpdesk.errors import Invalid, Words
from helpdesk.events import record
from helpdesk.preferences import prefer, preferences
from helpdesk.versions import Stale

log = logging.getLogger(__name__)

#: What was stored when it was last looked at, and what it meant.
_read: tuple[Mapping[str, Any], Interrupts] | None = None


def in_force() -> Interrupts:
    """The table as it counts now. What is stored and makes no sense is refused as a whole, and logged: then the usual table counts."""
    global _read
    stored = preferences().interrupts
    if not stored:
        return ranking.INTERRUPTS
    if _read is None or (_read[0] is not stored and _read[0] != stored):
        try:
            meant = checked(stored)
        except Invalid:
            log.error("the usual table of interruptions counts, because the stored one makes no sense: %r", stored)
            meant = ranking.INTERRUPTS
        _read = (stored, meant)
    return _read[1]


def fault() -> Words:
    """Why what is stored is not used; empty when it is."""
    try:
        checked(preferences().interrupts)
    except Invalid as wrong:
        return wrong.detail
    return ""


def checked(given: object) -> Interrupts:
    """A whole table from {channel in hand: channels that may come beside it}; rows that are missing are the usual ones.

    Raises Invalid, naming it, for a channel that this desk does not have, and for what is no table at all.
    """
    if not isinstance(given, Mapping) or not all(isinstance(row, list | tuple | set | frozenset) for row in given.values()):
        raise Invalid(_("This is no table of interruptions: it needs a list of channels for each channel."))
    for name in (*given, *(name for row in given.values() for name in row)):
        if name not in CHANNELS:
            raise Invalid(
                _(
                    "The table of interruptions names “%(name)s”, which is no channel of this desk. It has: %(channels)s.",
                    name=str(name)[:60],
                    channels=", ".join(CHANNELS),
                )
            )
    rows = {held: given.get(held, ranking.INTERRUPTS.get(held, CHANNELS)) for held in CHANNELS}
    return MappingProxyType({held: frozenset(str(name) for name in row) for held, row in rows.items()})


def change(given: Mapping[str, Any], *, seen: str, by: Actor) -> bool:
    """Let this table count from now on; whether that changed anything. Raises Invalid, and Stale when somebody changed it meanwhile."""
    wanted, now = checked(given), in_force()
    if seen != stamp():
        raise Stale(_("Somebody saved a change while you were looking. Your entries are still here: compare, then save again."))
    if wanted == now and not fault():
        return False
    prefer(interrupts={held: sorted(beside) for held, beside in wanted.items()})
    record(InterruptsChanged(told(now), told(wanted), by))
    return True


def stamp() -> str:
    """What stands for the table's version: what is stored."""
    return hashlib.sha256(json.dumps(preferences().interrupts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def told(table: Interrupts) -> str:
    """A table in one line, for the history: "ticket:ticket,chat chat:chat phone:"."""
    return " ".join(f"{held}:{','.join(name for name in CHANNELS if name in table.get(held, CHANNELS))}" for held in CHANNELS)
