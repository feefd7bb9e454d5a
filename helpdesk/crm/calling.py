"""Calls that are owed: a bad rating makes one by itself, a colleague may add one; whom, when, by whom, and what came of it.

A call that was made stands in the customer's timeline. Whoever asked for help and got none should hear from us before they leave.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import joinedload

from helpdesk import clock, db, web
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import STAFF, Principal, User
from helpdesk.catalog import CallOwed, CallSettled
from helpdesk.crm import policy, timeline
from helpdesk.crm.care_models import CallBack
from helpdesk.crm.models import Contact, Rating, RatingKind
from helpdesk.errors import Conflict, Invalid, NotFound, Words
from helpdesk.events import record
from helpdesk.preferences import preferences

#: The best answer that still is a bad one, by question.
BAD = {RatingKind.CSAT: 2, RatingKind.NPS: 6, RatingKind.CES: 3}
OUTCOMES = ("reached", "made_good", "not_reached", "dropped")
LONGEST_NOTE, LONGEST_WHY = 5000, 300
PAGE = 50


@dataclass(frozen=True)
class Owed:
    """A call of the list: whom, because of which rating, and who does it."""

    call: CallBack
    contact: Contact
    rating: Rating | None
    user: User | None


def is_bad(rating: Rating) -> bool:
    return rating.score <= BAD[rating.kind]


def owe(given: Sequence[Rating], before: Collection[int], contact: Contact, agent_id: int | None) -> CallBack | None:
    """What a customer's answers mean for the call owed to them; the answers replace those of `before`.

    The worst bad answer makes a call, once; one that is open already follows the new answer. A call that a better answer made
    superfluous is dropped. Done by the agent of the ticket, else by the customer's owner, else by whoever takes it.
    """
    session = db.session()
    known = session.scalar(select(CallBack).where(CallBack.rating_id.in_(before)).limit(1)) if before else None
    bad = sorted((rating for rating in given if is_bad(rating)), key=lambda rating: rating.score100)
    if known is not None and known.done_at is None and not bad:
        _settle(known, "dropped", str(_("The customer rated again, and better.")), SYSTEM)
        return None
    if not bad:
        return None
    if known is not None:
        if known.done_at is None:
            known.rating_id = bad[0].id
        return known
    waits = timedelta(hours=preferences().call_back_hours)
    return _add(contact, bad[0], _doer(agent_id, contact.owner_id), clock.now() + waits, "", SYSTEM)


def add(contact: Contact, *, why: str, user_id: int | None, due_at: datetime | None, by: Actor) -> CallBack:
    """Owe a customer a call for another reason. Raises Invalid: without a reason, a moment that is past, somebody who is no colleague."""
    why = " ".join(why.split())
    faults: dict[str, Words] = {}
    if not why:
        faults["why"] = _("Say what it is about.")
    if len(why) > LONGEST_WHY:
        faults["why"] = _("Please shorten this to %(n)s characters.", n=LONGEST_WHY)
    if due_at is None:
        faults["due_at"] = _("Say when it is to be done.")
    elif due_at < clock.now() - timedelta(minutes=5):
        faults["due_at"] = _("This moment is past.")
    if user_id is not None and _doer(user_id) is None:
        faults["user"] = _("Please choose one of the list.")
    if faults or due_at is None:
        raise Invalid(fields=faults)
    return _add(contact, None, user_id, due_at, why, by)


def give(call: CallBack, user_id: int | None, *, by: Actor) -> None:
    """Let a colleague make this call; None: whoever takes it. Raises Conflict when it was made, Invalid for who is no colleague."""
    _must_be_open(call)
    if user_id is not None and _doer(user_id) is None:
        raise Invalid(fields={"user": _("Please choose one of the list.")})
    call.user_id = user_id
    _say(call, by)


def settle(call: CallBack, outcome: str, note: str, *, by: Actor) -> None:
    """Say what came of a call; somebody not reached is owed another one tomorrow. Raises Conflict when it was settled, Invalid."""
    note = note.strip()
    faults: dict[str, Words] = {}
    if outcome not in OUTCOMES:
        faults["outcome"] = _("Choose what came of it.")
    elif not note and outcome != "not_reached":
        faults["note"] = _("Write down what was said.")
    if len(note) > LONGEST_NOTE:
        faults["note"] = _("Please shorten this to %(n)s characters.", n=LONGEST_NOTE)
    if faults:
        raise Invalid(fields=faults)
    _must_be_open(call)
    if outcome == "not_reached":
        # Tried, not done: the call stays owed and moves on.
        call.due_at = clock.now() + timedelta(days=1)
        _in_timeline(call, outcome, note, by)
        record(CallSettled(call.contact_id, call.id, outcome, by))
        _say(call, by)
        return
    _settle(call, outcome, note, by)
    if outcome != "dropped":
        _in_timeline(call, outcome, note, by)


# --- reading -----------------------------------------------------------------------------------------------------------------


def owed(who: Principal, *, whose: str = "mine", cursor: str | None = None, limit: int = PAGE) -> web.Paged[Owed]:
    """Calls to make, the most urgent first. whose: "mine" (and those nobody has yet), "all", "done" (the newest first)."""
    rows = (
        select(CallBack, Contact, Rating, User)
        .join(Contact, Contact.id == CallBack.contact_id)
        .outerjoin(Rating, Rating.id == CallBack.rating_id)
        .outerjoin(User, User.id == CallBack.user_id)
        .options(joinedload(Contact.organization))
        .where(policy.visible(who), Contact.erased_at.is_(None))
    )
    place = web.uncursor(cursor, datetime, int)
    if whose == "done":
        rows = rows.where(CallBack.done_at.is_not(None)).order_by(CallBack.done_at.desc(), CallBack.id.desc())
        if place:
            rows = rows.where(or_(CallBack.done_at < place[0], and_(CallBack.done_at == place[0], CallBack.id < place[1])))
    else:
        rows = rows.where(CallBack.done_at.is_(None)).order_by(CallBack.due_at, CallBack.id)
        if whose == "mine":
            rows = rows.where(_for(who))
        if place:
            rows = rows.where(or_(CallBack.due_at > place[0], and_(CallBack.due_at == place[0], CallBack.id > place[1])))
    found = [Owed(*row) for row in db.session().execute(rows.limit(limit + 1))]
    return web.paged(found, limit, lambda one: (one.call.done_at or one.call.due_at, one.call.id))


def where(who: Principal, call_id: int) -> str:
    """On which of the lists of `owed` this person finds a call. Raises NotFound for one that they may not see."""
    found = select(CallBack).join(Contact, Contact.id == CallBack.contact_id)
    call = db.session().scalar(found.where(CallBack.id == call_id, policy.visible(who), Contact.erased_at.is_(None)))
    if call is None:
        raise NotFound
    return "done" if call.done_at is not None else "mine" if call.user_id in (None, who.user_id) else "all"


def of(contacts: Collection[int], *, limit: int = 5) -> list[tuple[CallBack, User | None]]:
    """The calls of one person, those to make first."""
    rows = (
        select(CallBack, User)
        .outerjoin(User, User.id == CallBack.user_id)
        .where(CallBack.contact_id.in_(contacts))
        .order_by(CallBack.done_at.is_not(None), CallBack.done_at.desc(), CallBack.due_at)
        .limit(limit)
    )
    return [(row.CallBack, row.User) for row in db.session().execute(rows)]


# --- below -------------------------------------------------------------------------------------------------------------------


def _for(who: Principal) -> ColumnElement[bool]:
    return or_(CallBack.user_id == who.user_id, CallBack.user_id.is_(None))


def _doer(*candidates: int | None) -> int | None:
    """The first of these who works here."""
    session = db.session()
    for user_id in candidates:
        user = session.get(User, user_id) if user_id is not None else None
        if user is not None and user.active and user.role in STAFF:
            return user.id
    return None


def _add(contact: Contact, rating: Rating | None, user_id: int | None, due_at: datetime, why: str, by: Actor) -> CallBack:
    made = CallBack(
        contact_id=contact.id, rating_id=rating.id if rating else None, ticket_id=rating.ticket_id if rating else None, user_id=user_id,
        why=why, due_at=due_at, created_at=clock.now(),
    )  # fmt: skip
    db.session().add(made)
    db.session().flush()
    _say(made, by)
    return made


def _say(call: CallBack, by: Actor) -> None:
    record(CallOwed(call.contact_id, call.id, by, user_id=call.user_id, due=call.due_at.timestamp()))


def _must_be_open(call: CallBack) -> None:
    if call.done_at is not None:
        raise Conflict(_("Somebody has settled this call meanwhile."))


def _settle(call: CallBack, outcome: str, note: str, by: Actor) -> None:
    kept = db.session().execute(
        update(CallBack)
        .where(CallBack.id == call.id, CallBack.done_at.is_(None))
        .values(done_at=clock.now(), outcome=outcome, note=note, done_by_id=by.user_id),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_("Somebody has settled this call meanwhile."))
    db.session().refresh(call)
    record(CallSettled(call.contact_id, call.id, outcome, by))


def _in_timeline(call: CallBack, outcome: str, note: str, by: Actor) -> None:
    timeline.note(
        call.contact_id, "call", channel="phone", direction="out", user_id=by.user_id, ticket_id=call.ticket_id, text=note,
        title=call.why, decision="", external_id=None,
    )  # fmt: skip
