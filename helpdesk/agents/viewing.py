"""Who has a ticket open, and who is replying: told by their screens' heartbeats, believed for half a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from helpdesk import clock, db, live
from helpdesk.agents.models import Viewer
from helpdesk.auth import Principal, User

BELIEVED = timedelta(seconds=30)


@dataclass(frozen=True)
class Colleague:
    """Somebody else at the same ticket."""

    name: str
    replying: bool


@live.alive
def note_viewing(who: Principal, shown: dict[str, Any]) -> None:
    """Keep what this screen shows; tell the ticket's other screens when it is news."""
    ticket_id = _number(shown.get("ticket"))
    if not who.staff or who.user_id is None:
        return
    state = "replying" if shown.get("typing") else "viewing"
    news: set[int] = set()
    with db.transaction() as session:
        left = list(session.scalars(select(Viewer.ticket_id).where(Viewer.user_id == who.user_id, Viewer.ticket_id != (ticket_id or 0))))
        if left:
            session.execute(delete(Viewer).where(Viewer.user_id == who.user_id, Viewer.ticket_id.in_(left)))
            news.update(left)
        if ticket_id is not None and live.may_watch(who, f"ticket:{ticket_id}"):
            row = session.get(Viewer, (ticket_id, who.user_id))
            if row is None:
                row = Viewer(ticket_id=ticket_id, user_id=who.user_id, state="", seen_at=clock.now() - 2 * BELIEVED)
                session.add(row)
            if row.state != state or row.seen_at < clock.now() - BELIEVED:
                news.add(ticket_id)
            row.state, row.seen_at = state, clock.now()
    for ticket in news:
        live.push(f"ticket:{ticket}", "viewers", id=ticket)


def others(ticket_id: int, who: Principal) -> list[Colleague]:
    """Colleagues at this ticket besides the reader, those replying first."""
    rows = db.session().execute(
        select(User.name, Viewer.state)
        .join(User, User.id == Viewer.user_id)
        .where(Viewer.ticket_id == ticket_id, Viewer.user_id != (who.user_id or 0), Viewer.seen_at > clock.now() - BELIEVED)
        .order_by(Viewer.state, User.name)
    )
    return [Colleague(row.name, row.state == "replying") for row in rows]


def _number(value: Any) -> int | None:
    return int(value) if str(value or "").isdigit() else None
