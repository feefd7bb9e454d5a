"""The time after a piece of work: none, optional, mandatory with a disposition, or so many seconds. It weighs on the agent until it ends.

After a chat or a call the agent is also *wrapping up* and gets nothing new; tickets may be interrupted, so there the weight alone counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import literal_column, select, update

from helpdesk import clock, db, versions
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import assignments, presence, queries
from helpdesk.agents.models import TICKET, Disposition, PresenceState, WorkItem, WrapUp
from helpdesk.agents.presence import became_idle
from helpdesk.catalog import SettingsChanged, WrapUpBegan, WrapUpEnded
from helpdesk.errors import Conflict, Forbidden, Invalid
from helpdesk.events import reaction, record
from helpdesk.tickets.models import Queue, Ticket

MODES = ("none", "optional", "mandatory", "timed")
OPEN: Any = literal_column("wrap_up.ended_at IS NULL")


def begin(item: WorkItem, *, by: Actor) -> bool:
    """Let the owner of an item that is over wrap up, if its queue wants that; whether its weight stays with them meanwhile."""
    queue = db.session().get_one(Queue, item.queue_id)
    owned = assignments.owned_by(item)
    if queue.wrap_up not in MODES[1:] or owned is None:
        return False
    until = None if queue.wrap_up == "mandatory" else clock.now() + timedelta(seconds=queue.wrap_up_s)
    weight = owned.weight if owned.counted else 0
    made = WrapUp(
        item_id=item.id, ticket_id=item.ticket_id, user_id=owned.user_id, channel=item.channel, mode=queue.wrap_up, weight=weight,
        began_at=clock.now(), until=until,
    )  # fmt: skip
    db.session().add(made)
    db.session().flush()
    if item.channel != TICKET and queries.presence_of(owned.user_id) is PresenceState.AVAILABLE:
        presence.set_presence(owned.user_id, PresenceState.WRAP_UP, by=SYSTEM)
    record(WrapUpBegan(item.ticket_id, made.id, owned.user_id, by, until=_moment(until)))
    return bool(weight)


def finish(wrapping: WrapUp, disposition: Disposition | None, *, by: Actor) -> None:
    """The agent is done. Doing it twice changes nothing.

    Raises Forbidden for somebody else's, Invalid when a disposition is asked for and none is given, or it is switched off.
    """
    if wrapping.user_id != by.user_id:
        raise Forbidden(_("This is somebody else's work."))
    if disposition is not None and not disposition.active:
        raise Invalid(fields={"disposition": _("Please choose one of the list.")})
    if wrapping.mode == "mandatory" and disposition is None and any_active():
        raise Invalid(fields={"disposition": _("Please say how it ended.")})
    _end(wrapping, disposition, by=by)


@reaction(WrapUpBegan, when=lambda fact: bool(fact.until), delay=lambda fact: _wait(fact.until),
          key=lambda fact: f"wrap_up:{fact.wrap_up_id}", name="wrap_up.expire")  # fmt: skip
def expire(fact: WrapUpBegan) -> None:
    """Its time is over."""
    expire_late(fact.wrap_up_id)


def expire_late(wrap_up_id: int) -> None:
    """End a wrap-up whose time is over; anything else stays as it is."""
    wrapping = db.session().get(WrapUp, wrap_up_id)
    if wrapping is not None and wrapping.until is not None and wrapping.until <= clock.now():
        _end(wrapping, None, by=SYSTEM)


def overdue() -> list[int]:
    """Open wrap-ups whose time has passed: a timer was lost. For the sweep."""
    grace = clock.now() - timedelta(seconds=2)
    return list(db.session().scalars(select(WrapUp.id).where(OPEN, WrapUp.until < grace).limit(500)))


def open_ones(user_id: int) -> list[tuple[WrapUp, Ticket]]:
    """What an agent is wrapping up, the oldest first."""
    found = select(WrapUp, Ticket).join(Ticket, Ticket.id == WrapUp.ticket_id).where(WrapUp.user_id == user_id, OPEN)
    return [(row.WrapUp, row.Ticket) for row in db.session().execute(found.order_by(WrapUp.began_at, WrapUp.id))]


def _end(wrapping: WrapUp, disposition: Disposition | None, *, by: Actor) -> None:
    session = db.session()
    assignments.lower(wrapping.user_id, 0, wrapping.channel)  # the agent first: lock order
    ended = session.execute(
        update(WrapUp)
        .where(WrapUp.id == wrapping.id, WrapUp.ended_at.is_(None))
        .values(ended_at=clock.now(), disposition_id=None if disposition is None else disposition.id),
        execution_options={"synchronize_session": False},
    )
    if ended.rowcount != 1:  # type: ignore[attr-defined]
        return
    session.refresh(wrapping)
    assignments.lower(wrapping.user_id, wrapping.weight, wrapping.channel)
    became_idle(wrapping.user_id)
    others = session.scalar(select(WrapUp.id).where(WrapUp.user_id == wrapping.user_id, WrapUp.channel != TICKET, OPEN).limit(1))
    if others is None and queries.presence_of(wrapping.user_id) is PresenceState.WRAP_UP:
        presence.set_presence(wrapping.user_id, PresenceState.AVAILABLE, by=by)
    record(WrapUpEnded(wrapping.ticket_id, wrapping.id, wrapping.user_id, by, disposition_id=wrapping.disposition_id))


def _wait(moment: str) -> timedelta:
    return max(datetime.fromisoformat(moment) - clock.now(), timedelta())


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.isoformat()


# --- the codes -----------------------------------------------------------------------------------------------------------------


def dispositions(*, active: bool = True) -> list[Disposition]:
    """The desk's codes by name; without `active` those switched off, too."""
    found = select(Disposition).order_by(~Disposition.active, Disposition.name)
    return list(db.session().scalars(found.where(Disposition.active) if active else found))


def any_active() -> bool:
    """Whether there is a code to choose at all: without one nobody can be made to."""
    return db.session().scalar(select(Disposition.id).where(Disposition.active).limit(1)) is not None


def add(name: str, name_ru: str, *, by: Actor) -> Disposition:
    """A new code. Raises Invalid for an empty name or one that exists."""
    made = Disposition(name=_free_name(name, None), name_ru=" ".join(name_ru.split())[:60])
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, what=f"disposition:{made.id}"))
    return made


def change(code: Disposition, name: str, name_ru: str, *, active: bool, seen: int | None, by: Actor) -> Disposition:
    """Rename a code, or switch it off or on; what was said with it stays. Raises Stale, Invalid, Conflict for one still needed."""
    if code.active and not active:
        _still_needed(code)
    versions.change(code, seen, name=_free_name(name, code), name_ru=" ".join(name_ru.split())[:60], active=active)
    record(SettingsChanged(by, what=f"disposition:{code.id}"))
    return code


def _still_needed(code: Disposition) -> None:
    asking = db.session().scalar(select(Queue.name).where(Queue.wrap_up == "mandatory", Queue.active).limit(1))
    if asking is not None and dispositions() == [code]:
        raise Conflict(_("The queue %(name)s makes its people choose a code, and this is the only one. Add another first.", name=asking))


def _free_name(typed: str, owner: Disposition | None) -> str:
    name = " ".join(typed.split())[:60]
    if not name:
        raise Invalid(fields={"name": _("Please fill this in.")})
    if (
        db.session().scalar(select(Disposition.id).where(Disposition.name == name, Disposition.id != (owner.id if owner else 0)))
        is not None
    ):
        raise Invalid(fields={"name": _("This name is taken.")})
    return name
