"""`helpdesk kb rank …`: measure and fit the search on questions with known answers, outside the desk's database.

A folder holds `docs.jsonl` {id, q, a, cat, and optionally asked, tags}, `queries.jsonl` {id, text} and `qrels.jsonl` {qid, docid}. Each
function is plain, so that commands over the desk's own articles (load, reindex) can call it with their own source.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from helpdesk.kb import everyday
from helpdesk.kb.documents import Document
from helpdesk.kb.engine import Engine
from helpdesk.kb.index import Index
from helpdesk.kb.ranking import Weights

EVERYBODY = ("public",)
# What tune tries, one after the other; every weight may end at nothing.
_STEPS: dict[str, tuple[Any, ...]] = {
    "stop_words": ((), everyday.STOP_WORDS),
    "grams": (0.0, 0.15, 0.3, 0.5, 0.8),
    "body": (0.1, 0.18, 0.25, 0.35, 0.5),
    "asked": (0.3, 0.45, 0.6, 0.8),
    "pairs": (0.0, 0.2, 0.35, 0.5),
    "coverage": (0.0, 0.08, 0.15, 0.25),
    "labels": (0.0, 0.15, 0.3, 0.5),
    "cap": (2_000, 6_000, 20_000),
}
_WORTH_IT = 0.002  # nDCG that a changed weight must bring: less is noise


@dataclass(frozen=True)
class Fitted:
    """What `tune` found: the weights, those before, nDCG@10 with the old and with the new ones, over so many questions."""

    weights: Weights
    before: Weights
    was: float
    reached: float
    questions: int

    @property
    def report(self) -> dict[str, Any]:
        """As JSON: printed by the command and kept for the screen. `changed` names old and new of each weight that moved."""
        old, new = asdict(self.before), asdict(self.weights)
        return {
            "weights": new,
            "changed": {name: [old[name], new[name]] for name in new if old[name] != new[name]},
            "ndcg10": {"before": self.was, "after": self.reached},
            "questions": self.questions,
        }


class Fixed:
    """A Source over a list that never changes."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = list(documents)

    def revision(self) -> int:
        """Always 1."""
        return 1

    def changed_since(self, revision: int) -> list[Document]:
        """Everything, for whoever knows nothing."""
        return self._documents if revision < 1 else []

    def all(self) -> list[Document]:
        """Everything."""
        return self._documents


def load(folder: Path, *, learn: bool = False) -> list[Document]:
    """The folder's articles; with `learn`, the questions of the tuning half stand in their articles' `asked`.

    Raises ClickException naming the file and line that cannot be read.
    """
    asked: dict[str, list[str]] = {}
    if learn:
        answers = answers_of(folder)
        for query in tuning_half(folder):
            for answer in sorted(answers[query["id"]]):
                asked.setdefault(answer, []).append(str(query["text"]))
    return [
        Document(
            id=str(row["id"]),
            title=str(row.get("q", "")),
            body=str(row.get("a", "")),
            category=str(row.get("cat", "")),
            tags=tuple(row.get("tags", ())),
            asked=(*row.get("asked", ()), *asked.get(str(row["id"]), ())),
        )
        for row in _rows(folder / "docs.jsonl")
    ]


def rank(engine: Engine, queries: Iterable[str], limit: int = 10) -> Iterator[list[str]]:
    """For each question the ids of its answers, best first, through the product's own search."""
    for query in queries:
        yield [hit.id for hit in engine.find(query, audience=EVERYBODY, limit=limit).answers]


def tune(engine: Engine, queries: list[dict[str, str]], answers: dict[str, set[str]]) -> tuple[Weights, float, float]:
    """Weights that rank these questions best, and nDCG@10 before and after. One weight at a time, changed only where it clearly helps."""

    def quality(weights: Weights) -> float:
        engine.weights = weights
        found = rank(engine, (query["text"] for query in queries))
        return sum(ndcg(ids, answers[query["id"]]) for query, ids in zip(queries, found, strict=True)) / len(queries)

    before = engine.weights
    best, reached = before, quality(before)
    started = reached
    for name, values in _STEPS.items():
        for value in values:
            tried = replace(best, **{name: value})
            if tried != best and (result := quality(tried)) > reached + _WORTH_IT:
                best, reached = tried, result
    engine.weights = best
    return best, started, reached


def ndcg(ranked: list[str], relevant: set[str]) -> float:
    """nDCG@10 with binary relevance (Järvelin and Kekäläinen 2002)."""
    gained = sum(1 / math.log2(place + 2) for place, found in enumerate(ranked[:10]) if found in relevant)
    return gained / sum(1 / math.log2(place + 2) for place in range(min(10, len(relevant)))) if relevant else 0.0


def questions(folder: Path) -> list[dict[str, str]]:
    """The folder's questions that have an answer."""
    answers = answers_of(folder)
    return [query for query in _rows(folder / "queries.jsonl") if query["id"] in answers]


def tuning_half(folder: Path) -> list[dict[str, str]]:
    """The questions that may be tuned on: md5 of the folder's name and the question's id is even."""

    def is_even(query: dict[str, str]) -> bool:
        return not int(hashlib.md5((folder.name + query["id"]).encode()).hexdigest(), 16) % 2

    return [query for query in questions(folder) if is_even(query)]


@contextmanager
def searching(documents: Iterable[Document], folder: Path | None = None) -> Iterator[Engine]:
    """An engine over these articles, its index in `folder` or in a temporary one."""
    with tempfile.TemporaryDirectory(prefix="kb-") as temporary:
        target = folder or Path(temporary) / "index"
        source = Fixed(documents)
        Index(target).rebuild(source.all(), source.revision())
        yield Engine(target, source)


@click.group()
def kb() -> None:
    """The knowledge base's search."""


@kb.command("rank")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--learn", is_flag=True, help="Take the tuning half's questions as already asked and answered.")
def rank_command(folder: Path, learn: bool) -> None:
    """Read one question a line; print for each a JSON list of article ids of FOLDER, best first."""
    with searching(load(folder, learn=learn)) as engine:
        for ids in rank(engine, (line.rstrip("\n") for line in sys.stdin)):
            click.echo(json.dumps(ids))


def fitted(documents: Iterable[Document], queries: list[dict[str, str]], answers: dict[str, set[str]], before: Weights) -> Fitted:
    """Fit the weights, from `before` on, to questions of which the answers are known."""
    with searching(documents) as engine:
        engine.weights = before
        weights, was, is_ = tune(engine, queries, answers)
    return Fitted(weights, before, round(was, 4), round(is_, 4), len(queries))


def reindex(engine: Engine, say: Callable[[str], None] = click.echo) -> None:
    """Build the engine's index anew. Raises ClickException when the build failed."""
    if not engine.rebuild():
        raise click.ClickException("The index could not be built; the log says why.")
    say("The index is new.")


def answers_of(folder: Path) -> dict[str, set[str]]:
    """Question → the articles that answer it."""
    answers: dict[str, set[str]] = {}
    for row in _rows(folder / "qrels.jsonl"):
        answers.setdefault(str(row["qid"]), set()).add(str(row["docid"]))
    return answers


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path}: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise click.ClickException(f"{path}, line {number}: {error}") from error
        if not isinstance(row, dict):
            raise click.ClickException(f"{path}, line {number}: not an object")
        rows.append(row)
    return rows
