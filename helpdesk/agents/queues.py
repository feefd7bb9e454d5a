"""Where work waits, who works there and what it takes. What waits already follows a change by a reaction (`routing.queue_changed`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select

from helpdesk import db, health, versions
from helpdesk.actor import Actor
from helpdesk.agents import steps, wrap_up
from helpdesk.agents.models import AgentSkill, ItemState, QueueMember, Skill, WorkItem
from helpdesk.auth import STAFF, User
from helpdesk.catalog import QueueChanged, UserChanged
from helpdesk.errors import Conflict, Invalid, Words
from helpdesk.events import record
from helpdesk.tickets import lifecycle
from helpdesk.tickets.models import UNSOLVED, Hours, Inbox, Queue, Ticket

ACCEPTANCES = ("offer", "automatic", "pull")
OFFER_S = (5, 600)
TARGET_MIN = (1, 30 * 24 * 60)
TIERS = (0, 9)
WEIGHT = (1, 10)
LEVELS = range(1, 6)
WRAP_UP_S = (5, 3600)
STEP_MIN = (1, 30 * 24 * 60)


@dataclass(frozen=True)
class Widening:
    """After so many minutes of waiting these least levels are enough, {skill id: level}."""

    after_min: int
    requirements: Mapping[int, int]


@dataclass(frozen=True)
class Shape:
    """Everything an administrator says about a queue. `requirements`: {skill id: least level}. `target_min`: first answer within so many
    minutes, for `service_target` (0 to 1) of the requests. `weight`: how much of an agent's capacity one ticket takes; `live_weight` one
    chat or call. `widenings` in order; `overflow_id`: whose people may take it too after `overflow_min`. `hold_min` None: as the desk holds
    work for the agent who answered the customer last; 0: not at all. `hours_id` None: always open."""

    name: str
    name_ru: str = ""
    acceptance: str = "offer"
    offer_s: int = 30
    target_min: int = 240
    service_target: float = 0.8
    tier: int = 1
    weight: int = 1
    prefers_proficiency: bool = False
    requirements: Mapping[int, int] = field(default_factory=dict)
    members: Collection[int] = ()
    widenings: Sequence[Widening] = ()
    overflow_id: int | None = None
    overflow_min: int = 0
    hold_min: int | None = None
    live_weight: int = 1
    wrap_up: str = "none"
    wrap_up_s: int = 60
    hours_id: int | None = None


@dataclass(frozen=True)
class Listed:
    """A queue as the list shows it."""

    queue: Queue
    members: int
    waiting: int
    inboxes: list[str]
    trouble: Words


def add(shape: Shape, *, by: Actor) -> Queue:
    """A new queue. Raises Invalid."""
    queue = Queue(name="", requirements={}, steps=[], weights={})
    for column, value in _columns(shape, None).items():
        setattr(queue, column, value)
    db.session().add(queue)
    db.session().flush()
    _set_members(queue, shape.members, by=by)
    record(QueueChanged(queue.id, by))
    return queue


def edit(queue: Queue, shape: Shape, *, seen: int | None, by: Actor) -> Queue:
    """Change a queue. What waits there is measured anew. Raises Stale, Invalid."""
    versions.change(queue, seen, **_columns(shape, queue))
    _set_members(queue, shape.members, by=by)
    record(QueueChanged(queue.id, by))
    return queue


def deactivate(queue: Queue, to: Queue | None, *, seen: int | None, by: Actor) -> int:
    """Switch a queue off; its unsolved tickets and its inboxes go to another. How many tickets went.

    Raises Invalid when something is there and no other queue is named, Conflict for the last queue, Stale.
    """
    if not queue.active:
        return 0
    session = db.session()
    if not session.scalar(select(func.count()).select_from(Queue).where(Queue.active, Queue.id != queue.id)):
        raise Conflict(_("This is the only queue. New requests would have nowhere to go."))
    tickets = list(session.scalars(select(Ticket).where(Ticket.queue_id == queue.id, Ticket.status.in_(UNSOLVED)).order_by(Ticket.id)))
    inboxes = list(session.scalars(select(Inbox).where(Inbox.queue_id == queue.id)))
    if (tickets or inboxes) and to is None:
        raise Invalid(fields={"to": _("Please say which queue takes its tickets and inboxes.")})
    if to is not None and (to.id == queue.id or not to.active):
        raise Invalid(fields={"to": _("Please choose another queue that is switched on.")})
    versions.change(queue, seen, active=False)
    for inbox in inboxes:
        assert to is not None
        versions.change(inbox, None, queue_id=to.id)
    for ticket in tickets:
        assert to is not None
        lifecycle.move(ticket, to, by=by)
    for feeding in session.scalars(select(Queue).where(Queue.overflow_id == queue.id)):
        versions.change(feeding, None, overflow_id=to.id if to is not None and to.id != feeding.id else None)
    record(QueueChanged(queue.id, by))
    return len(tickets)


def reactivate(queue: Queue, *, seen: int | None, by: Actor) -> Queue:
    """Switch a queue on again, with the people it had."""
    if not queue.active:
        versions.change(queue, seen, active=True)
        record(QueueChanged(queue.id, by))
    return queue


# --- can anybody serve it? -------------------------------------------------------------------------------------------------


def trouble(requirements: Mapping[str, int], members: Sequence[Mapping[int, int]], skills: Mapping[int, str]) -> Words:
    """Why nobody can serve a queue, in words; empty when somebody can.

    `members`: the skills {id: level} of each active person of the queue; `skills`: names by id.
    """
    if not members:
        return _("Nobody works in this queue. Its tickets wait until somebody does.")
    wanted = {int(skill): int(level) for skill, level in requirements.items()}
    if any(all(one.get(skill, 0) >= level for skill, level in wanted.items()) for one in members):
        return ""
    for skill, level in wanted.items():
        if not any(one.get(skill, 0) >= level for one in members):
            return _("Nobody in this queue has %(skill)s at level %(level)s. Its tickets wait until somebody does.",
                     skill=skills.get(skill, "?"), level=level)  # fmt: skip
    return _("Nobody in this queue has all the skills that it asks for at once. Its tickets wait until somebody does.")


def listed() -> list[Listed]:
    """Every queue, the open ones first, with what waits there and whether anybody can serve it; six queries however many there are."""
    session = db.session()
    skills = {skill.id: skill.name for skill in session.scalars(select(Skill))}
    known: dict[int, dict[int, int]] = {}
    for row in session.scalars(select(AgentSkill)):
        known.setdefault(row.user_id, {})[row.skill_id] = row.level
    members: dict[int, list[Mapping[int, int]]] = {}
    at_work = select(QueueMember.queue_id, User.id).join(User, User.id == QueueMember.user_id).where(User.active, User.role.in_(STAFF))
    for queue_id, user_id in session.execute(at_work):
        members.setdefault(queue_id, []).append(known.get(user_id, {}))
    open_tickets = select(Ticket.queue_id, func.count()).where(Ticket.status.in_(UNSOLVED)).group_by(Ticket.queue_id)
    waiting = {queue_id: count for queue_id, count in session.execute(open_tickets)}
    fed: dict[int, list[str]] = {}
    for inbox in session.scalars(select(Inbox).where(Inbox.active).order_by(Inbox.name)):
        fed.setdefault(inbox.queue_id, []).append(inbox.name)
    return [
        Listed(
            queue,
            len(members.get(queue.id, [])),
            waiting.get(queue.id, 0),
            fed.get(queue.id, []),
            trouble(_last_step(queue), [*members.get(queue.id, []), *members.get(queue.overflow_id or 0, [])], skills)
            if queue.active
            else "",
        )
        for queue in session.scalars(select(Queue).order_by(~Queue.active, Queue.name))
    ]


def trouble_of(queue: Queue) -> Words:
    """Why nobody can serve this queue; empty when somebody can."""
    session = db.session()
    overflowing = session.get(Queue, queue.overflow_id) if queue.overflow_id else None
    everybody = {*members_of(queue), *(members_of(overflowing) if overflowing is not None else ())}
    at_work = select(User.id).where(User.id.in_(everybody), User.active, User.role.in_(STAFF))
    known: dict[int, dict[int, int]] = {user: {} for user in session.scalars(at_work)}
    for row in session.scalars(select(AgentSkill).where(AgentSkill.user_id.in_(known))):
        known[row.user_id][row.skill_id] = row.level
    return trouble(_last_step(queue), list(known.values()), {skill.id: skill.name for skill in session.scalars(select(Skill))})


def _last_step(queue: Queue) -> Mapping[str, int]:
    """What the work asks for at last: who can serve it then can serve it at all."""
    return steps.of(queue)[-1].requirements


def shape_of(queue: Queue) -> Shape:
    """A queue as its form shows it."""
    return Shape(
        name=queue.name,
        name_ru=queue.name_ru,
        acceptance=queue.acceptance,
        offer_s=queue.offer_s,
        target_min=queue.target_s // 60,
        service_target=queue.service_target,
        tier=queue.tier,
        weight=int(queue.weights.get("ticket", 1)),
        prefers_proficiency=queue.prefers_proficiency,
        requirements={int(skill): int(level) for skill, level in queue.requirements.items()},
        members=members_of(queue),
        widenings=tuple(
            Widening(int(before["until_age_s"]) // 60, {int(skill): int(level) for skill, level in step.get("requirements", {}).items()})
            for before, step in pairwise(queue.steps)
            if not step.get("overflow")
        ),
        overflow_id=queue.overflow_id,
        overflow_min=next((int(before["until_age_s"]) // 60 for before, step in pairwise(queue.steps) if step.get("overflow")), 0),
        hold_min=None if queue.hold_s is None else queue.hold_s // 60,
        live_weight=int(queue.weights.get("chat", 1)),
        wrap_up=queue.wrap_up,
        wrap_up_s=queue.wrap_up_s,
        hours_id=queue.hours_id,
    )


def steps_of(shape: Shape) -> list[dict[str, Any]]:
    """The shape's steps as they are stored; none when everybody who may take the work may do so at once."""
    base = {str(skill): level for skill, level in sorted(shape.requirements.items())}
    begins = [(0, base, False)]
    begins += [
        (each.after_min, {str(skill): level for skill, level in sorted(each.requirements.items())}, False) for each in shape.widenings
    ]
    if shape.overflow_id is not None:
        begins.append((shape.overflow_min, begins[-1][1], True))
    if len(begins) == 1:
        return []
    ends: list[int | None] = [after * 60 for after, _requirements, _overflow in begins[1:]] + [None]
    return [
        {"requirements": requirements, **({"until_age_s": end} if end is not None else {}), **({"overflow": True} if overflow else {})}
        for (_after, requirements, overflow), end in zip(begins, ends, strict=True)
    ]


