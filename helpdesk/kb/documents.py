"""What search knows of an article, and where it learns of changes. The article tables implement `Source`; search imports no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """One published article in one language, as plain text (no markup: snippets are cut from `body` as it is).

    `audience` holds terms such as "public", "org:12", "agents": who carries one of them may find it. `asked` are real questions that this
    article solved, newest first. `gone` takes the article out of the index (withdrawn, erased); the rest may then be empty.
    """

    id: str
    title: str
    body: str = ""
    language: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    audience: tuple[str, ...] = ("public",)
    asked: tuple[str, ...] = ()
    gone: bool = False


class Source(Protocol):
    """The truth that the index copies. Its revision only grows, and grows with every change that a reader of the index should see."""

    def revision(self) -> int:
        """The revision of the committed state; called once a search, so one indexed read."""
        ...

    def changed_since(self, revision: int) -> Iterable[Document]:
        """Every article changed after `revision`, withdrawn ones as `gone`. Naming one too many does no harm."""
        ...

    def all(self) -> Iterable[Document]:
        """Every article that can be found, for a rebuild; read lazily when there are many."""
        ...
