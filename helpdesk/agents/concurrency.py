"""How many agents when each has several pieces of work at once, and how fast work gets done with so many in hand. Pure.

Chats and tickets are not staffed by Erlang's formulas as they stand: an agent has up to n in hand, and each piece takes longer the more
there are. The field's model: the number in hand sets the rate at which an agent finishes them (T. Tezcan, J. Zhang (2014), "Routing and
staffing in customer service chat systems with impatient customers", Operations Research 62:943; J. Luo, J. Zhang (2013), "Staffing and
control of instant messaging contact centers", Operations Research 61:328). With work going to whoever has least in hand, as routing
does, the number of pieces in the system is then taken for a birth-death chain: exact for n = 1 (Erlang C and A), close otherwise.

Times are seconds, rates per second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from helpdesk.agents import staffing
from helpdesk.agents.staffing import Forecast

#: So many pieces have to be finished with k in hand before that counts as measured: the mean is then good to about a quarter.
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """How much an agent gets done: `per_s[k - 1]` pieces a second, all together, with k in hand. As long as the most they may have.

    What one piece takes, k ÷ `per_s[k - 1]`, never falls with k: then more agents never make anything worse.
    """

    per_s: tuple[float, ...]

    @property
    def most(self) -> int:
        return len(self.per_s)

    def piece_s(self, in_hand: int) -> float:
        """What a piece takes on average with so many in hand."""
        return in_hand / self.per_s[in_hand - 1]


# --- what so many agents lead to -----------------------------------------------------------------------------------------------


def agents_needed(rate_per_s: float, pace: Pace, target_share: float, within_s: float, patience_s: float | None = None) -> int:
    """The fewest agents who take up at least `target_share` of the work within `within_s`. Raises ValueError as `staffing` does."""
    if not 0 <= target_share < 1:
        raise ValueError("The target share is at least 0 and below 1: no number of agents promises all of it.")

    def enough(agents: int) -> bool:
        return forecast(agents, rate_per_s, pace, within_s, patience_s).service_level >= target_share

    return staffing.fewest(rate_per_s, 1 / pace.per_s[-1], enough)


def forecast(agents: int, rate_per_s: float, pace: Pace, within_s: float, patience_s: float | None = None) -> Forecast:
    """What `agents` agents lead to; without `patience_s` everybody waits.

    With j pieces in `agents` hands, ⌊j/agents⌋ or one more each, the pace of these levels adds up to the rate at which j falls. Nobody
    waits below agents × n pieces; from there on the wait is Erlang's, with the rate of agents who all have n.
    """
    if agents < 0 or not all(0 <= figure < math.inf for figure in (rate_per_s, within_s)):
        raise ValueError("Agents, rates and times are finite and not negative.")
    if patience_s is not None and not patience_s > 0:
        raise ValueError("The mean patience is above 0 seconds.")
    if rate_per_s == 0:
        return Forecast(agents, 0.0, 0.0, 1.0, 0.0, 0.0)
    if agents == 0:
        return Forecast(0, 1.0, math.inf, 0.0, 0.0 if patience_s is None else 1.0, 1.0)
    levels = (0.0, *pace.per_s)
    places = agents * pace.most
    top, busy, in_hand = 1.0, 0.0, 0.0  # of the chain cut off at j: the share of j, the mean number of busy agents and of pieces
    for j in range(1, places):
        low, more = divmod(j, agents)
        falls = (agents - more) * levels[low] + (more * levels[low + 1] if more else 0.0)
        top = rate_per_s * top / (falls + rate_per_s * top)
        busy += top * (min(j, agents) - busy)
        in_hand += top * (j - in_hand)
    full = agents * pace.per_s[-1]
    if patience_s is None:
        wait = staffing.patient(top, rate_per_s, full, within_s)
    else:
        wait = staffing.impatient(top, rate_per_s, full, within_s, patience_s)
    busy += wait.p_wait * (agents - busy)
    in_hand += wait.p_wait * (places - in_hand)
    return Forecast(agents, wait.p_wait, wait.mean_wait_s, wait.service_level, wait.p_abandon, busy / agents, in_hand / agents)


# --- how fast work gets done ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work in an agent's hands: when it weighed on them, in order. `counts`: it is of the kind that is asked about, and was
    finished when the last of `spans` ended; others only say how much the agent had in hand.
    """

    agent: int
    spans: tuple[tuple[float, float], ...]
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Level:
    """With so many in hand: pieces that were finished, and seconds that pieces spent there, all added up."""

    finished: int
    seconds: float

    @property
    def piece_s(self) -> float:
        return self.seconds / self.finished


