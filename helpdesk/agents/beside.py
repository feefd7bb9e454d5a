"""What a table of interruptions would change at this moment: who has work in hand, and what they could be given beside it.

Beside `agents.interrupts`, which keeps the table; asked by the screen where it is set, before it is saved.
"""

from __future__ import annotations

from dataclasses import dataclass

from helpdesk.agents import candidates, interrupts
from helpdesk.agents.models import CHANNELS
from helpdesk.agents.ranking import AgentState, Interrupts


@dataclass(frozen=True)
class Preview:
    """Of the agents who are here with work in hand: `rows` of (channel, how many could be given it now, how many with the table tried).

    `more` and `fewer`: how many of them could then be given something that they cannot have now, and the other way round.
    """

    at_work: int
    rows: tuple[tuple[str, int, int], ...]
    more: int
    fewer: int


def preview(tried: Interrupts) -> Preview:
    """Look at what is in hand, at limits and at room; skills and queues are left aside."""
    now = interrupts.in_force()
    pairs = [(_open(state, now), _open(state, tried)) for state in candidates.at_work().states]
    rows = tuple((channel, sum(channel in a for a, _b in pairs), sum(channel in b for _a, b in pairs)) for channel in CHANNELS)
    return Preview(len(pairs), rows, sum(bool(b - a) for a, b in pairs), sum(bool(a - b) for a, b in pairs))


def _open(state: AgentState, table: Interrupts) -> set[str]:
    return set(candidates.open_channels(state, table))
