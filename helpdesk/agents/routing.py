"""Routing: the right free agent, once, at once. Facts are committed first, then matched in a new transaction, from both sides:

- an item begins to wait → the best eligible agent of its queue;
- an agent becomes free → the best item among the heads of the signatures they may serve.

A match is one transaction: raise the agent's load under its guard (that locks the agent), claim the item by a guarded UPDATE,
make the offer or
the assignment. Whoever loses the race rolls back to before its claim and looks again. The choice itself is `agents.ranking`: this module
only finds the few candidates and writes down what was decided and why.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import set_committed_value

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.agents import assignments, offers, ranking
from helpdesk.agents.models import (
    AgentProfile,
    AgentSkill,
    Assignment,
    Exclusion,
    ItemState,
    Offer,
    Presence,
    PresenceState,
    QueueMember,
    Signature,
    WorkItem,
)
from helpdesk.auth import User
from helpdesk.catalog import (
    AssignmentEnded,
    CustomerWrote,
    ItemQueued,
    OfferDeclined,
    OfferExpired,
    PresenceChanged,
    PriorityChanged,
    QueueChanged,
    StatusChanged,
    TicketAssigned,
    TicketClosed,
    TicketMoved,
    TicketOpened,
    TicketReopened,
    TicketSolved,
    UserChanged,
    WorkStranded,
)
from helpdesk.crm.models import Contact
from helpdesk.events import Outside, reaction, record
from helpdesk.tickets.models import UNSOLVED, Queue, Status, Ticket

log = logging.getLogger(__name__)

KIND = "ticket"  # e-mail, portal and API requests are one kind of work; chat and phone bring their own
CANDIDATES = 50
ROUNDS = 20
#: How much a tier is worth between 0 and 1, until the customer's value is computed.
TIER_VALUE = {"vip": 1.0, "gold": 0.8, "silver": 0.4}
BOOST = ranking.BoostRules()


# --- facts that make work wait, or end it ------------------------------------------------------------------------------


@reaction(TicketOpened, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.enqueue")
def enqueue_opened(fact: TicketOpened) -> Outside | None:
    """Let the new ticket wait in its queue, then look for an agent."""
    return _waits(fact.ticket_id)


@reaction(TicketReopened, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.enqueue_reopened")
def enqueue_reopened(fact: TicketReopened) -> Outside | None:
    """A reopened ticket goes back to its owner if they are there, and waits for anybody otherwise."""
    return _waits(fact.ticket_id)


@reaction(TicketMoved, name="routing.moved")
def moved(fact: TicketMoved) -> Outside | None:
    """In another queue the work waits anew for somebody who works there; its age counts on."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    item = assignments.hold(ticket.id)
    if item is not None and item.queue_id != ticket.queue_id:
        assignments.withdraw_offer(item)
        if ticket.assignee_id is None or ticket.assignee_id not in assignments.members(ticket.queue_id):
            assignments.unassign(ticket, by=SYSTEM)
            item.state, item.user_id = ItemState.WAITING, None
        _place(item, ticket)
    return _waits(ticket.id)


