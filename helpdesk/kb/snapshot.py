"""One state of the index in memory, immutable: what a search reads while writers write.

Whoosh decodes; scores are summed here over its postings, one term after the other. That is `Or([Term…])` without the matcher tree: the same
order of articles in a tenth of the time (bench/search.py), because a union of matchers costs microseconds a posting.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Mapping
from math import log
from typing import Any, NamedTuple

from whoosh.codec.whoosh3 import W3Codec
from whoosh.filedb.filestore import RamStorage
from whoosh.filedb.structfile import BufferFile
from whoosh.index import FileIndex
from whoosh.reading import SegmentReader, TermNotFound
from whoosh.util.numeric import byte_to_length

from helpdesk.kb import everyday, trust
from helpdesk.kb.index import FIELDS, Damaged, State
from helpdesk.kb.speller import Speller

_FIVE_QUESTIONS = 80  # words
_CACHED_POSTINGS = 300_000  # about three megabytes
_CACHED_ARTICLES = 400
_CACHED_MARKS = 100  # of a segment; a byte per article each
_CACHED_COUNTS = 20_000


#: Whoosh writes lengths in steps that grow, a byte each.
_LENGTH_OF = [byte_to_length(one) for one in range(256)]

_Postings = tuple["array[int]", "array[float]"]


class _Memory(RamStorage):  # type: ignore[misc]  # Whoosh has no types
    """Whoosh's storage in memory, reading the given bytes in place where the original copies them twice."""

    def open_file(self, name: str, **kwargs: Any) -> BufferFile:
        if name not in self.files:
            raise NameError(name)  # what Whoosh expects
        return BufferFile(self.files[name], name=name, **kwargs)


class Text(NamedTuple):
    """A field as the re-ranking reads it: words and stems between spaces, sentences closed by " ." """

    words: str
    stems: str


class Kept(NamedTuple):
    """What the index keeps of an article beside its postings."""

    id: str
    title: str
    body: str
    texts: tuple[Text, Text, Text]  # title, body, asked

    @classmethod
    def of(cls, stored: tuple[Any, ...]) -> Kept:
        """From the row that index.py wrote."""
        return cls(stored[0], stored[1], stored[2], (Text(*stored[3]), Text(*stored[4]), Text(*stored[5])))


class Segment:
    """One Whoosh segment. Its lengths and sets survive in later snapshots: only deletions change."""

    def __init__(self, reader: SegmentReader, files: Mapping[str, bytes], previous: Segment | None) -> None:
        self.reader = reader
        self.size: int = reader.doc_count_all()
        if previous is None:
            self.lengths = {name: _lengths(reader, files, name, self.size) for name in FIELDS}
            self._marks: dict[tuple[str, str], bytes] = {}
        else:
            self.lengths, self._marks = previous.lengths, previous._marks
        self._norms: dict[tuple[str, float, float, float], array[float]] = {}

    def postings(self, field: str, term: str) -> tuple[array[int], array[float]]:
        """Article numbers and how often each has the term; deleted ones are not among them."""
        numbers, counts = array("I"), array("f")
        try:
            matcher = self.reader.postings(field, term)
        except TermNotFound:
            return numbers, counts
        number, count, step, active = matcher.id, matcher.weight, matcher.next, matcher.is_active
        while active():
            numbers.append(number())
            counts.append(count())
            step()
        return numbers, counts

    def marked(self, field: str, term: str) -> bytes:
        """A byte per article: 1 where the set `field` (audience, language, category) holds `term`."""
        found = self._marks.get((field, term))
        if found is None:
            marks = bytearray(self.size)
            for number in self.postings(field, term)[0]:
                marks[number] = 1
            if len(self._marks) >= _CACHED_MARKS:
                self._marks.clear()
            found = self._marks[field, term] = bytes(marks)
        return found

    def norms(self, field: str, average: float, k1: float, b: float) -> array[float]:
        """BM25's k1·(1−b+b·length/average) per article. A few `asked` count as five would: alone they would shout, being so short."""
        key = (field, average, k1, b)
        found = self._norms.get(key)
        if found is None:
            flat, slope = k1 * (1 - b), k1 * b / average
            least = _FIVE_QUESTIONS if field == "asked" else 0
            found = self._norms[key] = array("f", (flat + slope * max(length, least) for length in self.lengths[field]))
        return found


def _lengths(reader: SegmentReader, files: Mapping[str, bytes], field: str, size: int) -> array[int]:
    """How many words each article has in a field: Whoosh's column of them, a byte each, read at once instead of 10,000 times."""
    column = files.get(W3Codec.column_filename(reader.segment(), f"_{field}_len"), b"")[:size]
    return array("I", (*map(_LENGTH_OF.__getitem__, column), *bytes(size - len(column))))


