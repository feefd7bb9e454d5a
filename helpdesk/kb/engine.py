"""What pages, forms, the workspace and the API ask: find an answer, or complete what is being typed.

The engine follows the articles' revision by itself: a few changes it writes at once, many it leaves to a child process, and meanwhile it
answers from the state it has. It never raises over its own index: a broken one is rebuilt behind the answers.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from helpdesk.kb import layout, ranking, text
from helpdesk.kb.documents import Source
from helpdesk.kb.index import EDGES, Busy, Damaged, Index, write_in_child
from helpdesk.kb.ranking import Ranked, Weights
from helpdesk.kb.snapshot import Snapshot
from helpdesk.kb.snippets import Run, marked, snippet

log = logging.getLogger(__name__)

AT_ONCE = 8  # changes written within a request; more go to a child
_AT_ONCE_LETTERS = 60_000
_GATHERED = 40  # changes, and an eighth of the base: then a rebuild puts small segments and new words in order
# Nothing is called the answer below this score, nor when the second comes closer than this share of the first. On the tuning halves 92 to
# 99 of 100 answers named so are right; of questions about something else 1 to 4 in 100 get one.
BEST_SCORE, BEST_MARGIN = 0.4, 0.25
_COMPLETED = 20  # titles looked at for a completion
_AHEAD = 5.0  # seconds without a search that saw the index's revision: then the database was restored to an older one
_PATIENCE = 8.0  # seconds a first search waits for a first index; after them the page says that it is being set up


@dataclass(frozen=True, slots=True)
class Hit:
    """A found article; `title` and `snippet` are runs of text with the asked words told apart, never HTML."""

    id: str
    score: float
    title: tuple[Run, ...]
    snippet: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """Best first. `best` is set only when one answer stands clear of the others; `did_you_mean` is the question as it was corrected.

    `building`: there is no index yet (a first start with many articles); ask again in a moment.
    """

    answers: tuple[Hit, ...] = ()
    best: Hit | None = None
    did_you_mean: str | None = None
    building: bool = False


class Engine:
    """One process's search over one folder. Safe to share between greenlets and threads."""

    def __init__(self, folder: Path, source: Source, *, weights: Weights | None = None, build_seconds: int = 900) -> None:
        self.weights = weights or Weights()
        self._index = Index(folder)
        self._source = source
        self._build_seconds = build_seconds
        self._snapshot: Snapshot | None = None
        self._stamp = (-1, -1)
        self._damaged = False
        self._ahead_since: float | None = None
        self._familiar: frozenset[str] = frozenset()
        self._synonyms: dict[str, set[str]] = {}
        self._building: threading.Thread | None = None
        self._not_before = 0.0  # monotonic: a failing build is not repeated at every search
        self._failures = 0
        self._guard = threading.Lock()

    def find(
        self, query: str, *, audience: Collection[str], limit: int = 10, language: str | None = None, category: str | None = None
    ) -> Results:
        """The articles that answer `query`, of those whose audience shares a term with `audience`.

        Any text may be asked: of a long one the first 2,000 characters count. An empty result has no words in common with any article.
        """
        snapshot = self._current()
        if snapshot is None:
            return Results(building=True)
        question = ranking.understand(query, snapshot, self._familiar, self._synonyms)
        ranked = ranking.rank(question, snapshot, snapshot.allowed(audience, language, category), self.weights, max(limit, 2))
        telling = ranking.telling(question, snapshot)
        answers = tuple(_hit(one, telling) for one in ranked[:limit])
        return Results(answers, answers[0] if answers and _stands_clear(ranked) else None, question.suggestion if answers else None)

    def suggest(self, prefix: str, *, audience: Collection[str], limit: int = 5, language: str | None = None) -> list[Hit]:
        """Titles for what is being typed: all words whole but the last, which may be a beginning of two letters or more.

        When no title goes on like that, the other keyboard layout is tried, then `find`.
        """
        snapshot = self._current()
        if snapshot is None:
            return []
        allowed = snapshot.allowed(audience, language, None)
        prefix = prefix[: ranking.LONGEST_QUERY // 10]
        for typed in (prefix, " ".join(map(layout.switched, prefix.split()))):
            if hits := _completed(typed, snapshot, allowed, limit):
                return hits
        if len(prefix.strip()) < 4:
            return []
        question = ranking.understand(prefix, snapshot, self._familiar, self._synonyms)
        telling = ranking.telling(question, snapshot)
        return [_hit(one, telling, short=True) for one in ranking.rank(question, snapshot, allowed, self.weights, limit)]

    def know(self, words: Iterable[str]) -> None:
        """Take these words (lower case, from tickets) for correctly written although no article has them."""
        self._familiar = frozenset(words)

    def treat_alike(self, groups: Iterable[Collection[str]]) -> None:
        """Search for each word of a group also with the others, at a lower weight; the groups are single words of any form."""
        synonyms: dict[str, set[str]] = {}
        for group in groups:
            stems = {one for word in group for one in text.stems(word)}
            for one in stems:
                synonyms.setdefault(one, set()).update(stems - {one})
        self._synonyms = synonyms

    def refresh(self) -> bool:
        """Bring the index up to date now; True when it is. For the moment after an edit, and for a worker."""
        snapshot = self._current()
        return snapshot is not None and snapshot.revision >= self._source.revision()

    def rebuild(self) -> bool:
        """Build the index anew, in a child, and wait for it; False when that failed. Also after the database was restored: what is on the
        disk is not looked at."""
        self._index.discard()
        built = write_in_child(self._index.folder, self._source, seconds=self._build_seconds)
        self._reload()
        return built

    def _current(self) -> Snapshot | None:
        """The newest state that can be had without waiting; a change that is small enough is written first."""
        if self._index.stamp() != self._stamp:
            self._reload()
        revision = self._source.revision()
        snapshot = self._snapshot
        if snapshot is None or self._damaged:
            self._start_build()
            if snapshot is None and self._building is not None:
                self._building.join(_PATIENCE)
                self._reload()
        elif snapshot.revision < revision:
            self._catch_up(snapshot, revision)
        if snapshot is None or snapshot.revision <= revision:
            self._ahead_since = None
        elif self._ahead_since is None:
            self._ahead_since = time.monotonic()  # perhaps only this search reads from an older transaction
        elif time.monotonic() - self._ahead_since > _AHEAD:
            self._ahead_since = None
            self._index.discard()
            self._mark_damaged(Damaged(f"it stands for revision {snapshot.revision}, the restored articles for {revision}"))
        return self._snapshot

    def _reload(self) -> None:
        """Read what is on the disk; keep the state in memory when that is damaged."""
        for _ in range(3):
            self._stamp = self._index.stamp()
            try:
                state, files = self._index.load(self._snapshot.files if self._snapshot else {})
                self._snapshot, self._damaged = Snapshot(state, files, self._snapshot), False
                return
            except Damaged as damage:
                reason = damage
            if self._stamp == (0, 0):
                break
            time.sleep(0.02)  # a writer may just have switched generations
        self._mark_damaged(reason)

    def _mark_damaged(self, reason: Damaged) -> None:
        self._damaged = True
        log.warning("knowledge base index unusable, it will be rebuilt: %s", reason)

    def _catch_up(self, snapshot: Snapshot, revision: int) -> None:
        if snapshot.recent > _GATHERED + snapshot.documents // 8:
            self._start_build()
        changes = list(islice(self._source.changed_since(snapshot.revision), AT_ONCE + 1))
        if len(changes) > AT_ONCE or sum(len(change.body) for change in changes) > _AT_ONCE_LETTERS:
            self._start_build(since=snapshot.revision)
            return
        try:
            self._index.update(changes, revision, held=snapshot.files)
        except Busy:
            return
        except Damaged as damage:
            self._mark_damaged(damage)
            self._start_build()
            return
        self._reload()

    def _start_build(self, since: int | None = None) -> None:
        with self._guard:
            if self._building is not None and self._building.is_alive():
                return
            if time.monotonic() < self._not_before:
                return
            self._building = threading.Thread(target=self._build, args=(since,), name="kb-index", daemon=True)
            self._building.start()

    def _build(self, since: int | None) -> None:
        try:
            built = write_in_child(self._index.folder, self._source, since=since, seconds=self._build_seconds)
        except Exception:
            log.exception("the knowledge base's index could not be built")
            built = False
        self._failures = 0 if built else self._failures + 1
        self._not_before = 0.0 if built else time.monotonic() + min(60, 2**self._failures)
        if built:
            self._reload()  # here, behind the answers, so that no search waits for a whole generation
        elif since is not None:
            self._damaged = True  # whatever kept the changes out, a rebuild does not meet it


def _stands_clear(ranked: list[Ranked]) -> bool:
    if ranked[0].score < BEST_SCORE:
        return False
    return len(ranked) == 1 or ranked[0].score - ranked[1].score >= BEST_MARGIN * ranked[0].score


def _hit(one: Ranked, stems: Collection[str], *, short: bool = False) -> Hit:
    passage = () if short else snippet(one.article.body, stems)
    return Hit(one.article.id, round(one.score, 4), marked(one.article.title, stems), passage)


def _completed(typed: str, snapshot: Snapshot, allowed: list[bytes | None], limit: int) -> list[Hit]:
    """Titles with every typed word, the last one as a beginning; those where the most telling words match first, then short titles."""
    words = [token.word for token in text.tokens(text.normal(typed))][:8]
    if not words or len(words[-1]) < EDGES.start:
        return []
    open_end = not typed[-1:].isspace()
    found: dict[tuple[int, int], tuple[int, float]] = {}
    for at, word in enumerate(words):
        last = at == len(words) - 1 and open_end
        name, term = ("edges", word[: EDGES.stop - 1]) if last else ("title", text.stem(word))
        worth = 1.0 if last else snapshot.weight(term)
        for segment, open_to in enumerate(allowed):
            if open_to is None:
                continue
            for number in snapshot.postings(segment, name, term)[0]:
                if open_to[number]:
                    matched, sum_ = found.get((segment, number), (0, 0.0))
                    found[segment, number] = (matched + 1, sum_ + worth)
    whole = [(-worth, place) for place, (matched, worth) in found.items() if matched == len(words)]
    articles = [(worth, snapshot.article(*place)) for worth, place in heapq.nsmallest(_COMPLETED, whole)]
    # of equals, titles that begin with the first typed word, then short ones
    articles.sort(key=lambda one: (one[0], not one[1].texts[0].words.startswith(f" {words[0]}"), len(one[1].title)))
    stems = {text.stem(word) for word in words}
    return [Hit(article.id, round(-worth, 4), marked(article.title, stems)) for worth, article in articles[:limit]]