@reaction(PriorityChanged, name="routing.reordered")
def reordered(fact: PriorityChanged) -> None:
    """A waiting item's key follows its ticket's priority."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    item = assignments.live_item(ticket)
    if item is not None:
        _place(item, ticket)


@reaction(TicketSolved, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.release")
def release_solved(fact: TicketSolved) -> None:
    """Solved work no longer waits and holds nobody."""
    _finish(fact.ticket_id, "solved")


@reaction(TicketClosed, key=lambda fact: f"ticket:{fact.ticket_id}", name="routing.release_closed")
def release_closed(fact: TicketClosed) -> None:
    """Closed work no longer waits and holds nobody."""
    _finish(fact.ticket_id, "closed")


@reaction(StatusChanged, name="routing.rest_or_wake")
def rest_or_wake(fact: StatusChanged) -> Outside | None:
    """Work that waits for the customer or for others weighs nothing until it is ours again."""
    ticket = db.session().get_one(Ticket, fact.ticket_id)
    item = assignments.hold(ticket.id)
    if item is None or ticket.status not in UNSOLVED:
        return None
    if ticket.status in (Status.PENDING, Status.ON_HOLD):
        freed = assignments.rest(item)
        return _then_serve(freed) if freed else None
    assignments.wake(item)
    return None


@reaction(CustomerWrote, name="routing.wake")
def customer_wrote(fact: CustomerWrote) -> Outside | None:
    """The customer answered: the work weighs again; without an owner it waits."""
    return _waits(fact.ticket_id)


@reaction(AssignmentEnded, name="routing.freed")
def freed(fact: AssignmentEnded) -> Outside | None:
    """An agent has room again."""
    return _then_serve(fact.user_id)


@reaction(PresenceChanged, name="routing.presence")
def presence_changed(fact: PresenceChanged) -> Outside | None:
    """An agent who became available is asked at once; one who left gives open offers back."""
    if fact.new == PresenceState.AVAILABLE:
        return _then_serve(fact.user_id)
    if fact.new in (PresenceState.OFFLINE, PresenceState.AWAY):
        for offer in offers.open_offers(fact.user_id):
            offers.decline(offer, reason="left", by=_as(fact.user_id))
    return None


@reaction(OfferDeclined, name="routing.declined")
def declined(fact: OfferDeclined) -> Outside | None:
    """Somebody else may want it, and the agent has room for something else."""
    return _next_for(fact.ticket_id, fact.user_id)


@reaction(OfferExpired, name="routing.expired")
def expired(fact: OfferExpired) -> Outside | None:
    """Somebody else gets it."""
    return _next_for(fact.ticket_id, fact.user_id)


@reaction(TicketAssigned, when=lambda fact: fact.new is None, name="routing.handed_back")
def handed_back(fact: TicketAssigned) -> Outside | None:
    """Work handed back waits again and is offered anew."""
    return _waits(fact.ticket_id)


@reaction(UserChanged, key=lambda fact: f"user:{fact.user_id}", name="routing.person_changed")
def person_changed(fact: UserChanged) -> Outside | None:
    """Another queue, a new skill, more capacity: there may be work for this agent now."""
    return _then_serve(fact.user_id)


@reaction(QueueChanged, key=lambda fact: f"queue:{fact.queue_id}", name="routing.queue_changed")
def queue_changed(fact: QueueChanged) -> Outside | None:
    """What waits follows what its queue asks for now, and everybody who works there is asked again."""
    queue = db.session().get(Queue, fact.queue_id)
    if queue is None:
        return None
    reshape(queue)
    members = sorted(assignments.members(queue.id))
    return Outside(call=lambda: None, then=lambda _result: _serve_all(members))


# --- waiting -----------------------------------------------------------------------------------------------------------


def enqueue(ticket: Ticket) -> WorkItem:
    """The ticket's live work item, waiting if nobody owns it; made if there is none."""
    session = db.session()
    item = assignments.live_item(ticket)
    if item is not None:
        return item
    queue = session.get_one(Queue, ticket.queue_id)
    item = WorkItem(
        ticket_id=ticket.id,
        channel=KIND,
        queue_id=queue.id,
        signature_id=0,
        enqueued_at=ticket.waiting_since or ticket.opened_at,
        step=1,
        weight=int(queue.weights.get(KIND, 1)),
        state=ItemState.WAITING,
        tier=queue.tier,
        vkey=0,
    )
    _place(item, ticket)
    session.add(item)
    session.flush()
    record(ItemQueued(ticket.id, item.id, queue.id, SYSTEM))
    return item


