"""Which article answers: reading a question, gathering candidates, ordering the best of them. Pure over one snapshot.

A candidate's score is a sum of three views, each as a share of what the question could have scored at most:
words (BM25 per field, Robertson and Zaragoza 2009, with one inverse document frequency over all fields), neighbours (pairs of stems
that stand together in both) and letters (character 3–4-grams, which see through endings, compounds and typos), plus how much of the
title was asked for. The question becomes terms here, in code: there is no query language; `NOT`, `id:1` or `*` are just letters.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

from helpdesk.kb import everyday, layout, text
from helpdesk.kb.index import FIELDS
from helpdesk.kb.snapshot import Kept, Snapshot
from helpdesk.kb.speller import SHORTEST, grams

RERANKED = 50
LONGEST_QUERY = 2_000  # characters that are read of a question
_SYNONYM = 0.7  # of the asked word's weight
_SMALL_TALK = 0.3
_MOST_WORDS = 160  # different ones looked up
_MOST_STEMS = 24  # asked for, the rarest
_MOST_GRAMS = 64  # looked for in each candidate, the rarest
_TEXTS = ("title", "body", "asked")  # in the order of Kept.texts


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much; `helpdesk kb tune` fits some of it to one knowledge base's log. The defaults come from the tuning halves of
    three public question sets, from the middle of the plateau, not the peak of any."""

    title: float = 1.0
    body: float = 0.28
    asked: float = 0.45
    labels: float = 0.3
    pairs: float = 0.4
    grams: float = 0.35
    coverage: float = 0.15
    k1: float = 1.2
    b: float = 0.75
    #: Postings scored before the common words are left out: keeps the cost flat as the base grows.
    cap: int = 6_000
    #: Words that are not looked for when others are left.
    stop_words: tuple[str, ...] = ()

    def of(self, name: str) -> float:
        """The weight of a field of the index."""
        return float(getattr(self, name))