@dataclass(frozen=True)
class Stage:
    """One line of the preview: from which minute on, what is asked for ([(skill, level)]), whose people too, and how many can."""

    from_min: int
    asks: list[tuple[str, int]]
    overflow: Queue | None
    people: int


def stages(shape: Shape) -> list[Stage]:
    """Who may take the work of such a queue at which age: what the form says back in plain words."""
    session = db.session()
    names = {skill.id: skill.name for skill in session.scalars(select(Skill))}
    overflow = session.get(Queue, shape.overflow_id) if shape.overflow_id else None
    levels: dict[int, dict[int, int]] = {}
    own, others = set(shape.members), set(members_of(overflow)) if overflow is not None else set()
    at_work = select(User.id).where(User.id.in_(own | others), User.active, User.role.in_(STAFF))
    for user in session.scalars(at_work):
        levels[user] = {}
    for row in session.scalars(select(AgentSkill).where(AgentSkill.user_id.in_(levels))):
        levels[row.user_id][row.skill_id] = row.level
    found, begins = [], 0
    for step in steps_of(shape) or [{"requirements": {str(skill): level for skill, level in shape.requirements.items()}}]:
        asked = {int(skill): int(level) for skill, level in step["requirements"].items()}
        admitted = own | others if step.get("overflow") else own
        able = [user for user in levels if user in admitted and all(levels[user].get(skill, 0) >= level for skill, level in asked.items())]
        asks = [(names.get(skill, "?"), level) for skill, level in asked.items()]
        found.append(Stage(begins, asks, overflow if step.get("overflow") else None, len(able)))
        begins = int(step.get("until_age_s") or 0) // 60
    return found