def _waits(ticket_id: int) -> Outside | None:
    """Make sure an unsolved ticket either waits or is owned; then match what waits, in a new transaction."""
    session = db.session()
    ticket = session.get_one(Ticket, ticket_id)
    if ticket.status not in UNSOLVED:
        return None
    item = enqueue(ticket)
    if item.state is ItemState.ASSIGNED:
        if ticket.status not in (Status.PENDING, Status.ON_HOLD):
            assignments.wake(item)
        return None
    if ticket.assignee_id is not None and item.state is ItemState.WAITING:
        # Reopened, and the owner never left it: it is theirs again, above any cap.
        owner = session.get(User, ticket.assignee_id)
        if owner is not None and owner.active:
            item.state, item.user_id = ItemState.ASSIGNED, owner.id
            assignments.begin(item, owner.id, how="reply", counted=False)
            return None
    item_id = item.id
    return _then(lambda: match_item(item_id))


def _finish(ticket_id: int, how: str) -> None:
    item = assignments.hold(ticket_id)
    if item is None or db.session().get_one(Ticket, ticket_id).status in UNSOLVED:
        return
    assignments.withdraw_offer(item)
    assignments.end(item, how, by=SYSTEM)
    item.state = ItemState.DONE
    db.session().execute(delete(Exclusion).where(Exclusion.item_id == item.id))


def _place(item: WorkItem, ticket: Ticket) -> None:
    """The item's key: deadline minus boost, in epoch milliseconds; independent of now, so nothing is ever sorted again."""
    session = db.session()
    queue = session.get_one(Queue, ticket.queue_id)
    contact = session.get_one(Contact, ticket.requester_id)
    due = ticket.next_due_at.timestamp() if ticket.next_due_at else item.enqueued_at.timestamp() + queue.target_s
    boost = ranking.boost(str(ticket.priority), TIER_VALUE.get(contact.tier, 0.0), BOOST)
    item.queue_id, item.tier = queue.id, queue.tier
    item.signature_id = _signature(queue, item.step).id
    item.vkey = int(ranking.vkey(due, boost.total_s) * 1000)


def _signature(queue: Queue, step: int) -> Signature:
    """The interned signature of a queue's step: what its items ask of an agent."""
    session = db.session()
    requirements = queue.requirements
    if queue.steps and 1 <= step <= len(queue.steps):
        requirements = queue.steps[step - 1].get("requirements", requirements)
    shape = json.dumps([KIND, queue.id, step, sorted(requirements.items())], separators=(",", ":"))
    interned: dict[str, Signature] = db.unit().notes.setdefault("signatures", {})
    if shape in interned:
        return interned[shape]
    found = session.scalar(select(Signature).where(Signature.shape == shape))
    if found is None:
        dialect = sqlite if db.engine().dialect.name == "sqlite" else postgresql
        values = {"shape": shape, "channel": KIND, "queue_id": queue.id, "requirements": requirements, "step": step}
        session.execute(dialect.insert(Signature).values(**values).on_conflict_do_nothing(index_elements=["shape"]))
        found = session.scalars(select(Signature).where(Signature.shape == shape)).one()
    interned[shape] = found
    return found


def reshape(queue: Queue) -> None:
    """Waiting items take their queue's present requirements and tier; their place in time stays."""
    session = db.session()
    waiting = (WorkItem.queue_id == queue.id, WorkItem.state == ItemState.WAITING)
    for step in list(session.scalars(select(WorkItem.step).where(*waiting).distinct())):
        session.execute(
            update(WorkItem).where(*waiting, WorkItem.step == step).values(signature_id=_signature(queue, step).id, tier=queue.tier),
            execution_options={"synchronize_session": False},
        )


# --- matching ----------------------------------------------------------------------------------------------------------


