"""The arithmetic of request forms: what is asked, and what counts as a number, a day or a choice."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel

from helpdesk.tickets.topics import fields
from helpdesk.tickets.topics.editing import slug
from helpdesk.tickets.topics.fields import Field, Option
from helpdesk.tickets.topics.models import Kind

COLOURS = (Option("red", "Red"), Option("blue", "Blue"))


@pytest.fixture(autouse=True)
def words() -> Any:
    app = Flask("words")
    Babel(app)
    with app.test_request_context():
        yield


def field(id: int, kind: Kind = Kind.TEXT, **more: Any) -> Field:
    return Field(id=id, key=f"key-{id}", kind=kind, label=f"Field {id}", options=COLOURS if kind is Kind.CHOICE else (), **more)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.NUMBER, "12", 12),
        (Kind.NUMBER, "1 234,50", 1234.5),
        (Kind.NUMBER, "−3", -3),
        (Kind.NUMBER, "007", 7),
        (Kind.DATE, "2026-03-02", "2026-03-02"),
        (Kind.DATE, "2.3.2026", "2026-03-02"),
        (Kind.CHOICE, "red", "red"),
        (Kind.YES_NO, "yes", True),
        (Kind.YES_NO, "no", False),
        (Kind.TEXT, "x" * 500, "x" * 500),
        (Kind.FILE, "photo.png", ["photo.png"]),
    ],
)
def test_a_text_becomes_the_typed_value(kind: Kind, text: str, value: Any) -> None:
    held, wrong = fields.values([field(1, kind)], {1: text})
    assert held == {"key-1": value} and not wrong


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.NUMBER, "twelve"),
        (Kind.NUMBER, "1e400"),
        (Kind.NUMBER, "NaN"),
        (Kind.NUMBER, "9" * 16),
        (Kind.NUMBER, "1,2,3"),
        (Kind.DATE, "2026-02-30"),
        (Kind.DATE, "yesterday"),
        (Kind.CHOICE, "green"),
        (Kind.YES_NO, "maybe"),
        (Kind.TEXT, "x" * 501),
        (Kind.LONG_TEXT, "x" * 10_001),
    ],
)
def test_what_is_none_is_refused_by_name(kind: Kind, text: str) -> None:
    held, wrong = fields.values([field(1, kind)], {1: text})
    assert held == {} and list(wrong) == ["c-1"]


def test_a_required_field_is_missed_only_where_it_is_asked() -> None:
    deciding = field(1, Kind.CHOICE)
    needed = field(2, required=True, shown_if=1, shown_if_values=frozenset(("blue",)))
    assert fields.values([deciding, needed], {1: "red"}) == ({"key-1": "red"}, {})
    assert list(fields.values([deciding, needed], {1: "blue"})[1]) == ["c-2"]


def test_what_hangs_on_a_hidden_field_is_hidden_too_and_its_value_is_not_kept() -> None:
    chain = [field(1, Kind.YES_NO), field(2, shown_if=1, shown_if_values=frozenset(("yes",))), field(3, shown_if=2)]
    typed = {1: "no", 2: "still here", 3: "and this"}
    assert [one.id for one in fields.asked(chain, typed)] == [1]
    assert fields.values(chain, typed)[0] == {"key-1": False}
    assert [one.id for one in fields.asked(chain, {**typed, 1: "yes"})] == [1, 2, 3]


def test_without_values_anything_but_no_and_nothing_shows_the_next_field() -> None:
    pair = [field(1), field(2, shown_if=1)]
    assert [len(fields.asked(pair, {1: text})) for text in ("", "  ", "no", "yes", "words")] == [1, 1, 1, 2, 2]


def test_values_come_back_as_words() -> None:
    assert fields.words_of(field(1, Kind.YES_NO), True) == "Yes"
    assert fields.words_of(field(1, Kind.CHOICE), "blue") == "Blue"
    assert fields.words_of(field(1, Kind.CHOICE), "gone-long-ago") == "gone-long-ago"
    assert fields.words_of(field(1, Kind.DATE), "2026-03-02") == "March 2, 2026"
    assert fields.words_of(field(1, Kind.NUMBER), 1234.5) == "1234.5"


def test_names_in_either_language_become_keys() -> None:
    assert slug("Order number") == "order-number" and slug("Номер заказа") == "nomer-zakaza" and slug("???") == "field"
