"""What every list that leaves as a file has in common: its name, its columns, who may have it, how its rows are read.

Moments are those of the clock of whoever takes the list, and their columns say whose clock that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from helpdesk import db, web
from helpdesk.auth import Principal
from helpdesk.crm import forms
from helpdesk.crm.exchange.exporting import PAGE, Row, Sheet
from helpdesk.errors import NotFound

T = TypeVar("T")
#: Called with who asks and what stands in the address of the list; the rows of the file. Raises NotFound for who may not have it.
Rows = Callable[[Principal, Mapping[str, str]], Iterator[Row]]

_lists: dict[str, tuple[tuple[str, ...], Callable[[Principal], bool], Rows]] = {}


class At(str):
    """The name of a column that holds moments."""

    __slots__ = ()


def names() -> list[str]:
    """Every list there is."""
    return list(_lists)


def sheet(name: str, who: Principal, given: Mapping[str, str]) -> Sheet:
    """The list of this name, narrowed as its page is. Raises NotFound for one that there is not, or that this person may not have."""
    if name not in _lists:
        raise NotFound
    header, may, rows = _lists[name]
    with db.read():
        if not may(who):
            raise NotFound
    zone = web.zone()
    return Sheet(name, [f"{one} ({zone})" if isinstance(one, At) else one for one in header], lambda: rows(who, given))


def declared(name: str, *header: str, may: Callable[[Principal], bool] = lambda who: who.staff) -> Callable[[Rows], Rows]:
    """Declare a list: its columns (`At` for moments), and who may have it besides who may take lists out at all."""

    def declare(rows: Rows) -> Rows:
        _lists[name] = (header, may, rows)
        return rows

    return declare


def pages(page: Callable[[str | None], web.Paged[T]]) -> Iterator[T]:
    """Everything of a list that is read in pages, each in a snapshot of its own."""
    cursor: str | None = None
    while True:
        with db.read():
            found = page(cursor)
        yield from found.rows
        if (cursor := found.next) is None:
            return


def batches(rows_after: Callable[[Any], list[T]], place: Callable[[T], Any]) -> Iterator[list[T]]:
    """Everything of a list that is read from a place on, PAGE rows at a time; `rows_after` gives one more where more follow."""
    after = None
    while True:
        with db.read():
            rows = rows_after(after)
        yield rows[:PAGE]
        if len(rows) <= PAGE:
            return
        after = place(rows[PAGE - 1])


def moment(at: datetime | None) -> str:
    """A moment on the reader's clock."""
    return f"{at.astimezone(ZoneInfo(web.zone())):%Y-%m-%d %H:%M}" if at is not None else ""


def given_id(given: Mapping[str, str], name: str) -> int:
    """Whose list it is. Raises NotFound where that is not said."""
    found = forms.whole(given.get(name, ""))
    if found is None:
        raise NotFound
    return found
