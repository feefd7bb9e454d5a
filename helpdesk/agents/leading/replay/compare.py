"""The figures of a replay beside those that were recorded: how much was taken up, how long it waited, how much of it in time."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from helpdesk.agents.leading.replay.floor import Floor
from helpdesk.agents.leading.replay.week import Change, QueueRules, Week, changed


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the work that came within the week. `level`: taken up in time ÷ those of which that is known (`decided`)."""

    n: int
    taken: int
    mean_s: float | None
    p90_s: float | None
    level: float | None
    decided: int


def figures(week: Week, waits: Mapping[int, float | None], queue: int | None = None) -> Figures:
    """The figures of one queue, or of all. A wait that had not ended with the week counts as late once its target had passed.

    Waits are in calendar time; whether one was in time is told in open time, as the target is.
    """
    rows = [(work, waits.get(work.id)) for work in week.work if work.at >= 0 and work.held_by is None and queue in (None, work.queue)]
    taken = sorted(wait for _work, wait in rows if wait is not None)
    good = decided = 0
    for work, wait in rows:
        rules = week.queues[work.queue]
        in_time = open_s(rules, week.begins_at + work.at, week.length_s - work.at if wait is None else wait) <= rules.target_s
        if wait is None and in_time:
            continue
        decided += 1
        good += in_time
    return Figures(
        len(rows),
        len(taken),
        statistics.fmean(taken) if taken else None,
        percentile(taken, 0.9),
        good / decided if decided else None,
        decided,
    )


def open_s(rules: QueueRules, since: float, seconds: float) -> float:
    """How many of these seconds, from an epoch time on, the queue was open."""
    if rules.calendar is None:
        return seconds
    return rules.calendar.between(datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(since + seconds, UTC))


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Linear between the two nearest; None of nothing."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def compare(week: Week, change: Change, told: Callable[[float], None] = lambda share: None) -> dict[str, Any]:
    """Each queue three times: as it was recorded, replayed under the rules of now, replayed with the change; {"all" or queue id: …}.

    Where recorded and as-it-is differ, the replay does not see everything that people did; the change is to be read against as-it-is.
    """
    recorded = {work.id: work.waited_s for work in week.work}
    as_is = Floor(week).run(lambda share: told(share / 2))
    tried = changed(week, change)
    with_change = Floor(tried).run(lambda share: told(0.5 + share / 2))
    shown = [None, *sorted(queue for queue in week.queues if any(work.queue == queue for work in week.work))]
    return {
        "all" if queue is None else str(queue): {
            "recorded": asdict(figures(week, recorded, queue)),
            "as_is": asdict(figures(week, as_is, queue)),
            "changed": asdict(figures(tried, with_change, queue)),
        }
        for queue in shown
    }