@health.measure("helpdesk_waiting_items", "Work items that wait for an agent.", "queue")
def waiting_items() -> dict[str, float]:
    """By the queue's English name; queues where nothing waits count as 0."""
    waiting = select(WorkItem.queue_id, func.count()).where(WorkItem.state == ItemState.WAITING).group_by(WorkItem.queue_id)
    counts = {queue_id: count for queue_id, count in db.session().execute(waiting)}
    return {queue.name: counts.get(queue.id, 0) for queue in db.session().scalars(select(Queue).where(Queue.active))}


def members_of(queue: Queue) -> list[int]:
    """Ids of the people who work in a queue, whether active or not."""
    return list(db.session().scalars(select(QueueMember.user_id).where(QueueMember.queue_id == queue.id).order_by(QueueMember.user_id)))


def holds(queue: Queue) -> tuple[int, list[str]]:
    """What would have to go elsewhere: how many unsolved tickets, and the names of the inboxes that feed it."""
    session = db.session()
    tickets = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.queue_id == queue.id, Ticket.status.in_(UNSOLVED)))
    return tickets or 0, list(session.scalars(select(Inbox.name).where(Inbox.queue_id == queue.id).order_by(Inbox.name)))


# --- what may be said ------------------------------------------------------------------------------------------------------


