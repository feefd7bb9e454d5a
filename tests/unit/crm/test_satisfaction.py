"""CSAT, NPS, CES, and the satisfaction score of one customer with its trend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from helpdesk.crm.satisfaction import Direction, Question, Rating, ces, csat, nps, score, trend, wilson

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rated(answer: int, days_ago: float = 0, ticket: int | None = None, question: Question = Question.CSAT) -> Rating:
    return Rating(question, answer, NOW - timedelta(days=days_ago), ticket)


@pytest.mark.parametrize(
    ("question", "answer", "points"),
    [("csat", 1, 0), ("csat", 3, 50), ("csat", 5, 100), ("nps", 0, 0), ("nps", 7, 70), ("ces", 1, 0), ("ces", 7, 100)],
)
def test_every_scale_maps_onto_0_to_100(question: str, answer: int, points: float) -> None:
    assert Rating(Question(question), answer, NOW).points == points


@pytest.mark.parametrize(("question", "answer"), [("csat", 0), ("csat", 6), ("nps", -1), ("nps", 11), ("ces", 0), ("ces", 8)])
def test_an_answer_off_its_scale_is_refused(question: str, answer: int) -> None:
    with pytest.raises(ValueError, match=question):
        Rating(Question(question), answer, NOW)


def test_a_customer_without_ratings_scores_the_mean_of_all_and_n_says_so() -> None:
    figure = score([], mean=72, as_of=NOW)
    assert (figure.value, figure.n) == (72, 0)


@pytest.mark.parametrize(
    ("ratings", "value"),
    [
        ([rated(1)], (1 * 0 + 5 * 80) / 6),
        ([rated(1, 90)], (0.5 * 0 + 5 * 80) / 5.5),
        ([rated(1, 180)], (0.25 * 0 + 5 * 80) / 5.25),
        ([rated(5), rated(1, 90)], (1 * 100 + 0.5 * 0 + 5 * 80) / 6.5),
        ([rated(5)] * 100, (100 * 100 + 5 * 80) / 105),
    ],
)
def test_the_score_halves_a_rating_every_90_days_and_leans_on_the_mean_like_5_ratings(ratings: list[Rating], value: float) -> None:
    figure = score(ratings, mean=80, as_of=NOW)
    assert figure.value == pytest.approx(value, rel=1e-12)
    assert (figure.n, figure.as_of, figure.inputs["mean"]) == (len(ratings), NOW, 80)


def test_yesterdays_score_does_not_know_todays_rating() -> None:
    assert score([rated(1, -1)], mean=80, as_of=NOW).n == 0


def test_a_mean_off_the_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        score([], mean=4.2 * 100, as_of=NOW)


def test_a_figure_takes_no_naive_time() -> None:
    with pytest.raises(ValueError, match="zone"):
        score([], mean=80, as_of=NOW.replace(tzinfo=None))


def test_the_trend_is_the_score_now_minus_the_score_90_days_ago() -> None:
    ratings = [rated(5, 100), rated(1, 10)]
    figure = trend(ratings, mean=80, as_of=NOW)
    now, then = score(ratings, mean=80, as_of=NOW), score(ratings, mean=80, as_of=NOW - timedelta(days=90))
    assert now.value is not None and then.value is not None
    assert figure.value == pytest.approx(now.value - then.value)
    assert (figure.direction, figure.n) == (Direction.DOWN, 1)


def test_better_ratings_than_before_point_up_and_the_same_ones_are_steady() -> None:
    assert trend([rated(2, 120), rated(5, 3)], mean=60, as_of=NOW).direction is Direction.UP
    assert trend([rated(4, 120), rated(4, 3)], mean=75, as_of=NOW).direction is Direction.STEADY


@pytest.mark.parametrize("ratings", [[], [rated(1, 10)], [rated(1, 200)]])
def test_there_is_no_trend_without_ratings_both_before_and_since(ratings: list[Rating]) -> None:
    figure = trend(ratings, mean=80, as_of=NOW)
    assert figure.value is None and figure.direction is None


def test_csat_is_the_share_of_4_and_5_with_response_rate_and_interval() -> None:
    figure = csat([rated(5), rated(4), rated(3), rated(1)], asked=10, as_of=NOW)
    assert (figure.value, figure.response_rate, figure.n) == (0.5, 0.4, 4)
    assert figure.low == pytest.approx(0.1500, abs=5e-5) and figure.high == pytest.approx(0.8500, abs=5e-5)


def test_the_last_rating_of_a_ticket_wins_and_ratings_without_a_ticket_all_count() -> None:
    ratings = [rated(5, 1, ticket=7), rated(1, 3, ticket=7), rated(2, 1), rated(2, 1)]
    figure = csat(ratings, asked=3, as_of=NOW)
    assert (figure.n, figure.value) == (3, pytest.approx(1 / 3))


def test_csat_leaves_out_other_questions_and_later_answers() -> None:
    figure = csat([rated(5), rated(9, question=Question.NPS), rated(1, -1)], asked=1, as_of=NOW)
    assert (figure.n, figure.value) == (1, 1.0)


def test_csat_of_nobody_is_unknown_not_0() -> None:
    figure = csat([], asked=0, as_of=NOW)
    assert figure.value is figure.low is figure.high is figure.response_rate is None
    assert csat([], asked=5, as_of=NOW).response_rate == 0


def test_more_answers_than_surveys_are_refused_rather_than_shown_as_a_rate_above_one() -> None:
    with pytest.raises(ValueError, match="2 answers to 1 surveys"):
        csat([rated(5), rated(4)], asked=1, as_of=NOW)


@pytest.mark.parametrize(("successes", "n"), [(8, 10), (0, 10), (10, 10), (1, 1), (81, 263)])
def test_the_ends_of_the_wilson_interval_lie_1_96_standard_errors_from_the_share(successes: int, n: int) -> None:
    interval = wilson(successes, n)
    assert interval is not None
    for end in interval:
        # The defining equation; at p = 0 and p = 1 one end is p itself.
        assert (successes / n - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / n, rel=1e-6, abs=1e-12)


def test_the_wilson_interval_has_its_published_value() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_an_impossible_share_has_no_interval() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)


def test_nps_is_promoters_minus_detractors() -> None:
    answers = [10, 9, 9, 8, 7, 6, 0]
    figure = nps([rated(a, question=Question.NPS) for a in answers], as_of=NOW)
    assert figure.value == pytest.approx(100 * (3 - 2) / 7)
    assert (figure.promoters, figure.passives, figure.detractors, figure.n) == (3, 2, 2, 7)
    assert nps([], as_of=NOW).value is None


def test_ces_is_the_mean_and_the_share_of_5_to_7() -> None:
    figure = ces([rated(a, question=Question.CES) for a in (7, 5, 4, 1)], as_of=NOW)
    assert (figure.value, figure.easy, figure.n) == (4.25, 0.5, 4)
    assert ces([], as_of=NOW).value is None and ces([], as_of=NOW).easy is None
