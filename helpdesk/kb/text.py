"""The desk's one analyser: what counts as a word, and which words are the same word.

The knowledge base uses it when indexing and when asking, ticket search for its columns of stems: what one finds, the other spells alike.
Snowball by script (Cyrillic → Russian, Latin → English), so that a text may mix languages.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

VERSION = 1  # raise it when words or stems come out differently: every index is then rebuilt

LONGEST = 64  # letters kept of a word; nobody means more, and a pasted key must not fill the vocabulary
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
# C++ and C# first, then words with their inner joints (ORA-00942, ERR_TIMED_OUT, 2024/118), which come apart below.
_TOKEN = re.compile(r"(?<!\w)[^\W\d_](?:\+\+|#)(?!\w)|[^\W_]+(?:[-_/][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_CYRILLIC = re.compile("[а-яѐ-џ]")
_ALL_CYRILLIC = re.compile("[а-яѐ-џ]+")
_NAMES = {"+": "plusplus", "#": "sharp"}
# Letters that look the same: 1С typed with a Latin C, "пaроль" with a Latin a.
_LOOKALIKES = "авекмнорстух", "abekmhopctyx"
_TO_LATIN, _TO_CYRILLIC = str.maketrans(*_LOOKALIKES), str.maketrans(*reversed(_LOOKALIKES))

_stemmers = threading.local()  # a stemmer keeps its word in itself, so each thread needs its own


@dataclass(frozen=True, slots=True)
class Token:
    """A word where it stands: `start` and `end` count characters of the `normal` text it was found in."""

    word: str
    stem: str
    start: int
    end: int


def normal(text: str) -> str:
    """NFC (Snowball does not know й written as two characters), without soft hyphens and zero-width characters."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFC", text))


def tokens(text: str) -> Iterator[Token]:
    """The words of a `normal` text in order. A code such as ORA-00942 yields its parts, then itself written together."""
    for match in _TOKEN.finditer(text):
        start = match.start()
        for word, stem_, begin, end in _analysed(match.group()):
            yield Token(word, stem_, start + begin, start + end)


@lru_cache(maxsize=20_000)
def _analysed(chunk: str) -> tuple[tuple[str, str, int, int], ...]:
    """What is between two spaces as (word, stem, start, end): the same few chunks make up most of any text."""
    found = chunk.lower().replace("ё", "е")
    if found[-1] in _NAMES:
        word = found[0] + _NAMES[found[-1]]
        return ((word, word, 0, len(chunk)),)
    analysed = []
    parts = list(_PART.finditer(found))
    for part in parts:
        word = _one_script(part.group()[:LONGEST])
        # lower() may lengthen exotic letters; offsets are only used to mark text, never to cut bytes
        analysed.append((word, stem(word), part.start(), min(part.end(), len(chunk))))
    if 1 < len(parts) <= 6 and len(found) <= LONGEST and ("_" in found or any(map(str.isdigit, found))):
        word = _one_script("".join(part.group() for part in parts))
        analysed.append((word, word, 0, len(chunk)))
    return tuple(analysed)


def words(text: str) -> list[str]:
    """Lower-case words as they were written (ё as е), in order."""
    return [token.word for token in tokens(normal(text))]


def stems(text: str) -> list[str]:
    """Stems in order; each consists of letters and digits only, so that FTS5 and `to_tsvector('simple', …)` keep it whole."""
    return [token.stem for token in tokens(normal(text))]


@lru_cache(maxsize=30_000)
def stem(word: str) -> str:
    """The stem of one lower-case word; words with digits, and of one or two letters, stay as they are."""
    if len(word) < 3 or not word.isalpha():
        return word
    language = "russian" if _CYRILLIC.search(word) else "english"
    stemmer = getattr(_stemmers, language, None)
    if stemmer is None:
        stemmer = snowballstemmer.stemmer(language)
        setattr(_stemmers, language, stemmer)
    return str(stemmer.stemWord(word))


def _one_script(word: str) -> str:
    """Undo look-alike letters: all of them Latin beside digits (1С, А4), otherwise the script that most letters are in."""
    if word.isascii() or _ALL_CYRILLIC.fullmatch(word):
        return word
    letters = [letter for letter in word if letter.isalpha()]
    cyrillic = sum(bool(_CYRILLIC.match(letter)) for letter in letters)
    if not cyrillic:
        return word
    if len(letters) < len(word) and all(letter in _LOOKALIKES[0] or letter.isascii() for letter in letters):
        return word.translate(_TO_LATIN)
    if cyrillic == len(letters):
        return word
    return word.translate(_TO_CYRILLIC if 2 * cyrillic >= len(letters) else _TO_LATIN)