def _columns(shape: Shape, owner: Queue | None) -> dict[str, object]:
    """The shape as columns. Raises Invalid with every fault at once."""
    session = db.session()
    faults: dict[str, Words] = {}
    name, name_ru = " ".join(shape.name.split())[:120], " ".join(shape.name_ru.split())[:120]
    if not name:
        faults["name"] = _("Please fill this in.")
    elif session.scalar(select(Queue.id).where(Queue.name == name, Queue.id != (owner.id if owner else 0))) is not None:
        faults["name"] = _("This name is taken.")
    if shape.acceptance not in ACCEPTANCES:
        faults["acceptance"] = _("Please choose one of the list.")
    for field_name, value, (least, most) in (
        ("offer_s", shape.offer_s, OFFER_S),
        ("target_min", shape.target_min, TARGET_MIN),
        ("tier", shape.tier, TIERS),
        ("weight", shape.weight, WEIGHT),
        ("service_target", round(shape.service_target * 100), (1, 100)),
        ("live_weight", shape.live_weight, WEIGHT),
        ("wrap_up_s", shape.wrap_up_s, WRAP_UP_S),
        ("hold_min", shape.hold_min or 0, (0, 7 * 24 * 60)),
        *((f"after-{number}", each.after_min, STEP_MIN) for number, each in enumerate(shape.widenings, start=1)),
        *((("overflow_min", shape.overflow_min, STEP_MIN),) if shape.overflow_id is not None else ()),
    ):
        if not least <= value <= most:
            faults[field_name] = _("Please give a number from %(least)s to %(most)s.", least=least, most=most)
    asked = [shape.requirements, *(each.requirements for each in shape.widenings)]
    known = {skill.id: skill.name for skill in session.scalars(select(Skill))}
    if any(level not in LEVELS or skill not in known for levels in asked for skill, level in levels.items()):
        faults["requirements"] = _("A skill's level goes from 1 to 5.")
    faults |= _routing_faults(shape, owner)
    if not faults and (wrong := _step_fault(shape, owner, known)):
        faults["steps"] = wrong
    if faults:
        raise Invalid(fields=faults)
    return {
        "name": name, "name_ru": name_ru, "acceptance": shape.acceptance, "offer_s": shape.offer_s, "target_s": shape.target_min * 60,
        "service_target": shape.service_target, "tier": shape.tier, "prefers_proficiency": shape.prefers_proficiency,
        "weights": {**(owner.weights if owner else {}), "ticket": shape.weight, **_live_weights(shape, owner)},
        "steps": steps_of(shape), "overflow_id": shape.overflow_id, "hours_id": shape.hours_id,
        "hold_s": None if shape.hold_min is None else shape.hold_min * 60, "wrap_up": shape.wrap_up, "wrap_up_s": shape.wrap_up_s,
        "requirements": {str(skill): level for skill, level in sorted(shape.requirements.items())},
    }  # fmt: skip


def _live_weights(shape: Shape, owner: Queue | None) -> dict[str, int]:
    stored = owner is not None and ("chat" in owner.weights or "phone" in owner.weights)
    return {"chat": shape.live_weight, "phone": shape.live_weight} if stored or shape.live_weight != 1 else {}


def _routing_faults(shape: Shape, owner: Queue | None) -> dict[str, Words]:
    session = db.session()
    faults: dict[str, Words] = {}
    if shape.wrap_up not in wrap_up.MODES:
        faults["wrap_up"] = _("Please choose one of the list.")
    elif shape.wrap_up == "mandatory" and not wrap_up.any_active():
        faults["wrap_up"] = _("There is no code yet that could be chosen. Add one under Wrap-up codes first.")
    if shape.hours_id is not None and session.get(Hours, shape.hours_id) is None:
        faults["hours_id"] = _("Please choose one of the list.")
    if shape.overflow_id is not None:
        to = session.get(Queue, shape.overflow_id)
        if to is None or not to.active or (owner is not None and to.id == owner.id):
            faults["overflow_id"] = _("Please choose another queue that is switched on.")
    return faults


def _step_fault(shape: Shape, owner: Queue | None, skills: Mapping[int, str]) -> Words:
    probe = Queue(steps=steps_of(shape), requirements={}, overflow_id=shape.overflow_id)
    names = {str(skill): name for skill, name in skills.items()}
    return steps.fault(owner.id if owner else None, steps.of(probe), shape.overflow_id, names)


def _set_members(queue: Queue, members: Collection[int], *, by: Actor) -> None:
    session = db.session()
    before = set(members_of(queue))
    after = set(session.scalars(select(User.id).where(User.id.in_(set(members)), User.role.in_(STAFF))))
    session.execute(delete(QueueMember).where(QueueMember.queue_id == queue.id, QueueMember.user_id.in_(before - after)))
    session.add_all(QueueMember(queue_id=queue.id, user_id=user) for user in sorted(after - before))
    session.flush()
    for user in sorted(before ^ after):
        record(UserChanged(user, by))
