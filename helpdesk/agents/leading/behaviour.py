"""How people behaved in a recorded week: when they were here, how they answered offers, how long they finished up, whom they had served.

Read from presence's history, offers, assignments and wrap-ups for `leading.recorded`. What routing itself brought about (not responding
after an offer, wrapping up) is no presence here: a replay brings it about anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from helpdesk import db
from helpdesk.agents.leading.replay.week import Answer
from helpdesk.agents.models import TICKET, Assignment, Offer, OfferState, Presence, PresenceState, WorkItem, WrapUp
from helpdesk.events import Event
from helpdesk.tickets.models import Message, MessageKind, Ticket

#: So many of an agent's answers on a channel are enough to draw from: the latest.
ANSWERS = 300
_AT_ONCE = 500

# --- presence --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Here:
    """An agent's week: from when on they were available, away or offline, in seconds since it began; and after how many seconds they came
    back each time from not responding.
    """

    states: tuple[tuple[float, str], ...]
    returns: tuple[float, ...]


def presence(users: Sequence[int], begin: datetime, end: datetime) -> dict[int, Here]:
    """Of each of these people, from the history of their presence."""
    session = db.session()
    said: dict[int, list[tuple[datetime, str, str]]] = {}
    changes = select(Event).where(Event.kind == "presence_changed", Event.at >= begin, Event.at < end, Event.user_id.in_(users))
    for event in session.scalars(changes.order_by(Event.at, Event.id)):
        said.setdefault(event.user_id or 0, []).append((event.at, str(event.data["old"]), str(event.data["new"])))
    silent = [user for user in users if user not in said]
    last = (
        select(func.max(Event.id))
        .where(Event.kind == "presence_changed", Event.at < begin, Event.user_id.in_(silent))
        .group_by(Event.user_id)
    )
    before = {event.user_id: str(event.data["new"]) for event in session.scalars(select(Event).where(Event.id.in_(last)))}
    for row in session.scalars(select(Presence).where(Presence.user_id.in_(silent), Presence.since < begin)):
        before.setdefault(row.user_id, str(row.state) if row.expires_at > begin else str(PresenceState.OFFLINE))
    return {user: _here(said.get(user, []), before.get(user, str(PresenceState.OFFLINE)), begin) for user in users}


def _here(changes: Sequence[tuple[datetime, str, str]], before: str, begin: datetime) -> Here:
    moments = [(0.0, changes[0][1] if changes else before), *(((at - begin).total_seconds(), new) for at, _old, new in changes)]
    returns: list[float] = []
    states: list[tuple[float, str]] = []
    for (at, state), following in zip(moments, [*moments[1:], None], strict=True):
        back = following is not None and following[1] == PresenceState.AVAILABLE
        if state == PresenceState.NOT_RESPONDING:
            # Who came back was at work all the time; who did not had gone.
            state = str(PresenceState.AVAILABLE if back else PresenceState.AWAY)
            if following is not None and back:
                returns.append(following[0] - at)
        elif state == PresenceState.WRAP_UP:
            state = str(PresenceState.AVAILABLE)
        if states and states[-1][0] == at:
            states.pop()
        if not states or states[-1][1] != state:
            states.append((at, state))
    return Here(tuple(states), tuple(returns))


# --- offers ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """One offer and its answer: accepted, declined or expired, after so many seconds."""

    item: int
    agent: int
    channel: str
    how: str
    after_s: float


def offered(begin: datetime, end: datetime) -> list[Answered]:
    """The offers made in that time, in order. One that ended because the agent left, or the work went elsewhere, had no answer."""
    session = db.session()
    taken: dict[tuple[int, int], list[datetime]] = {}
    own = (Assignment.item_id, Assignment.user_id, Assignment.started_at)
    for item_id, user_id, at in session.execute(select(*own).where(Assignment.how == "offer", Assignment.started_at >= begin)):
        taken.setdefault((item_id, user_id), []).append(at)
    made = (Offer.item_id, Offer.user_id, Offer.state, Offer.offered_at, Offer.expires_at, Offer.decided_at, Offer.reason)
    rows = session.execute(
        select(*made, WorkItem.channel)
        .join(WorkItem, WorkItem.id == Offer.item_id)
        .where(Offer.offered_at >= begin, Offer.offered_at < end)
        .order_by(Offer.offered_at, Offer.id)
    )
    found = []
    for row in rows:
        accepted = next((at for at in taken.get((row.item_id, row.user_id), ()) if row.offered_at <= at <= row.expires_at), None)
        if accepted is not None:
            how, ended = "accepted", accepted
        elif row.state is OfferState.DECLINED and row.reason != "left":
            how, ended = "declined", row.decided_at or row.expires_at
        elif row.state is OfferState.EXPIRED:
            how, ended = "expired", row.expires_at
        else:
            continue
        found.append(Answered(row.item_id, row.user_id, row.channel, how, (ended - row.offered_at).total_seconds()))
    return found


def habits(offered: Iterable[Answered]) -> dict[int, Mapping[str, tuple[Answer, ...]]]:
    """How each agent answered, by channel: what other offers are answered like."""
    found: dict[int, dict[str, tuple[Answer, ...]]] = {}
    for answer in offered:
        own = found.setdefault(answer.agent, {})
        own[answer.channel] = (*own.get(answer.channel, ()), (answer.how, answer.after_s))[-ANSWERS:]
    return {agent: own for agent, own in found.items()}


# --- after the work, and before the week -------------------------------------------------------------------------------------


def wraps(begin: datetime, end: datetime) -> dict[int, float]:
    """For how long each piece of work was finished up, in seconds."""
    ended = select(WrapUp.item_id, WrapUp.began_at, WrapUp.ended_at).where(
        WrapUp.began_at >= begin, WrapUp.began_at < end, WrapUp.ended_at.is_not(None)
    )
    found: dict[int, float] = {}
    for row in db.session().execute(ended):
        found[row.item_id] = found.get(row.item_id, 0.0) + (row.ended_at - row.began_at).total_seconds()
    return found


def served(customers: Iterable[int], before: datetime) -> dict[int, int]:
    """Who had served each customer last: who answered last, or for somebody who only ever called, who had the last call."""
    session = db.session()
    found: dict[int, int] = {}
    everybody = sorted(customers)
    for start in range(0, len(everybody), _AT_ONCE):
        some = everybody[start : start + _AT_ONCE]
        talked = (
            select(func.max(Assignment.id))
            .join(WorkItem, WorkItem.id == Assignment.item_id)
            .join(Ticket, Ticket.id == Assignment.ticket_id)
            .where(Ticket.requester_id.in_(some), WorkItem.channel != TICKET, Assignment.started_at < before)
            .group_by(Ticket.requester_id)
        )
        answered = (
            select(func.max(Message.id))
            .join(Ticket, Ticket.id == Message.ticket_id)
            .where(Ticket.requester_id.in_(some), Message.kind == MessageKind.REPLY, Message.user_id.is_not(None), Message.at < before)
            .group_by(Ticket.requester_id)
        )
        for table, last in ((Assignment, talked), (Message, answered)):
            rows = session.execute(
                select(Ticket.requester_id, table.user_id).join(Ticket, Ticket.id == table.ticket_id).where(table.id.in_(last))
            )
            found |= {row.requester_id: row.user_id for row in rows}
    return found