class Snapshot:
    """All segments of one state. Raises Damaged when Whoosh cannot read them."""

    def __init__(self, state: State, files: dict[str, tuple[int, bytes]], previous: Snapshot | None = None) -> None:
        self.revision, self.recent, self.files = state.revision, state.recent, files
        self.segments: list[Segment] = []
        self.speller: Speller
        storage = _Memory()
        storage.files = {name: content for name, (_, content) in files.items()}
        known = {str(segment.reader.segment().segment_id()): segment for segment in previous.segments} if previous else {}
        try:
            leaves = [leaf for leaf, _ in FileIndex(storage, indexname="MAIN").reader().leaf_readers() if leaf.doc_count_all()]
            self.segments = [Segment(leaf, storage.files, known.get(str(leaf.segment().segment_id()))) for leaf in leaves]
            if previous and previous.files["words"][1] is files["words"][1]:
                self.speller = previous.speller
            else:
                self.speller = Speller(files["words"][1])
            fresh: dict[str, int] = json.loads(files["recent"][1]) if "recent" in files else {}
            self._fresh_speller = Speller.of(fresh, state.recent, weighing=False) if fresh else None
        except Exception as error:  # a reader over broken files raises nearly anything
            raise Damaged(repr(error)) from error
        self.asked_share = trust.share(state.agreement)
        self.documents = sum(int(segment.reader.doc_count()) for segment in self.segments)
        self.rarest = log(2 * self.documents + 2)  # what a word of no article would weigh
        self.averages = {name: self._average(name) for name in FIELDS}
        self._counts: dict[str, tuple[int, ...]] = {}
        self._weights: dict[str, float] = {}
        self._akin: dict[str, tuple[tuple[str, float], ...]] = {}
        self._postings: dict[tuple[object, ...], _Postings] = {}
        self._cached_postings = 0
        self._articles: dict[tuple[int, int], Kept] = {}

    def counts(self, stem: str) -> tuple[int, ...]:
        """In how many articles each of FIELDS has the stem (until the next merge, deleted ones count)."""
        found = self._counts.get(stem)
        if found is None:
            if len(self._counts) >= _CACHED_COUNTS:
                self._counts.clear()
            counts = (sum(int(segment.reader.doc_frequency(name, stem)) for segment in self.segments) for name in FIELDS)
            found = self._counts[stem] = tuple(counts)
        return found

    def weight(self, stem: str) -> float:
        """Inverse document frequency, 0 for a stem that no article has.

        One weight for all fields, from the field that has it most: a word that is everywhere in the bodies tells little in a title too.
        """
        found = self._weights.get(stem)
        if found is None:
            if len(self._weights) >= _CACHED_COUNTS:
                self._weights.clear()
            count = min(max(self.counts(stem)), self.documents)
            found = self._weights[stem] = log(1 + (self.documents - count + 0.5) / (count + 0.5)) if count else 0.0
        return found

    def akin(self, stem: str) -> tuple[tuple[str, float], ...]:
        """Stems of the articles that say much the same as `stem`, and how much each counts of it (`everyday`)."""
        found = self._akin.get(stem)
        if found is None:
            if len(self._akin) >= _CACHED_COUNTS:
                self._akin.clear()
            others = everyday.akin(stem, self.weight(stem) > 0)
            found = self._akin[stem] = tuple((other, share) for other, share in others if self._is_known(other))
        return found

    def _is_known(self, stem: str) -> bool:
        """Whether some article has the stem; quick to say no, because most that are asked for do not exist."""
        fresh = self._fresh_speller
        return (self.speller.has_stem(stem) or (fresh is not None and fresh.has_stem(stem))) and self.weight(stem) > 0

    def postings(self, segment: int, field: str, term: str) -> tuple[array[int], array[float]]:
        """As Segment.postings, remembered: the same few words are asked all day."""
        return self._remembered((segment, field, term), lambda: self.segments[segment].postings(field, term))

    def impacts(self, segment: int, field: str, term: str, k1: float, b: float) -> tuple[array[int], array[float]]:
        """Article numbers and BM25's part that depends on the article: (k1+1)·times / (times + k1·(1−b+b·length/average))."""

        def computed() -> tuple[array[int], array[float]]:
            numbers, times = self.segments[segment].postings(field, term)
            norms = self.segments[segment].norms(field, self.averages[field], k1, b)
            return numbers, array("f", ((k1 + 1) * n / (n + norms[number]) for number, n in zip(numbers, times, strict=True)))

        return self._remembered((segment, field, term, k1, b), computed)

    def _remembered(self, key: tuple[object, ...], computed: Callable[[], _Postings]) -> _Postings:
        found = self._postings.get(key)
        if found is None:
            found = computed()
            if self._cached_postings > _CACHED_POSTINGS:
                self._postings.clear()
                self._cached_postings = 0
            self._postings[key] = found
            self._cached_postings += len(found[0]) + 10
        return found

    def allowed(self, audience: Iterable[str], language: str | None, category: str | None) -> list[bytes | None]:
        """Per segment a byte per article: may it be found. None stands for a segment of which nothing may."""
        audience = list(audience)
        masks: list[bytes | None] = []
        for segment in self.segments:
            mask = 0
            for term in audience:
                mask |= int.from_bytes(segment.marked("audience", term), "little")
            if language:
                mask &= int.from_bytes(segment.marked("language", language), "little")
            if category:
                mask &= int.from_bytes(segment.marked("category", category), "little")
            masks.append(mask.to_bytes(segment.size, "little") if mask else None)
        return masks

    def article(self, segment: int, number: int) -> Kept:
        """What the index keeps of one article."""
        key = (segment, number)
        found = self._articles.get(key)
        if found is None:
            found = Kept.of(self.segments[segment].reader.stored_fields(number)["kept"])
            if len(self._articles) >= _CACHED_ARTICLES:
                self._articles.clear()
            self._articles[key] = found
        return found

    def corrections(self, word: str) -> list[str]:
        """Known words one edit away, of which some article has the stem."""
        fresh = self._fresh_speller.corrections(word) if self._fresh_speller else []
        return list(dict.fromkeys(self.speller.corrections(word) + fresh))

    def _average(self, field: str) -> float:
        """Mean length where the field is filled: few articles have `asked`, and the empty ones must not make theirs look endless."""
        filled = total = 0
        for segment in self.segments:
            filled += sum(1 for length in segment.lengths[field] if length)
            total += sum(segment.lengths[field])
        return total / filled if filled else 1.0
