"""What the knowledge base's words look like: corrects a typo, and says how rare a few letters in a row are.

A deletion index (two words are one edit apart only if they meet after deleting at most one letter from each) built once per full index and
kept as flat arrays: 60,000 words take about eight megabytes, a look-up some ten microseconds.
"""

from __future__ import annotations

import json
import math
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise

from helpdesk.kb.text import stem

SHORTEST = 4  # letters; shorter words have too many neighbours
MOST_WORDS = 60_000  # the most frequent ones
_BITS = 20  # of a key are the word's number, the rest a hash of what is left after a deletion
_GRAM_SLOTS = 1 << 16


def grams(word: str) -> list[str]:
    """The character 3- and 4-grams of a word with its edges: "код" → " ко", "код", "од ", " код", "код "."""
    edged = f" {word} "
    return [edged[i : i + size] for size in (3, 4) for i in range(len(edged) - size + 1)]


class Speller:
    """An immutable vocabulary: words as written, the most frequent first, and their stems, each standing for its most frequent word.

    It reads straight from the bytes of its file (`dumped`). Raises ValueError when they are not such a file.
    """

    def __init__(self, dumped: bytes) -> None:
        header, _, _ = dumped.partition(b"\n")
        *sizes, self._documents = json.loads(header)
        ends = list(accumulate(sizes, initial=len(header) + 1))
        if len(sizes) != 7 or ends[-1] != len(dumped):
            raise ValueError("not a speller's file")
        view = memoryview(dumped)
        parts = [view[start:end] for start, end in pairwise(ends)]
        self.dumped = dumped
        self._words, self._stems = _Strings(parts[0], parts[1].cast("I")), _Strings(parts[2], parts[3].cast("I"))
        self._keys, self._stands_for, self._gram_counts = parts[4].cast("Q"), parts[5].cast("I"), parts[6].cast("I")

    @classmethod
    def of(cls, frequencies: Mapping[str, int], documents: int, *, weighing: bool = True) -> Speller:
        """Build from word → in how many of the `documents` it stands; without `weighing` it only corrects."""
        usable = [word for word in frequencies if len(word) >= SHORTEST - 1 and word.isalpha()]
        usable.sort(key=lambda word: (-frequencies[word], word))
        words = usable[:MOST_WORDS]  # the rank is the popularity: no counts are kept
        standing: dict[str, int] = {}
        for number, word in enumerate(words):
            standing.setdefault(stem(word), number)
        stems = [base for base in standing if len(base) >= SHORTEST]
        keys = array("Q", sorted({_key(left, number) for number, word in enumerate(words + stems) for left in _left_of(word)}))
        stands_for = array("I", (standing[base] for base in stems))
        parts = [
            *_packed(words),
            *_packed(stems),
            *(one.tobytes() for one in (keys, stands_for, _gram_counts(frequencies, documents) if weighing else array("I"))),
        ]
        return cls(b"".join((json.dumps([*map(len, parts), documents]).encode(), b"\n", *parts)))

    def corrections(self, word: str, most: int = 3) -> list[str]:
        """Known words one edit away (a letter missing, added, changed, or two swapped), the likeliest first; `word` itself is not asked.

        Without any, words whose stem is at most one edit away from `word` less its ending: the knowledge base may have other forms only.
        """
        if len(word) < SHORTEST or not word.isalpha():
            return []
        met = {number for left in _left_of(word) for number in self._meeting(left) if number < len(self._words)}
        near = [(known[0] != word[0], number, known) for number in met if _one_edit(word, known := self._words[number])]
        return [known for _, _, known in sorted(near)[:most]] or self._forms(word)[:most]

    def __contains__(self, word: str) -> bool:
        return any(number < len(self._words) and self._words[number] == word for number in self._meeting(word))

    def has_stem(self, stem: str) -> bool:
        """Whether a word of the vocabulary has this stem. Short ones, which are not kept, are said to be known."""
        if len(stem) < SHORTEST:
            return True
        first = len(self._words)
        return any(number >= first and self._stems[number - first] == stem for number in self._meeting(stem))

    def gram_weight(self, gram: str) -> float:
        """How telling these letters are (idf, never negative), from the number of articles that have them in some word."""
        count = min(self._gram_counts[zlib.crc32(gram.encode()) % _GRAM_SLOTS], self._documents)
        return math.log(1 + (self._documents - count + 0.5) / (count + 0.5))

    def _forms(self, word: str) -> list[str]:
        """Words whose stem is `word` less up to three letters, or an edit away from it; the longest beginning that meets any decides."""
        for end in range(len(word), max(SHORTEST, len(word) * 3 // 5, len(word) - 3) - 1, -1):
            begin = word[:end]
            met = {number - len(self._words) for left in _left_of(begin) for number in self._meeting(left)}
            near = [
                (known != begin, known[0] != word[0], self._stands_for[number])
                for number in met
                if number >= 0 and ((known := self._stems[number]) == begin or _one_edit(begin, known))
            ]
            if near:
                return [self._words[number] for _, _, number in sorted(near)]
        return []

    def _meeting(self, left: str) -> Iterable[int]:
        first = _key(left, 0)
        at = bisect_left(self._keys, first)
        while at < len(self._keys) and self._keys[at] >> _BITS == first >> _BITS:
            yield self._keys[at] & ((1 << _BITS) - 1)
            at += 1


class _Strings:
    """Many short strings in few bytes: UTF-8 end to end, and where each begins."""

    def __init__(self, content: memoryview, starts: memoryview[int]) -> None:
        self._content, self._starts = content, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> str:
        return str(self._content[self._starts[number] : self._starts[number + 1]], "utf-8")


def _packed(strings: list[str]) -> tuple[bytes, bytes]:
    encoded = [one.encode() for one in strings]
    return b"".join(encoded), array("I", accumulate(map(len, encoded), initial=0)).tobytes()


def _left_of(word: str) -> set[str]:
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def _key(left: str, number: int) -> int:
    return zlib.crc32(left.encode()) << _BITS | number


def _one_edit(word: str, known: str) -> bool:
    if abs(len(word) - len(known)) > 1 or word == known:
        return False
    i = 0
    while i < min(len(word), len(known)) and word[i] == known[i]:
        i += 1
    if len(word) < len(known):
        return word[i:] == known[i + 1 :]
    if len(word) > len(known):
        return word[i + 1 :] == known[i:]
    return word[i + 1 :] == known[i + 1 :] or (word[i : i + 2] == known[i : i + 2][::-1] and word[i + 2 :] == known[i + 2 :])


def _gram_counts(frequencies: Mapping[str, int], documents: int) -> array[int]:
    """Articles per gram, taking words as independent: a count from the texts themselves ranks no better and takes minutes."""
    logs = array("d", bytes(8 * _GRAM_SLOTS))
    for word, count in frequencies.items():
        absent = math.log1p(-min(count, documents - 0.5) / documents)
        for gram in set(grams(word)):
            logs[zlib.crc32(gram.encode()) % _GRAM_SLOTS] += absent
    return array("I", (round(-documents * math.expm1(log)) for log in logs))
