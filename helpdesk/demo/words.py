"""What the sample company's people write and say, read from `conversations/<language>.toml` and `names.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

FOLDER = Path(__file__).parent / "conversations"

#: c the customer writes, a the agent answers, n the agent leaves a note to colleagues, s the agent solves without another word.
Who = Literal["c", "a", "n", "s"]


@dataclass(frozen=True)
class Scenario:
    """A conversation as it goes when nobody interrupts it. `queue` is support, payments or delivery; `about` what its product must do."""

    queue: str
    subject: str
    turns: tuple[tuple[Who, str], ...]
    priority: str = "normal"
    about: str = ""


@dataclass(frozen=True)
class Texts:
    """Everything the company says and hears in one language.

    `products`: name, price in minor units, what it does. `calls`: title, what was said, what was agreed. `comments`: score → words beside
    a rating. `questions`: single requests, scenarios of one turn. `asks_again`: what somebody writes whose answer did not help.
    `called_back`: what came of a call after a bad rating.
    """

    language: str
    scenarios: tuple[Scenario, ...]
    products: tuple[tuple[str, int, str], ...]
    days: tuple[str, ...]
    calls: tuple[tuple[str, str, str], ...]
    comments: dict[int, tuple[str, ...]]
    questions: tuple[Scenario, ...]
    asks_again: tuple[str, ...]
    thanks: tuple[str, ...]
    answers: tuple[str, ...]
    called_back: tuple[str, ...]


@lru_cache(maxsize=4)
def texts(language: str) -> Texts:
    """The company's words in a language."""
    read = _read(language)
    return Texts(
        language=language,
        scenarios=tuple(
            Scenario(
                one["queue"],
                one["subject"],
                tuple((cast(Who, who), words) for turn in one["turns"] for who, words in turn.items()),
                one.get("priority", "normal"),
                one.get("about", ""),
            )
            for one in read["scenario"]
        ),
        products=tuple((one["name"], one["price"], one.get("is", "")) for one in read["product"]),
        calls=tuple((one["title"], one["said"], one["decided"]) for one in read["call"]),
        comments={int(score): tuple(words) for score, words in read["comments"].items()},
        questions=tuple(
            Scenario(one["queue"], one["subject"], (("c", one["text"]),), about=one.get("about", "")) for one in read["question"]
        ),
        **{name: tuple(read[name]) for name in ("days", "asks_again", "thanks", "answers", "called_back")},
    )


def names() -> dict[str, Any]:
    """First names by gender and family names, by language."""
    return _read("names")


@lru_cache(maxsize=4)
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
