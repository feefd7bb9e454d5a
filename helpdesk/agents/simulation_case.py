"""The simulator's case: what arrives, who answers, for how long. Read strictly: a slip is named, not guessed.

`helpdesk simulate` reads it from a file; `simulation` runs it. Rates are per second, every other figure with `_s` is
in seconds. Only `name`, `rate_per_s`, `service`, `count`, `seeds`, `arrivals`, `classes` and `agents` must be given.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from helpdesk.agents import ranking
from helpdesk.agents.ranking import AgentState, Channel, ItemHead, Presence

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Level = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]
Sampler = Callable[[], float]  # draws one duration in seconds


class BadCase(ValueError):
    """The case cannot be run; the message names each field and what is wrong with it, one per line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Exponential(_Strict):
    distribution: Literal["exponential"]
    mean_s: Positive

    def sampler(self, stream: random.Random) -> Sampler:
        rate, draw = 1 / self.mean_s, stream.expovariate
        return lambda: draw(rate)


class Deterministic(_Strict):
    distribution: Literal["deterministic"]
    mean_s: Positive

    def sampler(self, stream: random.Random) -> Sampler:
        return lambda: self.mean_s


class Lognormal(_Strict):
    """`cv` is the coefficient of variation: standard deviation over mean."""

    distribution: Literal["lognormal"]
    mean_s: Positive
    cv: NotNegative

    def sampler(self, stream: random.Random) -> Sampler:
        variance = math.log1p(self.cv * self.cv)  # of the logarithm
        mu, sigma, draw = math.log(self.mean_s) - variance / 2, math.sqrt(variance), stream.lognormvariate
        return lambda: draw(mu, sigma)


class Empirical(_Strict):
    """Durations that were measured; each is drawn with the same chance."""

    distribution: Literal["empirical"]
    values: tuple[NotNegative, ...] = Field(min_length=1)

    def sampler(self, stream: random.Random) -> Sampler:
        values, draw = self.values, stream.choice
        return lambda: draw(values)

    @property
    def mean_s(self) -> float:
        return math.fsum(self.values) / len(self.values)


class Arrivals(_Strict):
    """A class of arrivals: Poisson, with the requirements and the order of one kind of work."""

    name: Name
    rate_per_s: Positive
    skills: dict[Name, Level] = {}
    tier: Annotated[int, Field(ge=0)] = 1
    target_s: NotNegative = 0.0
    boost_s: NotNegative = 0.0
    patience_mean_s: Positive | None = None
    service: Annotated[Exponential | Deterministic | Lognormal | Empirical, Field(discriminator="distribution")]

    def item(self, id: int, now: float) -> ItemHead:
        """What routing sees of an arrival of this class at `now`."""
        vkey = ranking.vkey(now + self.target_s, self.boost_s)
        return ItemHead(id, Channel.CHAT, 0, self.tier, vkey, now, self.skills)


class Group(_Strict):
    """So many agents of one kind; `capacity` items at a time each, at full pace."""

    count: Annotated[int, Field(ge=1, le=100_000)]
    skills: dict[Name, Level] = {}
    capacity: Annotated[int, Field(ge=1, le=1000)] = 1

    def agent(self, id: int, load: int, idle_since: float) -> AgentState:
        """What routing sees of an agent of this group."""
        return AgentState(id, Presence.AVAILABLE, self.skills, self.capacity, load, idle_since)


class Case(_Strict):
    """`arrivals` are per seed, over all classes; the first `warmup` of them are served but not counted."""

    seeds: tuple[int, ...] = Field(min_length=1)
    arrivals: Annotated[int, Field(ge=1, le=1_000_000_000)]
    warmup: Annotated[int, Field(ge=0)] = 0
    threshold_s: NotNegative = 20.0
    classes: tuple[Arrivals, ...] = Field(min_length=1)
    agents: tuple[Group, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Case:
        if self.warmup >= self.arrivals:
            raise ValueError(f"warmup: {self.warmup} leaves nothing to count of {self.arrivals} arrivals")
        if doubled := [seed for seed, times in Counter(self.seeds).items() if times > 1]:
            raise ValueError(f"seeds: {doubled[0]} is given twice; the same seed gives the same figures")
        if twice := [name for name, times in Counter(each.name for each in self.classes).items() if times > 1]:
            raise ValueError(f"classes: two are called {twice[0]!r}")
        for each in self.classes:
            if each.patience_mean_s is None and all(ranking.why_not(group.agent(0, 0, 0.0), each.item(0, 0.0)) for group in self.agents):
                raise ValueError(
                    f"classes: nobody could ever serve {each.name!r}, whose customers wait for ever: no agent has {_skills(each.skills)}"
                )
        return self

    @property
    def load(self) -> float:
        """The offered load in erlangs."""
        return math.fsum(each.rate_per_s * each.service.mean_s for each in self.classes)

    @property
    def capacity(self) -> int:
        return sum(group.count * group.capacity for group in self.agents)


def read_case(text: bytes | str) -> Case:
    """The case in a JSON text. Raises BadCase for anything that is not exactly one."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as wrong:
            raise BadCase(f"not UTF-8 text (byte {wrong.start})") from None
    if not text.strip():
        raise BadCase("the file is empty")
    try:
        json.loads(text, object_pairs_hook=_no_field_twice)
    except json.JSONDecodeError as wrong:
        raise BadCase(f"not JSON: {wrong.msg} (line {wrong.lineno}, column {wrong.colno})") from None
    except RecursionError:
        raise BadCase("not a case: nested too deeply") from None
    except BadCase:
        raise
    except ValueError:  # Python refuses to read an integer of thousands of digits
        raise BadCase("not a case: a number has too many digits") from None
    try:
        return Case.model_validate_json(text)
    except ValidationError as wrong:
        errors = wrong.errors()
        wrong_inside = {each["loc"][:end] for each in errors for end in range(len(each["loc"]))}
        # A list whose members are all wrong counts as empty as well; saying so would only confuse.
        raise BadCase("\n".join(_line(each) for each in errors if each["type"] != "too_short" or each["loc"] not in wrong_inside)) from None


def _skills(skills: dict[str, int]) -> str:
    return ", ".join(f"{skill} {level}" for skill, level in skills.items())


def _no_field_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]:
        raise BadCase(f"{twice[0]}: given twice in one object")
    return dict(pairs)


def _line(error: ErrorDetails) -> str:
    """One mistake as "classes[0].rate_per_s: …"; pydantic puts the distribution into the path, we leave it out."""
    place = ""
    for before, part in zip((None, *error["loc"]), error["loc"], strict=False):
        if isinstance(part, int):
            place += f"[{part}]"
        elif before != "service":
            place += f".{part}" if place else part
        elif part not in ("exponential", "deterministic", "lognormal", "empirical"):
            place += f".{part}"
    said = {
        "extra_forbidden": "unknown field",
        "missing": "is missing",
        "union_tag_not_found": "distribution is missing",
        "value_error": error["msg"].removeprefix("Value error, "),
        "union_tag_invalid": "unknown distribution {tag}; known are exponential, deterministic, lognormal, empirical".format(
            tag=error.get("ctx", {}).get("tag", "")
        ),
        "too_short": "is empty: at least one is needed",
    }.get(error["type"], error["msg"])
    shown = error["type"] not in ("missing", "extra_forbidden", "value_error", "union_tag_invalid")
    if shown and isinstance(error["input"], int | float | str):
        said += f" (it is {error['input']!r})"
    return f"{place}: {said}" if place else said
