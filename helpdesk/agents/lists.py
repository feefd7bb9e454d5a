"""The ticket lists of the workspace: which exist, what belongs to which, one page of one, and the counts beside their names.

A list is named by a key that the page and the pushes share: `mine:7`, `queue:2`, `unassigned`, `all`, `solved`. Rows are sorted
by the newest
message and paged by keyset on a partial index of what is unsolved, so that closed tickets weigh nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, bindparam, false, func, or_, select
from sqlalchemy.orm import joinedload

from helpdesk import clock, db, web
from helpdesk.auth import Principal
from helpdesk.errors import NotFound
from helpdesk.tickets import policy, search
from helpdesk.tickets.models import UNSOLVED, Priority, Queue, Status, Ticket, unsolved

PAGE = 40
COUNTED = 1000  # beyond: "999+"


@dataclass(frozen=True)
class Filters:
    """What narrows a list, as it stands in the address: words, status, priority, overdue only."""

    q: str = ""
    status: str = ""
    priority: str = ""
    overdue: bool = False

    @property
    def any(self) -> bool:
        return bool(self.q or self.status or self.priority or self.overdue)


def default_key(who: Principal) -> str:
    return f"mine:{who.user_id}" if not who.leads else "all"


def check_key(key: str, who: Principal) -> str:
    """The key if this person has such a list. Raises NotFound."""
    kind, _, rest = key.partition(":")
    if key in ("all", "unassigned", "solved"):
        return key
    if kind == "mine" and rest == str(who.user_id):
        return key
    if kind == "queue" and rest.isdigit() and (who.leads or int(rest) in who.queues):
        return key
    raise NotFound


def keys_of(ticket: Ticket) -> list[str]:
    """The lists a ticket belongs to now: what a push tells every open screen."""
    if ticket.merged_into_id is not None:
        return []
    if ticket.status not in UNSOLVED:
        return ["solved"]
    keys = ["all", f"queue:{ticket.queue_id}"]
    keys.append(f"mine:{ticket.assignee_id}" if ticket.assignee_id else "unassigned")
    return keys


def sort_key(ticket: Ticket) -> str:
    """Ascending order of rows on the screen: the newest message first."""
    return str(-int(ticket.last_message_at.timestamp() * 1000))


def page(who: Principal, key: str, filters: Filters, *, cursor: str | None = None, limit: int = PAGE) -> web.Paged[Ticket]:
    """One page of a list, with requesters and assignees; permissions are part of the query."""
    found = _select(who, key, filters).options(joinedload(Ticket.requester), joinedload(Ticket.assignee))
    after = web.uncursor(cursor, datetime, int)
    if after is not None:
        at, last = after
        found = found.where(or_(Ticket.last_message_at < at, and_(Ticket.last_message_at == at, Ticket.id < last)))
    rows = list(db.session().scalars(found.order_by(Ticket.last_message_at.desc(), Ticket.id.desc()).limit(limit + 1)))
    return web.paged(rows, limit, lambda ticket: (ticket.last_message_at, ticket.id))


def by_number(who: Principal, key: str, filters: Filters, *, after: int = 0, limit: int = PAGE) -> list[Ticket]:
    """A part of a list in the order of ids, which nothing that happens meanwhile changes: for taking it out whole."""
    found = _select(who, key, filters).where(Ticket.id > after).options(joinedload(Ticket.requester), joinedload(Ticket.assignee))
    return list(db.session().scalars(found.order_by(Ticket.id).limit(limit)))


def count(who: Principal, key: str) -> str:
    """How many tickets a list holds, exact up to 999."""
    return capped(_select(who, key, Filters()))


def capped(found: Select[Ticket]) -> str:
    return _shown(db.session().scalar(_counted(found)))


def _counted(found: Select[Ticket]) -> Select[int]:
    return select(func.count()).select_from(found.with_only_columns(Ticket.id).order_by(None).limit(COUNTED).subquery())


def _shown(number: int | None) -> str:
    return "999+" if (number or 0) >= COUNTED else str(number or 0)


# Made once: every change of a ticket draws its row and counts its lists.
_ID = Ticket.id.type
_OPEN = select(Ticket).where(unsolved(), Ticket.merged_into_id.is_(None))
_IN_QUEUE = _counted(_OPEN.where(Ticket.queue_id == bindparam("whose", type_=_ID)))
_WITH_AGENT = _counted(_OPEN.where(Ticket.assignee_id == bindparam("whose", type_=_ID)))
_SHOWN = (
    select(Ticket)
    .where(Ticket.id.in_(bindparam("ids", type_=_ID, expanding=True)))
    .options(joinedload(Ticket.requester), joinedload(Ticket.assignee))
)


def queue_count(queue_id: int) -> str:
    """The count beside a queue's name; the same for everybody who sees the queue."""
    return _shown(db.session().connection().scalar(_IN_QUEUE, {"whose": queue_id}))


def mine_count(user_id: int) -> str:
    return _shown(db.session().connection().scalar(_WITH_AGENT, {"whose": user_id}))


def looked_at(ids: Iterable[int]) -> list[Ticket]:
    """Tickets with requester and assignee, for drawing: every screen of one round shows the same look, and each is read once for all."""
    wanted = set(ids)
    seen: dict[int, Ticket] = db.unit().notes.setdefault("looked at", {})
    if missing := wanted - seen.keys():
        for ticket in db.session().scalars(_SHOWN, {"ids": list(missing)}):
            seen[ticket.id] = ticket
    return [seen[ticket_id] for ticket_id in sorted(wanted & seen.keys())]


def queues_by_id() -> dict[int, Queue]:
    return {queue.id: queue for queue in db.session().scalars(select(Queue))}


def _select(who: Principal, key: str, filters: Filters) -> Select[Ticket]:
    found = select(Ticket).where(policy.visible(who), Ticket.merged_into_id.is_(None), _belongs(key, filters))
    if filters.priority in set(Priority):
        found = found.where(Ticket.priority == Priority(filters.priority))
    if filters.overdue:
        found = found.where(Ticket.next_due_at < clock.now(), ~Ticket.due_paused)
    if filters.q:
        found = found.where(search.matching(filters.q))
    return found


def _belongs(key: str, filters: Filters) -> ColumnElement[bool]:
    kind, _, rest = key.partition(":")
    if filters.status in set(Status):
        state: ColumnElement[bool] = Ticket.status == Status(filters.status)
    elif key == "solved":
        state = Ticket.status.in_((Status.SOLVED, Status.CLOSED))
    elif filters.q and key == "all":
        state = Ticket.id > 0  # a search looks everywhere
    else:
        state = unsolved()
    match kind:
        case "mine":
            return and_(state, Ticket.assignee_id == int(rest))
        case "queue":
            return and_(state, Ticket.queue_id == int(rest))
        case "unassigned":
            return and_(state, Ticket.assignee_id.is_(None))
        case "all" | "solved":
            return state
    return false()