def match_item(item_id: int) -> bool:
    """Find the best agent for a waiting item and hold it out to them; whether somebody got it. In its own transaction."""
    session = db.session()
    for again in range(ROUNDS):
        item = session.get(WorkItem, item_id, populate_existing=bool(again))
        if item is None or item.state is not ItemState.WAITING:
            return False
        queue = session.get_one(Queue, item.queue_id)
        if queue.acceptance == "pull":
            return False
        head = _head(item, queue)
        states = _candidates(item, queue)
        decision = ranking.best_agent(head, states)
        if decision.agent is None:
            if head.excluded_agents and ranking.exclusions_lapse(head, _everybody(item, queue)):
                session.execute(delete(Exclusion).where(Exclusion.item_id == item.id))
                continue
            item.why = decision.as_json()
            return False
        if _claim(item, queue, decision):
            return True
    return False


def serve(user_id: int) -> bool:
    """Find the best waiting item for an agent who has room; whether they got one. In its own transaction."""
    session = db.session()
    got = False
    for _round in range(ROUNDS):
        state = _state_of(user_id)
        if state is None:
            return got
        heads = _heads(user_id, state)
        decision = ranking.best_item(state, heads)
        if decision.item is None:
            return got
        item = session.get_one(WorkItem, decision.item, populate_existing=True)
        if item.state is ItemState.WAITING and _claim(item, session.get_one(Queue, item.queue_id), decision):
            got = True
    return got


