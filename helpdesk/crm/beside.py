"""What the packages above show on a customer's page.

crm knows nothing of tickets: they come here and say which part of the page is theirs, and how a ticket of the timeline is called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from helpdesk.auth import Principal

#: Called with who reads and the contacts the page is about; what the part's template draws.
Values = Callable[[Principal, Collection[int]], dict[str, Any]]
#: Called with who reads and tickets' ids; the numbers of those that this person may open.
Numbers = Callable[[Principal, Collection[int]], dict[int, int]]


@dataclass(frozen=True)
class Part:
    """A part of the page: its template, and what fills it."""

    template: str
    values: Values


_parts: list[Part] = []
_numbers: list[Numbers] = []


def part(template: str) -> Callable[[Values], Values]:
    """Declare a part of the customer's page."""

    def declare(values: Values) -> Values:
        _parts.append(Part(template, values))
        return values

    return declare


def numbers(find: Numbers) -> Numbers:
    """Declare how tickets are called."""
    _numbers.append(find)
    return find


def parts(who: Principal, contacts: Collection[int]) -> list[tuple[str, dict[str, Any]]]:
    """The parts of a page about these contacts, as (template, values)."""
    return [(one.template, one.values(who, contacts)) for one in _parts]


def ticket_numbers(who: Principal, tickets: Collection[int]) -> dict[int, int]:
    """Ticket numbers by id, for the tickets this person may open."""
    found: dict[int, int] = {}
    for find in _numbers if tickets else ():
        found.update(find(who, tickets))
    return found
