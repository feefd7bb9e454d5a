"""The passage of an answer that speaks of the question, cut and marked. Runs of text, never HTML: the template escapes and marks."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from helpdesk.kb.text import stem

LENGTH = 220  # characters of a snippet, about three lines
_WORD = re.compile(r"[^\W_]+")
_SPACES = re.compile(r"\s+")
_LOOKED_AT = 8_000  # characters of the body


class Run(NamedTuple):
    """Consecutive text, and whether it is a word that was asked for."""

    text: str
    is_hit: bool


def marked(text: str, stems: Collection[str]) -> tuple[Run, ...]:
    """The whole of a `normal` text (a title) as runs."""
    return _runs(text, 0, len(text), _hits(text, stems))


def snippet(body: str, stems: Collection[str], length: int = LENGTH) -> tuple[Run, ...]:
    """The stretch of about `length` characters of a `normal` text with the most different asked words, the earliest of equals; without any,
    the beginning."""
    text = body[:_LOOKED_AT]
    hits = _hits(text, stems)
    best, most = 0, 0
    for i, (begin, _, _) in enumerate(hits):
        inside = {found for _, end, found in hits[i : i + 40] if end <= begin + length}
        if len(inside) > most:
            best, most = begin, len(inside)
    start = _word_start(text, max(0, best - length // 4)) if most else 0
    end = start + length
    if end < len(text):
        end = text.rfind(" ", start + length // 2, end + 1) if text.rfind(" ", start + length // 2, end + 1) > 0 else end
    runs = _runs(text, start, min(end, len(text)), hits)
    return tuple([Run("… ", False)] * (start > 0) + list(runs) + [Run(" …", False)] * (end < len(text)))


def _hits(text: str, stems: Collection[str]) -> list[tuple[int, int, str]]:
    """(start, end, stem) of each asked word. Only words that begin like a stem are stemmed: analysing all would cost milliseconds."""
    folded = _folded(text)
    found: dict[int, tuple[int, int, str]] = {}
    for begin in {one[: max(2, len(one) - 1)] for one in stems if one}:
        at = folded.find(begin)
        while at >= 0:
            word = _WORD.match(folded, at)
            if word and (at == 0 or not folded[at - 1].isalnum()) and stem(word.group()) in stems:
                found[at] = (at, word.end(), stem(word.group()))
            at = folded.find(begin, at + 1)
    return sorted(found.values())


def _folded(text: str) -> str:
    """As stems are written: lower case, ё as е; every character in its place (the lower İ is two)."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return lower.replace("ё", "е")


def _runs(text: str, start: int, end: int, hits: list[tuple[int, int, str]]) -> tuple[Run, ...]:
    runs: list[Run] = []
    at = start
    for begin, stop, _ in hits:
        if begin < at or stop > end:
            continue
        if begin > at:
            runs.append(Run(text[at:begin], False))
        runs.append(Run(text[begin:stop], True))
        at = stop
    if at < end:
        runs.append(Run(text[at:end], False))
    return tuple(Run(_SPACES.sub(" ", run.text), run.is_hit) for run in runs)


def _word_start(text: str, at: int) -> int:
    if at == 0:
        return 0
    space = text.find(" ", at, at + 40)
    return space + 1 if space >= 0 else at