@dataclass(slots=True)
class Question:
    """A question as understood: its `stems` → how much each counts (all likely corrections, synonyms less), its `words` in order (each as
    it most likely was meant), how many words nobody knows, and a `suggestion` when something was corrected."""

    stems: dict[str, float] = field(default_factory=dict)
    unknown: int = 0
    words: list[str] = field(default_factory=list)
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A found article: where it is, what it is, and its score (about 0 to 2; 1 is a title with all the words).

    `open`: texts whose letters are still to be looked at, each after what it may add to the score.
    """

    segment: int
    number: int
    article: Kept
    score: float
    open: tuple[tuple[float, str], ...] = ()


def understand(
    query: str, snapshot: Snapshot, familiar: Collection[str] = (), synonyms: Mapping[str, Collection[str]] | None = None
) -> Question:
    """Read a question: stems, with unknown words corrected by keyboard layout or spelling, and the stems that `synonyms` adds to them.

    `familiar` words (from tickets) are no mistakes: their neighbours are searched too, but nothing is suggested.
    """
    query = text.normal(query[: 2 * LONGEST_QUERY])[:LONGEST_QUERY]
    question = Question()
    shown: list[str] = []
    changed = False
    for chunk in query.split():
        read = list(text.tokens(chunk))
        if read and not any(snapshot.weight(token.stem) for token in read):
            other = layout.switched(chunk)
            again = list(text.tokens(other))
            if again and all(snapshot.weight(token.stem) for token in again):
                chunk, read, changed = other, again, True
        meant = [_correction(token, snapshot) or _written_oddly(token, snapshot) for token in read]
        for token, corrected in zip(reversed(read), reversed(meant), strict=True):  # backwards: earlier offsets stay true
            if corrected and token.word not in familiar:
                chunk, changed = chunk[: token.start] + corrected[0] + chunk[token.end :], True
        shown.append(chunk)
        for token, corrected in zip(read, meant, strict=True):
            question.words.append(corrected[0] if corrected else token.word)
            question.stems.update((text.stem(word), 1.0) for word in corrected or [token.word])
            question.unknown += not corrected and not snapshot.weight(token.stem)
        if len(question.words) > _MOST_WORDS:
            break
    _weigh(question, snapshot, synonyms or {})
    question.suggestion = " ".join(shown) if changed else None
    return question


def _weigh(question: Question, snapshot: Snapshot, synonyms: Mapping[str, Collection[str]]) -> None:
    """Small talk counts little beside words that tell something; what articles may say instead is looked for, too."""
    asked = list(question.stems)
    telling = [stem for stem in asked if stem not in everyday.small_talk()] or asked
    for stem in asked:
        question.stems[stem] = 1.0 if stem in telling else _SMALL_TALK
    for stem in asked:
        for other in synonyms.get(stem, ()):
            question.stems[other] = max(question.stems.get(other, 0.0), _SYNONYM)
    for stem in telling:
        for other, share in snapshot.akin(stem):
            question.stems.setdefault(other, share)


def rank(question: Question, snapshot: Snapshot, allowed: Sequence[bytes | None], weights: Weights, limit: int = RERANKED) -> list[Ranked]:
    """The best articles, best first; only those that share a word with the question."""
    weights = replace(weights, asked=weights.asked * snapshot.asked_share)
    stems = {stem: share * weight for stem, share in question.stems.items() if (weight := snapshot.weight(stem))}
    if weights.stop_words:
        stopped = _stopped(weights.stop_words)
        stems = {stem: weight for stem, weight in stems.items() if stem not in stopped} or stems
    rarest = heapq.nlargest(_MOST_STEMS, stems, key=lambda stem: stems[stem])
    if not rarest:
        return []
    most = sum(stems[stem] for stem in rarest if question.stems[stem] == 1) + min(question.unknown, _MOST_STEMS) * snapshot.rarest
    best = _candidates({stem: stems[stem] for stem in rarest}, snapshot, allowed, weights)
    pairs = _pairs(question, snapshot) if weights.pairs else {}
    letters = _letters(question, snapshot) if weights.grams else {}
    scored: list[tuple[float, float, Ranked]] = []
    for words, segment, number in best:
        article = snapshot.article(segment, number)
        score = words / most
        for name, kept in zip(_TEXTS, article.texts, strict=True):
            if kept.stems:
                score += weights.of(name) * weights.pairs * _present(pairs, kept.stems) / most
        titled, longer = (_letter_scales(segment, number, article, names, snapshot, weights) for names in (_TEXTS[:1], _TEXTS[1:]))
        score += _letter_score(letters, titled)
        highest = score + weights.coverage + sum(scale for scale, _ in longer)
        scored.append((highest, score, Ranked(segment, number, article, 0.0, longer)))

    # the rest is looked at only while it can still change the order
    settled: list[Ranked] = []
    least = -1.0
    for highest, score, candidate in sorted(scored, key=lambda one: -one[0]):
        if highest < least:
            break
        score += _letter_score(letters, candidate.open) + weights.coverage * _coverage(question, candidate.article, snapshot)
        settled.append(replace(candidate, score=score, open=()))
        if len(settled) >= limit:
            least = heapq.nlargest(limit, (one.score for one in settled))[-1]
    settled.sort(key=lambda one: (-one.score, one.article.id))
    return settled[:limit]


@lru_cache(maxsize=8)
def _stopped(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text.stems(" ".join(words)))


def telling(question: Question, snapshot: Snapshot) -> set[str]:
    """The asked stems worth showing in a snippet: not those that are nearly everywhere."""
    weights = {stem: snapshot.weight(stem) for stem in question.stems}
    least = 0.15 * max(weights.values(), default=0.0)
    return {stem for stem, weight in weights.items() if weight > least}


def _correction(token: text.Token, snapshot: Snapshot) -> list[str]:
    if len(token.word) < SHORTEST or snapshot.weight(token.stem):
        return []
    return [word for word in snapshot.corrections(token.word) if snapshot.weight(text.stem(word))]


def _written_oddly(token: text.Token, snapshot: Snapshot) -> list[str]:
    """A word that no article has, as it may have been meant: without its "не", or in Russian letters."""
    if len(token.word) < SHORTEST or snapshot.weight(token.stem) or not token.word.isalpha():
        return []
    for word in (everyday.split_not(token.word), everyday.in_cyrillic(token.word) if token.word.isascii() else ""):
        if word and snapshot.weight(text.stem(word)):
            return [word]
    return []


def _candidates(
    stems: dict[str, float], snapshot: Snapshot, allowed: Sequence[bytes | None], weights: Weights
) -> list[tuple[float, int, int]]:
    """The best by words: (score, segment, number). BM25 summed over fields, rarest postings first, until the budget is spent: what is
    common decides little."""
    wanted = [(count, name, stem) for stem in stems for name, count in zip(FIELDS, snapshot.counts(stem), strict=True) if count]
    sums: list[dict[int, float]] = [{} for _ in snapshot.segments]
    spent = 0
    for count, name, stem in sorted(wanted):
        if spent and spent + count > weights.cap:
            break
        spent += count
        scale = stems[stem] * weights.of(name)
        for at, sum_ in enumerate(sums):
            if allowed[at] is not None:
                numbers, impacts = snapshot.impacts(at, name, stem, weights.k1, weights.b)
                for number, impact in zip(numbers, impacts, strict=True):
                    sum_[number] = sum_.get(number, 0.0) + scale * impact
    found: list[tuple[float, int, int]] = []
    for at, (sum_, open_to) in enumerate(zip(sums, allowed, strict=True)):
        if open_to is not None:
            scores = sorted([score for number, score in sum_.items() if open_to[number]])
            least = scores[-RERANKED] if len(scores) > RERANKED else 0.0
            found += [(score, -at, -number) for number, score in sum_.items() if score >= least and open_to[number]]
    found.sort(reverse=True)
    return [(score, -at, -number) for score, at, number in found[:RERANKED]]


def _letter_scales(
    segment: int, number: int, article: Kept, names: Sequence[str], snapshot: Snapshot, weights: Weights
) -> tuple[tuple[float, str], ...]:
    """For each filled text of an article what all letters of the question would add to its score, and the text."""
    if not weights.grams:
        return ()
    scales = []
    for name in names:
        text_ = article.texts[_TEXTS.index(name)].words
        if text_:
            norm = snapshot.segments[segment].norms(name, snapshot.averages[name], weights.k1, weights.b)[number]
            scales.append((weights.of(name) * weights.grams * (weights.k1 + 1) / (1 + norm), text_))
    return tuple(scales)


def _letter_score(letters: dict[str, float], scales: Sequence[tuple[float, str]]) -> float:
    most = sum(letters.values())
    return sum(scale * _present(letters, where) / most for scale, where in scales) if most else 0.0


def _pairs(question: Question, snapshot: Snapshot) -> dict[str, float]:
    """Neighbouring stems of the question as they would stand in a text, and what finding them is worth."""
    stems = [text.stem(word) for word in question.words]
    weights = [snapshot.weight(stem) * question.stems.get(stem, 1.0) for stem in stems]
    return {f" {stems[i]} {stems[j]} ": (weights[i] + weights[j]) / 2 for i, j in pairwise(range(len(stems))) if weights[i] and weights[j]}


def _letters(question: Question, snapshot: Snapshot) -> dict[str, float]:
    """The question's most telling grams and their weights."""
    telling = [word for word in question.words if question.stems.get(text.stem(word), 1.0) == 1.0]
    weighed = {gram: snapshot.speller.gram_weight(gram) for word in telling for gram in grams(word)}
    return {gram: weighed[gram] for gram in heapq.nlargest(_MOST_GRAMS, weighed, key=lambda gram: weighed[gram]) if weighed[gram]}


def _present(parts: dict[str, float], where: str) -> float:
    """The weight of those parts that occur: a substring search, which costs less than keeping vectors of every article."""
    return sum([weight for part, weight in parts.items() if part in where])


def _coverage(question: Question, article: Kept, snapshot: Snapshot) -> float:
    """The share of the title that the question speaks of: of two titles with the asked words, the shorter one answers."""
    title = {stem: snapshot.weight(stem) for stem in article.texts[0].stems.split()}
    asked = sum(weight for stem, weight in title.items() if stem in question.stems)
    return asked / sum(title.values()) if asked else 0.0