def levels(pieces: Iterable[Piece]) -> dict[int, Level]:
    """By number in hand: what was finished with so many, and the time that pieces spent among so many.

    Seconds ÷ finished is the maximum-likelihood mean of exponential times whose rate depends on the number in hand.
    """
    by_agent: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_agent.setdefault(piece.agent, []).append(piece)
    finished: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for mine in by_agent.values():
        changes: dict[float, list[tuple[int, int, int]]] = {}  # at: change of what is in hand, of that what counts, what is finished
        for piece in mine:
            for number, (since, until) in enumerate(piece.spans, start=1):
                changes.setdefault(since, []).append((1, int(piece.counts), 0))
                changes.setdefault(until, []).append((-1, -int(piece.counts), int(piece.counts and number == len(piece.spans))))
        in_hand = counting = 0
        before = 0.0
        for at in sorted(changes):
            if counting:
                seconds[in_hand] = seconds.get(in_hand, 0.0) + counting * (at - before)
            done = sum(change[2] for change in changes[at])
            if done:
                finished[max(1, in_hand)] = finished.get(max(1, in_hand), 0) + done
            in_hand += sum(change[0] for change in changes[at])
            counting += sum(change[1] for change in changes[at])
            before = at
    return {k: Level(finished.get(k, 0), seconds.get(k, 0.0)) for k in sorted({*finished, *seconds})}


@dataclass(frozen=True, slots=True)
class Measured:
    """A pace and what it rests on: the levels that were seen often enough; of none `pooled` says with how many in hand all was seen."""

    pace: Pace
    seen: Mapping[int, Level]
    pooled: int | None = None


def measured(found: Mapping[int, Level], most: int) -> Measured | None:
    """The pace of agents who may have up to `most` in hand; None where nothing was finished, or in no time at all.

    Levels that were seen often enough count as they are. Between two the pace changes evenly. What was not seen is never taken for
    better than what was: with fewer in hand a piece takes as long as at the lowest level seen, and with more an agent gets no more done
    altogether than at the highest. Where no level was seen often enough, all levels together count as one, at the mean number in hand.
    """
    done, spent = sum(level.finished for level in found.values()), sum(level.seconds for level in found.values())
    if not done or not spent:
        return None
    seen = {k: level for k, level in found.items() if k <= most and level.finished >= ENOUGH and level.seconds}
    if seen:
        rates = _never_faster([(k, level.finished / level.seconds, level.seconds) for k, level in sorted(seen.items())])
        return Measured(Pace(_filled(rates, most)), seen)
    worked = sum(level.seconds / k for k, level in found.items())
    mean = max(1, min(most, round(spent / worked)))
    return Measured(Pace(_filled([(mean, done / spent)], most)), {}, mean)


def _never_faster(points: Sequence[tuple[int, float, float]]) -> list[tuple[int, float]]:
    """(level, rate of one piece) so that the rate never rises with the level: neighbours that would are one, by weight (pool adjacent
    violators; M. Ayer and others (1955), "An empirical distribution function for sampling with incomplete information").
    """
    blocks: list[tuple[float, float, list[int]]] = []  # rate, weight, levels
    for k, rate, weight in points:
        blocks.append((rate, weight, [k]))
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            (a, x, low), (b, y, high) = blocks[-2], blocks.pop()
            blocks[-1] = ((a * x + b * y) / (x + y), x + y, low + high)
    return [(k, rate) for rate, _weight, some in blocks for k in some]


def _filled(rates: Sequence[tuple[int, float]], most: int) -> tuple[float, ...]:
    """All together per second for 1 to `most` in hand, from (level, rate of one piece) in order of levels."""
    known = dict(rates)
    low, high = rates[0], rates[-1]
    found = []
    for k in range(1, most + 1):
        if k in known:
            found.append(k * known[k])
        elif k < low[0]:
            found.append(k * low[1])
        elif k > high[0]:
            found.append(high[0] * high[1])
        else:
            below, above = max(one for one in known if one < k), min(one for one in known if one > k)
            share = (k - below) / (above - below)
            found.append((1 - share) * below * known[below] + share * above * known[above])
    return tuple(found)
