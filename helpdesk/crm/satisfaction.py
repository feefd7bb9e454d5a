"""How customers feel, from the ratings they gave: CSAT, NPS, CES, the score of one customer and its trend.

Pure arithmetic on ratings that somebody else has read; used by the profile, the reports and the health of a customer.
Definitions are those of the product's metrics page. Rating scales: CSAT 1–5, NPS 0–10, CES 1–7 (7 = very easy).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from helpdesk.crm.figures import Figure, share

#: Days after which a rating weighs half as much.
HALF_LIFE_DAYS = 90
#: How many ratings the mean of all customers stands for. One angry rating of a new customer is a hint, not a verdict.
PRIOR_WEIGHT = 5
#: Points of the 0–100 score below which a change is called steady.
STEADY_POINTS = 2.0


class Question(StrEnum):
    """Which question was asked; each has its own scale."""

    CSAT = "csat"
    NPS = "nps"
    CES = "ces"


SCALES: dict[Question, tuple[int, int]] = {Question.CSAT: (1, 5), Question.NPS: (0, 10), Question.CES: (1, 7)}


@dataclass(frozen=True, slots=True)
class Rating:
    """One answer to one question. `ticket` is None for a rating that belongs to no ticket."""

    question: Question
    answer: int
    at: datetime
    ticket: int | None = None

    def __post_init__(self) -> None:
        low, high = SCALES[self.question]
        if not low <= self.answer <= high:
            raise ValueError(f"{self.question.value} is answered with {low} to {high}, not {self.answer}")

    @property
    def points(self) -> float:
        """The answer on 0–100, so that answers to different questions can be averaged."""
        low, high = SCALES[self.question]
        return 100 * (self.answer - low) / (high - low)


def score(ratings: Iterable[Rating], *, mean: float, as_of: datetime) -> Figure:
    """The satisfaction score of one customer, 0–100.

    (Σ wᵢ·sᵢ + 5·μ) ÷ (Σ wᵢ + 5) with w = 2^(−age in days ÷ 90), sᵢ the rating on 0–100 and μ (`mean`) the mean of all
    customers. A customer without ratings scores μ with n = 0. Ratings given after `as_of` were not known then and do
    not count, so that yesterday's score can be recomputed today.
    """
    if not 0 <= mean <= 100:
        raise ValueError(f"the mean of all customers lies on 0 to 100, not {mean}")
    known = [rating for rating in ratings if rating.at <= as_of]
    weights = [_weight(as_of - rating.at) for rating in known]
    weighted = math.fsum(w * rating.points for w, rating in zip(weights, known, strict=True))
    total = math.fsum(weights)
    return Figure(
        value=(weighted + PRIOR_WEIGHT * mean) / (total + PRIOR_WEIGHT),
        formula="satisfaction.score",
        inputs={
            "weighted": weighted,
            "weight": total,
            "mean": mean,
            "prior": PRIOR_WEIGHT,
            "half_life": HALF_LIFE_DAYS,
        },
        n=len(known),
        as_of=as_of,
    )


def _weight(age: timedelta) -> float:
    return math.exp2(-age / timedelta(days=HALF_LIFE_DAYS))


class Direction(StrEnum):
    UP = "up"
    STEADY = "steady"
    DOWN = "down"


@dataclass(frozen=True, kw_only=True)
class Trend(Figure):
    """Change of the score over one half-life, in points; n counts the ratings of that time."""

    @property
    def direction(self) -> Direction | None:
        if self.value is None:
            return None
        if abs(self.value) < STEADY_POINTS:
            return Direction.STEADY
        return Direction.UP if self.value > 0 else Direction.DOWN


def trend(ratings: Sequence[Rating], *, mean: float, as_of: datetime) -> Trend:
    """The score now minus the score one half-life (90 days) ago.

    None unless the customer rated both before and since: a score also drifts towards the mean when nobody rates, and
    that is forgetting, not a change of mood.
    """
    before = as_of - timedelta(days=HALF_LIFE_DAYS)
    now, then = score(ratings, mean=mean, as_of=as_of), score(ratings, mean=mean, as_of=before)
    recent = now.n - then.n
    assert now.value is not None and then.value is not None  # the prior always gives a score
    return Trend(
        value=now.value - then.value if recent and then.n else None,
        formula="satisfaction.trend",
        inputs={"now": now.value, "then": then.value, "days": HALF_LIFE_DAYS},
        n=recent,
        as_of=as_of,
    )


@dataclass(frozen=True, kw_only=True)
class Csat(Figure):
    """Share of satisfied ratings (0–1) with its Wilson 95% interval and the share of the asked who answered."""

    low: float | None
    high: float | None
    response_rate: float | None


def csat(ratings: Iterable[Rating], *, asked: int, as_of: datetime) -> Csat:
    """Ratings 4 and 5 ÷ ratings; of several ratings of a ticket the last one counts.

    asked: how many tickets (or occasions) were asked; the ratings are the answers of those same surveys. Raises
    ValueError when more answered than were asked: then the two numbers speak of different surveys.
    """
    counted = last_per_ticket(rating for rating in ratings if rating.question is Question.CSAT and rating.at <= as_of)
    if len(counted) > asked:
        raise ValueError(f"{len(counted)} answers to {asked} surveys: count answers and surveys of the same period")
    satisfied = sum(rating.answer >= 4 for rating in counted)
    low, high = wilson(satisfied, len(counted)) or (None, None)
    return Csat(
        value=share(satisfied, len(counted)),
        formula="satisfaction.csat",
        inputs={"satisfied": satisfied, "ratings": len(counted), "asked": asked},
        n=len(counted),
        as_of=as_of,
        low=low,
        high=high,
        response_rate=share(len(counted), asked),
    )


def last_per_ticket(ratings: Iterable[Rating]) -> list[Rating]:
    """Keep each ticket's last rating; ratings without a ticket all stay. Order by time."""
    kept: dict[object, Rating] = {}
    for number, rating in enumerate(sorted(ratings, key=lambda rating: rating.at)):
        kept[rating.ticket if rating.ticket is not None else ("free", number)] = rating
    return sorted(kept.values(), key=lambda rating: rating.at)


