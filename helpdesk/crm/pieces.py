"""The pieces of a word by which any part of it is found: pure, so that verbs, migrations and restores make the same ones.

Three letters in a row are a piece. Whatever contains "jones" holds jon, one and nes; holding them proves nothing, but few others do, and
those are looked at. Of one letter and of two there are too many everywhere: they are pieces where a word begins, and anywhere in writing
without capitals (王伟), where one or two make a name. Letters are compared without their case, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from unicodedata import ucd_3_2_0 as letters

LONG = 3
#: More pieces of one question narrow it no further.
MOST = 16


def held(texts: Iterable[str]) -> list[str]:
    """Every piece of names and addresses, each once."""
    found: set[str] = set()
    for text in texts:
        for run in _runs(text):
            found.update((run[:1], run[:2]), (run[at : at + LONG] for at in range(len(run) - LONG + 1)))
            if not run.isascii():
                ends = ((at, at + length) for at in range(1, len(run)) for length in (1, 2))
                found.update(some for at, end in ends if _whole(some := run[at:end]))
    return sorted(found)


def wanted(word: str) -> list[str]:
    """Pieces that everything containing this word holds; of a short one: that everything in which a word begins so. None of mere signs."""
    found: list[str] = []
    runs = _runs(word)
    for run in runs if short(word) else (run for run in runs if len(run) >= LONG):
        # Every third one and the last cover the run; those between them would narrow it hardly more.
        found += [run[at : at + LONG] for at in (*range(0, len(run) - LONG, LONG), max(0, len(run) - LONG))]
    return list(dict.fromkeys(found))[:MOST]


def short(word: str) -> bool:
    """Whether a word has no three letters together: it is looked for where words begin."""
    return all(len(run) < LONG for run in _runs(word))


def _whole(some: str) -> bool:
    return all(letters.category(letter) == "Lo" for letter in some)


def _runs(text: str) -> list[str]:
    """Letters and digits that stand together; everything else only divides."""
    return "".join(map(_plain, text)).split()


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    """The letter without its case, or a space. SQLite knows the letters of an older Unicode, and would divide at those that came later.

    One letter stays one: of some lower() makes two.
    """
    low = letter.lower()
    low = low if len(low) == 1 else letter
    return low if letters.category(low)[0] in "LN" else " "
