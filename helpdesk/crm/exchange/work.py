"""What every kind of list that is taken in has in common: how its columns are named, what a batch of rows does, how a row is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from helpdesk.actor import Actor
from helpdesk.crm.base_models import Import, ImportRow
from helpdesk.errors import Words

#: What became of a row.
CREATE, UPDATE, UNCHANGED, REFUSED = "created", "updated", "same", "refused"
#: Rows of one transaction.
BATCH = 100

#: A row of the file: its number and its cells; the header is no row.
Row = tuple[int, list[str]]


@dataclass
class Done:
    """What one row did: to whom, from what to what; or why it was refused."""

    number: int
    outcome: str
    contact_id: int | None = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Work(Protocol):
    """The taking in of one list, with what it remembers between batches."""

    def batches(self, rows: Iterator[Row], skip: int) -> Iterator[Any]:
        """The rows in parts that one transaction does, in an order that is the same each time; the first `skip` rows are left out."""

    def plan(self, batch: Any) -> list[Any]:
        """What a part would do: for the preview, in whatever form the subject's table draws."""

    def take(self, batch: Any) -> list[Done]:
        """Do a part, or in a dry run only find out. Inside a transaction."""


@dataclass(frozen=True)
class Subject:
    """A kind of list. `several`: columns that may come more than once; `matches`: by what customers are recognised, with words.

    `missing` says which columns are wanting, by the form's field; `take_back` undoes one row and answers False where somebody has worked
    with it since; `forget` removes what else a run left.
    """

    words: Words
    suggest: Callable[[Sequence[str]], list[str]]
    targets: Callable[[], list[tuple[str, Words]]]
    several: frozenset[str]
    matches: Mapping[str, Words]
    missing: Callable[[Sequence[str], str], dict[str, Words]]
    work: Callable[[Import, Actor, bool], Work]
    take_back: Callable[[int, ImportRow], bool]
    forget: Callable[[int], None] = lambda _run_id: None