def wilson(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float] | None:
    """The Wilson score interval for a share; z = 1.96 gives 95%. None for n = 0.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209.
    Unlike p ± z·√(p(1−p)/n) it stays within 0–1 and has width at p = 0 and p = 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no share")
    if n == 0:
        return None
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exactly 0 and 1 at p = 0 and p = 1; rounding may miss them by an ulp.
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


@dataclass(frozen=True, kw_only=True)
class Nps(Figure):
    """Promoters minus detractors, −100 … 100, with the head counts behind it."""

    promoters: int
    passives: int
    detractors: int


def nps(ratings: Iterable[Rating], *, as_of: datetime) -> Nps:
    """% of answers 9–10 minus % of answers 0–6 on the 0–10 question; the last rating per ticket counts."""
    answers = _answers(ratings, Question.NPS, as_of)
    promoters, detractors = sum(a >= 9 for a in answers), sum(a <= 6 for a in answers)
    return Nps(
        value=100 * (promoters - detractors) / len(answers) if answers else None,
        formula="satisfaction.nps",
        inputs={"promoters": promoters, "detractors": detractors, "ratings": len(answers)},
        n=len(answers),
        as_of=as_of,
        promoters=promoters,
        passives=len(answers) - promoters - detractors,
        detractors=detractors,
    )


@dataclass(frozen=True, kw_only=True)
class Ces(Figure):
    """Mean answer (1–7) and the share (0–1) of those who found it easy."""

    easy: float | None


def ces(ratings: Iterable[Rating], *, as_of: datetime) -> Ces:
    """Mean of the 1–7 answers, and the share of 5–7; the last rating per ticket counts."""
    answers = _answers(ratings, Question.CES, as_of)
    easy = sum(a >= 5 for a in answers)
    return Ces(
        value=sum(answers) / len(answers) if answers else None,
        formula="satisfaction.ces",
        inputs={"sum": sum(answers), "easy": easy, "ratings": len(answers)},
        n=len(answers),
        as_of=as_of,
        easy=share(easy, len(answers)),
    )


def _answers(ratings: Iterable[Rating], question: Question, as_of: datetime) -> list[int]:
    return [r.answer for r in last_per_ticket(r for r in ratings if r.question is question and r.at <= as_of)]
