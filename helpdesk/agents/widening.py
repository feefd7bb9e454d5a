"""How the circle of agents who may take an item widens with its age: pure, asked by the product (`agents.steps`) and by replays.

Ages and durations are seconds; the age is handed in, nothing here knows what time it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helpdesk.agents.ranking import Presence, Requirements


@dataclass(frozen=True, slots=True)
class Step:
    """What a queue asks of agents until the item is `until_age` seconds old; None, only for the last: for ever."""

    requirements: Requirements
    until_age: float | None = None
    overflow_queue: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an item stands now: its step (0 is the sticky agent's), what it asks, and the age at which that changes."""

    step: int
    requirements: Requirements
    until_age: float | None
    held_for: int | None = None
    overflow_queue: int | None = None


class NarrowingSteps(ValueError):
    """A queue's steps would shrink the pool, or do not end; the message says which and how."""


def check_steps(steps: Sequence[Step]) -> None:
    """Refuse steps that do not only ever widen.

    Raises NarrowingSteps when there is none, ages do not grow, a step asks for more than the one before it, an
    overflow queue is dropped again, or the last step ends.
    """
    if not steps:
        raise NarrowingSteps("A queue needs at least one step.")
    age = 0.0
    for number, step in enumerate(steps, start=1):
        last = number == len(steps)
        if last != (step.until_age is None):
            raise NarrowingSteps(f"Step {number}: the last step has no end, and every other step has one.")
        if step.until_age is not None:
            if not step.until_age > age:
                raise NarrowingSteps(f"Step {number} must end later than {age:g} s.")
            age = step.until_age
        if number > 1:
            _check_wider(number, steps[number - 2], step)


def _check_wider(number: int, before: Step, step: Step) -> None:
    for skill, level in step.requirements.items():
        if level > before.requirements.get(skill, 0):
            raise NarrowingSteps(f"Step {number} asks for {skill} {level}, more than step {number - 1} does.")
    if before.overflow_queue is not None and step.overflow_queue != before.overflow_queue:
        raise NarrowingSteps(f"Step {number} drops the overflow queue of step {number - 1}.")


def standing(
    steps: Sequence[Step],
    age_s: float,
    *,
    sticky_agent: int | None = None,
    sticky_presence: str = Presence.OFFLINE,
    hold_s: float = 0.0,
    at_least: int = 0,
) -> Standing:
    """The item's step at its cumulative age; never below `at_least`, the step that it has reached already.

    Step 0 holds the item for the sticky agent until the age `hold_s`, with the first step's requirements; it is
    skipped when that agent is offline (pass nobody who lacks the skills or is excluded: nobody could take the item).
    A clock that jumps back narrows nothing.
    """
    if at_least <= 0 and sticky_agent is not None and sticky_presence != Presence.OFFLINE and age_s < hold_s:
        return Standing(0, steps[0].requirements, hold_s, held_for=sticky_agent)
    number = max(1, min(at_least, len(steps)))
    while (until := steps[number - 1].until_age) is not None and age_s >= until:
        number += 1
    step = steps[number - 1]
    return Standing(number, step.requirements, step.until_age, overflow_queue=step.overflow_queue)
