"""Russian, English or neither: a guess from letters and small words, good enough to pick a queue or a template, never to decide a right."""

from __future__ import annotations

import re

SAMPLE = 4000
_WORDS = re.compile(r"[^\W\d_]+")
_SMALL_WORDS = (
    "the and to of a in is for you that it on with this have i not are be we my as can at but please hello hi thanks thank your our from "
    "how what when was will would do does did has"
)
_ENGLISH = frozenset(_SMALL_WORDS.split())
# Letters that Russian does not have: Ukrainian, Belarusian, Serbian, Macedonian, Kazakh.
_NOT_RUSSIAN = frozenset("іїєґўђћџљњјѓќѕәғқңөұүһ")


def guess(text: str) -> str | None:
    """ "ru", "en" or None when the text is neither or too short to tell."""
    words = _WORDS.findall(text[:SAMPLE].lower())
    letters = sum(map(len, words))
    if letters < 2:
        return None
    cyrillic = sum(1 for word in words for sign in word if "\u0400" <= sign <= "\u04ff")
    if cyrillic * 2 > letters:
        foreign = sum(1 for word in words for sign in word if sign in _NOT_RUSSIAN)
        return None if foreign * 100 > cyrillic else "ru"
    latin = [word for word in words if word.isascii()]
    small = sum(1 for word in latin if word in _ENGLISH)
    return "en" if sum(map(len, latin)) * 10 >= letters * 9 and small * 8 >= len(latin) and small else None
