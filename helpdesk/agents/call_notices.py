"""Who owes a customer a call is told of it: once when it becomes theirs, once when its time is past. Then those who lead are told, too.

A notice points at the event that says who was told of what; that event is why nobody is told twice. A call that was made, moved or given to
somebody else meanwhile makes the notice of its old moment void, and whatever of it is still unread is read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.agents.models import Notification
from helpdesk.agents.queries import principal_of
from helpdesk.auth import STAFF, Role, User
from helpdesk.catalog import CallOwed, CallSettled, CallTold
from helpdesk.crm import policy
from helpdesk.crm.care_models import CallBack
from helpdesk.crm.models import Contact
from helpdesk.events import Event, reaction, record, stored_name

OWED, OVERDUE = "call_owed", "call_overdue"


@dataclass(frozen=True)
class Call:
    """What a notice is about: the call, and whom to call. `name` is empty when the call, or whom it was for, is not there any more."""

    id: int
    name: str


@reaction(CallOwed, when=lambda fact: fact.user_id is not None and fact.by.user_id != fact.user_id,
          key=lambda fact: f"call:{fact.call_id}:{fact.user_id}", name="notifications.call_owed")  # fmt: skip
def tell_who_owes(fact: CallOwed) -> None:
    """A call became yours. Who took it themselves knows; of one whose time is past they hear just that."""
    call = _open(fact.call_id)
    if call is None or call.user_id != fact.user_id or call.due_at <= clock.now():
        return
    told = [one for one in _told(call) if not one.data["late"]]
    if not told or told[-1].user_id != call.user_id:
        _tell([call.user_id], call, late=False)


@reaction(CallOwed, delay=lambda fact: max(timedelta(), timedelta(seconds=fact.due - clock.now().timestamp())),
          key=lambda fact: f"call:{fact.call_id}:{fact.user_id}:{fact.due:.0f}", name="notifications.call_overdue")  # fmt: skip
def tell_of_overdue(fact: CallOwed) -> None:
    """The time is past and nobody has called: whoever owes it hears of it, and those who lead."""
    call = _open(fact.call_id)
    if call is None or call.user_id != fact.user_id or abs(call.due_at.timestamp() - fact.due) >= 1:
        return
    known = {one.user_id for one in _told(call) if one.data["late"] and abs(one.data["due"] - fact.due) < 1}
    leads = db.session().scalars(select(User.id).where(User.active, User.role == Role.SUPERVISOR).order_by(User.id))
    _tell([one for one in dict.fromkeys([call.user_id, *leads]) if one not in known], call, late=True)


@reaction(CallSettled, when=lambda fact: fact.outcome != "not_reached", key=lambda fact: f"call:{fact.call_id}",
          name="notifications.call_done")  # fmt: skip
def forget_settled(fact: CallSettled) -> None:
    """Nobody has to look at a notice of a call that was made."""
    call = db.session().get(CallBack, fact.call_id)
    if call is not None and call.done_at is not None:
        about = [one.id for one in _told(call)]
        unread = update(Notification).where(Notification.event_id.in_(about), Notification.read_at.is_(None))
        db.session().execute(unread.values(read_at=clock.now()), execution_options={"synchronize_session": False})


def read(user_id: int, call_id: int) -> None:
    """Mark as read what this person was told of a call, because they opened it."""
    call = db.session().get(CallBack, call_id)
    about = [one.id for one in _told(call)] if call is not None else []
    mine = (Notification.user_id == user_id, Notification.event_id.in_(about), Notification.read_at.is_(None))
    db.session().execute(update(Notification).where(*mine).values(read_at=clock.now()), execution_options={"synchronize_session": False})


def about(user_id: int, notes: Collection[Notification]) -> dict[int, Call]:
    """Which call each of these notices of one person is about, by the notice's id; names only of customers that they may see now."""
    session = db.session()
    events = {one.event_id for one in notes if one.event_id is not None and one.kind in (OWED, OVERDUE)}
    if not events:
        return {}
    said = {row.id: int(row.data["call_id"]) for row in session.scalars(select(Event).where(Event.id.in_(events)))}
    rows = (
        select(CallBack.id, Contact.name)
        .join(Contact, Contact.id == CallBack.contact_id)
        .where(CallBack.id.in_(said.values()), policy.visible(principal_of(session.get_one(User, user_id))), Contact.erased_at.is_(None))
    )
    names = {row.id: row.name for row in session.execute(rows)}
    return {one.id: Call(said[one.event_id], names.get(said[one.event_id], "")) for one in notes if one.event_id in said}


# --- below -------------------------------------------------------------------------------------------------------------------


def _open(call_id: int) -> CallBack | None:
    call = db.session().get(CallBack, call_id)
    return call if call is not None and call.done_at is None else None


def _told(call: CallBack) -> list[Event]:
    """Who was told of this call so far, in order."""
    said = select(Event).where(Event.contact_id == call.contact_id, Event.kind == stored_name(CallTold)).order_by(Event.id)
    return [one for one in db.session().scalars(said) if one.data["call_id"] == call.id]


def _tell(users: Collection[int | None], call: CallBack, *, late: bool) -> None:
    session = db.session()
    contact = session.get(Contact, call.contact_id)
    for user_id in users:
        user = session.get(User, user_id) if user_id is not None else None
        if user is None or not user.active or user.role not in STAFF or contact is None or contact.erased_at is not None:
            continue
        if not policy.may(principal_of(user), "see", contact):
            continue
        said = record(CallTold(call.contact_id, call.id, user.id, late, call.due_at.timestamp(), SYSTEM))
        session.add(Notification(user_id=user.id, event_id=said, kind=OVERDUE if late else OWED))