def _claim(item: WorkItem, queue: Queue, decision: ranking.Decision) -> bool:
    """Agent, then item, then offer or assignment; whoever loses the race puts back what it had taken."""
    session = db.session()
    user_id = decision.agent
    assert user_id is not None
    why = decision.as_json()
    if not assignments.raise_load(user_id, item.weight, present=True):
        return False
    state = ItemState.ASSIGNED if queue.acceptance == "automatic" else ItemState.OFFERED
    taken = session.execute(
        update(WorkItem).where(WorkItem.id == item.id, WorkItem.state == ItemState.WAITING).values(state=state, user_id=user_id, why=why),
        execution_options={"synchronize_session": False},
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        assignments.lower(user_id, item.weight)
        return False
    for name, value in (("state", state), ("user_id", user_id), ("why", why)):
        set_committed_value(item, name, value)
    if state is ItemState.ASSIGNED:
        assignments.take_over(item, session.get_one(Ticket, item.ticket_id), user_id, how="automatic", by=SYSTEM)
    else:
        offers.make(item, user_id, queue, why)
    return True


# --- what the ranking is asked about -------------------------------------------------------------------------------------


def _head(item: WorkItem, queue: Queue) -> ranking.ItemHead:
    session = db.session()
    excluded = frozenset(session.scalars(select(Exclusion.user_id).where(Exclusion.item_id == item.id, Exclusion.until > clock.now())))
    asked = session.get_one(Signature, item.signature_id).requirements
    return _as_head(item, asked, queue, excluded)


def _as_head(item: WorkItem | Row[Any], asked: dict[str, Any], queue: Queue, excluded: frozenset[int] = frozenset()) -> ranking.ItemHead:
    return ranking.ItemHead(
        id=item.id,
        channel=item.channel,
        queue=item.queue_id,
        tier=item.tier,
        vkey=item.vkey / 1000,
        enqueued_at=item.enqueued_at.timestamp(),
        requirements={skill: int(level) for skill, level in asked.items()},
        step=item.step,
        weight=item.weight,
        excluded_agents=excluded,
        by_proficiency=queue.prefers_proficiency,
    )


def _candidates(item: WorkItem, queue: Queue) -> list[ranking.AgentState]:
    """The few best by load and idleness among the queue's present members with room and the skills; the ranking decides between them."""
    profile = AgentProfile
    found = (
        _agents()
        .join(QueueMember, and_(QueueMember.user_id == profile.user_id, QueueMember.queue_id == queue.id))
        .where(
            Presence.state == PresenceState.AVAILABLE,
            Presence.expires_at >= clock.now(),
            profile.load + item.weight <= profile.capacity,
            ~exists().where(Exclusion.item_id == item.id, Exclusion.user_id == profile.user_id, Exclusion.until > clock.now()),
        )
        .order_by(profile.load * 1.0 / func.nullif(profile.capacity, 0), Presence.idle_since, profile.user_id)
    )
    for skill, level in db.session().get_one(Signature, item.signature_id).requirements.items():
        knows = aliased(AgentSkill)
        found = found.where(exists().where(knows.user_id == profile.user_id, knows.skill_id == int(skill), knows.level >= int(level)))
    if not queue.prefers_proficiency:
        found = found.limit(CANDIDATES)
    return _states(db.session().execute(found).all())


def _everybody(item: WorkItem, queue: Queue) -> list[ranking.AgentState]:
    """All members of the queue, whatever they are doing: to see whether exclusions have left nobody."""
    return _states(
        db.session()
        .execute(_agents().join(QueueMember, and_(QueueMember.user_id == AgentProfile.user_id, QueueMember.queue_id == queue.id)))
        .all()
    )


def _state_of(user_id: int) -> ranking.AgentState | None:
    found = db.session().execute(_agents().where(AgentProfile.user_id == user_id)).all()
    states = _states(found)
    return states[0] if states and states[0].presence == PresenceState.AVAILABLE else None


def _agents() -> Any:
    profile = AgentProfile
    return (
        select(
            profile.user_id, profile.capacity, profile.load, profile.channel_caps, Presence.state, Presence.idle_since, Presence.expires_at
        )
        .join(Presence, Presence.user_id == profile.user_id)
        .join(User, and_(User.id == profile.user_id, User.active))
    )


def _states(rows: Sequence[Row[Any]]) -> list[ranking.AgentState]:
    ids = {row.user_id for row in rows}
    skills: dict[int, dict[str, int]] = {user: {} for user in ids}
    in_hand: dict[int, dict[str, int]] = {user: {} for user in ids}
    if ids:
        session = db.session()
        for known in session.execute(select(AgentSkill.user_id, AgentSkill.skill_id, AgentSkill.level).where(AgentSkill.user_id.in_(ids))):
            skills[known.user_id][str(known.skill_id)] = known.level
        held = (
            select(WorkItem.user_id, WorkItem.channel, func.count().label("n"))
            .where(WorkItem.user_id.in_(ids), WorkItem.state.in_((ItemState.OFFERED, ItemState.ASSIGNED)))
            .group_by(WorkItem.user_id, WorkItem.channel)
        )
        for busy in session.execute(held):
            in_hand[busy.user_id][busy.channel] = busy.n
    now = clock.now()
    return [
        ranking.AgentState(
            id=row.user_id,
            presence=str(row.state) if row.expires_at >= now else str(PresenceState.OFFLINE),
            skills=skills[row.user_id],
            capacity=row.capacity,
            load=row.load,
            idle_since=row.idle_since.timestamp(),
            channel_loads=in_hand[row.user_id],
            channel_caps={channel: int(cap) for channel, cap in (row.channel_caps or {}).items()},
        )
        for row in rows
    ]


def _heads(user_id: int, state: ranking.AgentState) -> dict[Hashable, ranking.ItemHead]:
    """The first waiting item of each signature of the agent's queues, past those that exclude the agent: one index probe each."""
    session = db.session()
    waiting = aliased(WorkItem)
    excluded = exists().where(Exclusion.item_id == waiting.id, Exclusion.user_id == user_id, Exclusion.until > clock.now())
    first = (
        select(waiting.id)
        .where(waiting.signature_id == Signature.id, waiting.state == ItemState.WAITING, ~excluded)
        .order_by(waiting.tier, waiting.vkey, waiting.enqueued_at, waiting.id)
        .limit(1)
        .correlate(Signature)
        .scalar_subquery()
    )
    probes = (
        select(Signature.id, Signature.requirements, first.label("item_id"))
        .join(QueueMember, and_(QueueMember.queue_id == Signature.queue_id, QueueMember.user_id == user_id))
        .join(Queue, and_(Queue.id == Signature.queue_id, Queue.acceptance != "pull", Queue.active))
    )
    found = [row for row in session.execute(probes) if row.item_id is not None and _knows(state, row.requirements)]
    if not found:
        return {}
    items = {item.id: item for item in session.scalars(select(WorkItem).where(WorkItem.id.in_([row.item_id for row in found])))}
    queues = {queue.id: queue for queue in session.scalars(select(Queue).where(Queue.id.in_({item.queue_id for item in items.values()})))}
    return {row.id: _as_head(items[row.item_id], row.requirements, queues[items[row.item_id].queue_id]) for row in found}


def _knows(state: ranking.AgentState, asked: dict[str, Any]) -> bool:
    return all(state.skills.get(skill, 0) >= int(level) for skill, level in asked.items())


# --- small connections -----------------------------------------------------------------------------------------------------


def _then(match: Callable[[], object]) -> Outside | None:
    """Match in a new transaction, once the fact is committed: two that overlap would each miss what the other has not committed yet.

    SQLite's writers take turns, so none overlaps, and the match may follow at once.
    """
    if db.engine().dialect.name == "sqlite":
        db.session().flush()
        match()
        return None
    return Outside(call=lambda: None, then=lambda _result: match())


def _then_serve(user_id: int) -> Outside | None:
    return _then(lambda: serve(user_id))


def _serve_all(users: Iterable[int]) -> None:
    for user_id in users:
        serve(user_id)


def _next_for(ticket_id: int, user_id: int) -> Outside | None:
    def both() -> None:
        item = assignments.live_item(db.session().get_one(Ticket, ticket_id))
        if item is not None:
            match_item(item.id)
        serve(user_id)

    return _then(both)


def _as(user_id: int) -> Any:
    from helpdesk.actor import Actor

    return Actor("user", user_id)


# --- the sweep ---------------------------------------------------------------------------------------------------------------


def sweep() -> int:
    """Look for an eligible item waiting beside a free agent. There must be none; each found is matched, logged and counted."""
    with db.read() as session:
        free = list(
            session.scalars(
                select(AgentProfile.user_id)
                .join(Presence, Presence.user_id == AgentProfile.user_id)
                .where(
                    Presence.state == PresenceState.AVAILABLE, Presence.expires_at >= clock.now(), AgentProfile.load < AgentProfile.capacity
                )
            )
        )
    stranded = 0
    for user_id in free:
        with db.transaction():
            if serve(user_id):
                stranded += 1
                record(WorkStranded(user_id, SYSTEM))
                log.warning("the sweep found work waiting beside free agent %s", user_id)
    return stranded


def waiting_ids(queue_ids: Iterable[int] | None = None, *, before: datetime | None = None) -> list[int]:
    """Waiting items in routing's order; for screens."""
    found = (
        select(WorkItem.id)
        .where(WorkItem.state == ItemState.WAITING)
        .order_by(WorkItem.tier, WorkItem.vkey, WorkItem.enqueued_at, WorkItem.id)
    )
    if queue_ids is not None:
        found = found.where(WorkItem.queue_id.in_(list(queue_ids)))
    if before is not None:
        found = found.where(or_(WorkItem.enqueued_at < before))
    return list(db.session().scalars(found))


def why(ticket_id: int) -> dict[str, Any]:
    """What routing decided last about a ticket: the accepted offer's reasons, the assignment's, or why it still waits."""
    session = db.session()
    item = session.scalar(select(WorkItem).where(WorkItem.ticket_id == ticket_id).order_by(WorkItem.id.desc()).limit(1))
    if item is None:
        return {}
    last = session.scalar(select(Assignment).where(Assignment.item_id == item.id).order_by(Assignment.id.desc()).limit(1))
    offer = session.scalar(select(Offer).where(Offer.item_id == item.id).order_by(Offer.id.desc()).limit(1))
    return {"state": str(item.state), "item": item.why, "offer": offer.why if offer else None, "how": last.how if last else None}
