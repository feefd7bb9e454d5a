"""Who works here: invite, change, give roles, deactivate with what becomes of their work, bring back. Called by screens and commands.

Whether the doer may is the edge's question (administrators only); what must stay true whoever asks stands here: one administrator always
remains, and nobody's work is left lying with somebody who cannot sign in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, or_, select

from helpdesk import auth, db, versions
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import assignments, offers, presence
from helpdesk.agents.models import AgentProfile, AgentSkill, PresenceState, QueueMember, Skill, Team, TeamMember
from helpdesk.auth import STAFF, Role, User
from helpdesk.catalog import LinkRequested, UserChanged, UserDeactivated, UserInvited, UserReactivated
from helpdesk.crm import addresses
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import reaction, record
from helpdesk.tickets.models import UNSOLVED, Queue, Ticket

LEVELS = range(1, 6)
MOST_CAPACITY = 100


@dataclass(frozen=True)
class Place:
    """Where somebody works and what they can: ids of teams and queues, {skill id: level from 1 to 5}, and how much at once.

    `capacity` is for tickets, `live_capacity` for chats and calls. `caps` and `weights` by channel (ticket, chat, phone): at most so many,
    and what one weighs on this person; a channel that is missing has no limit of its own and its queue's weight.
    """

    teams: Collection[int] = ()
    queues: Collection[int] = ()
    skills: Mapping[int, int] = field(default_factory=dict)
    capacity: int = 6
    live_capacity: int = 3
    caps: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """Work that hangs on a person: unsolved tickets per queue, and offers waiting for their answer."""

    tickets: dict[str, int]
    offers: int

    @property
    def total(self) -> int:
        return sum(self.tickets.values())


# --- coming ------------------------------------------------------------------------------------------------------------


def invite(email: str, name: str, role: Role, place: Place, *, by: Actor, language: str = "", mail: bool = True) -> User:
    """Let somebody join: they choose their password through a single-use link. Raises Invalid for a used or unusable address.

    `mail` False when the desk cannot send any: then whoever invites passes the link on (`signin.by_mail.link_for`).
    """
    if role not in STAFF:
        raise Invalid(fields={"role": _("Please choose one of the list.")})
    _check(place)
    user = User(email=_free_address(email), name=_name(name), role=role, language=language)
    db.session().add(user)
    db.session().flush()
    _set_place(user, place)
    record(UserInvited(user.id, role, by))
    if mail:
        record(LinkRequested(user.id, "invite", by))
    return user


def send_link(user: User, purpose: str, *, by: Actor) -> None:
    """Mail a link to choose a password: `invite` before the first sign-in, `reset` later. Raises Conflict for somebody deactivated."""
    if not user.active:
        raise Conflict(_("%(name)s is deactivated.", name=user.name))
    record(LinkRequested(user.id, purpose, by))


# --- changing ----------------------------------------------------------------------------------------------------------


def edit(user: User, *, name: str, email: str, place: Place | None, seen: int | None, by: Actor) -> User:
    """Change what stands on a person's page, but for the role. Raises Stale, Invalid."""
    if place is not None:
        _check(place)
    versions.change(user, seen, name=_name(name), email=_free_address(email, user))
    if place is not None and user.role in STAFF:
        _set_place(user, place)
    record(UserChanged(user.id, by))
    return user


def set_role(user: User, role: Role, *, seen: int | None, by: Actor) -> User:
    """Make somebody agent, supervisor or administrator. Raises Conflict for the last administrator, Invalid for a customer."""
    if user.role is role:
        return user
    if role not in STAFF or user.role not in STAFF:
        raise Invalid(fields={"role": _("A customer's account stays one: invite a colleague under another address.")})
    _keep_an_admin(user)
    old = user.role
    versions.change(user, seen, role=role)
    record(UserChanged(user.id, by, old=old, new=role))
    return user


# --- going and coming back -----------------------------------------------------------------------------------------------


def held_by(user: User) -> Held:
    """What would be handed back: said before a person is deactivated."""
    per_queue = (
        select(Queue.name, func.count())
        .join(Ticket, Ticket.queue_id == Queue.id)
        .where(Ticket.assignee_id == user.id, Ticket.status.in_(UNSOLVED))
        .group_by(Queue.name)
        .order_by(Queue.name)
    )
    return Held({name: count for name, count in db.session().execute(per_queue)}, len(offers.open_offers(user.id)))


def deactivate(user: User, *, seen: int | None, by: Actor) -> Held:
    """End somebody's access: sessions, sockets and links end, open offers are withdrawn, unsolved tickets wait in their queues again.

    Says what was handed back. Doing it twice changes nothing. Raises Conflict for the last administrator, Stale.
    """
    if not user.active:
        return Held({}, 0)
    if user.id == by.user_id:
        raise Conflict(_("You cannot deactivate yourself. Ask another administrator."))
    _keep_an_admin(user)
    lock(user.id)  # from here on routing gives them nothing: their presence is offline when it may look again
    held = held_by(user)
    versions.change(user, seen, active=False)
    auth.end_sessions(user)
    auth.forget_links(user)
    _hand_back(user, by=by)
    record(UserDeactivated(user.id, by))
    return held


@reaction(UserDeactivated, delay=timedelta(seconds=15), key=lambda fact: f"user:{fact.user_id}", name="people.leftovers")
def hand_back_leftovers(fact: UserDeactivated) -> None:
    """What reached the person in the very moment they were deactivated waits in its queue again."""
    user = db.session().get(User, fact.user_id)
    if user is not None and not user.active:
        _hand_back(user, by=SYSTEM)


def reactivate(user: User, *, seen: int | None, by: Actor) -> User:
    """Let somebody in again, with the queues, skills and password they had."""
    if user.active:
        return user
    versions.change(user, seen, active=True)
    record(UserReactivated(user.id, by))
    return user


def beyond(user: User) -> tuple[int, int]:
    """What somebody carries now and how much of it is above what they are meant to, in weights: both budgets together."""
    profile = db.session().get(AgentProfile, user.id)
    if profile is None:
        return 0, 0
    over = max(0, profile.load - profile.capacity) + max(0, profile.live_load - profile.live_capacity)
    return profile.load + profile.live_load, over


# --- finding -----------------------------------------------------------------------------------------------------------


def found(text: str = "", *, role: str = "", state: str = "", after: tuple[str, int] | None = None, limit: int = 50) -> list[User]:
    """People by name, one more than `limit`; `text` is part of a name or address. Without a role: everybody who works here.

    `state`: active, invited (never chose a password), deactivated, or all. `after`: (name, id) of the last one seen.
    """
    people = select(User).order_by(User.name, User.id).limit(limit + 1)
    people = people.where(User.role == role) if role else people.where(User.role.in_(STAFF))
    if state == "deactivated":
        people = people.where(~User.active)
    elif state == "invited":
        people = people.where(User.active, User.password.is_(None))
    elif state != "all":
        people = people.where(User.active)
    if text:
        # SQLite folds only Latin letters: a Russian name is found as typed and with a capital.
        wanted = {text, text.lower(), text.capitalize(), text.title()}
        people = people.where(or_(*(column.icontains(word, autoescape=True) for column in (User.name, User.email) for word in wanted)))
    if after is not None:
        people = people.where(or_(User.name > after[0], (User.name == after[0]) & (User.id > after[1])))
    return list(db.session().scalars(people))


def everybody(*, also: Collection[int] = ()) -> list[User]:
    """Colleagues to choose from, by name: the active ones, and those among `also` who are not."""
    chosen = select(User).where(User.role.in_(STAFF), or_(User.active, User.id.in_(set(also)))).order_by(User.name, User.id)
    return list(db.session().scalars(chosen))


def queues_of(users: Collection[int]) -> dict[int, list[Queue]]:
    """The open queues of each of these people, by name."""
    found: dict[int, list[Queue]] = {}
    rows = select(QueueMember.user_id, Queue).join(Queue, Queue.id == QueueMember.queue_id)
    for user_id, queue in db.session().execute(rows.where(QueueMember.user_id.in_(set(users)), Queue.active).order_by(Queue.name)):
        found.setdefault(user_id, []).append(queue)
    return found


def place_of(user: User) -> Place:
    session = db.session()
    profile = session.get(AgentProfile, user.id)
    return Place(
        teams=list(session.scalars(select(TeamMember.team_id).where(TeamMember.user_id == user.id))),
        queues=list(session.scalars(select(QueueMember.queue_id).where(QueueMember.user_id == user.id))),
        skills={row.skill_id: row.level for row in session.scalars(select(AgentSkill).where(AgentSkill.user_id == user.id))},
        capacity=profile.capacity if profile is not None else Place().capacity,
        live_capacity=profile.live_capacity if profile is not None else Place().live_capacity,
        caps={channel: int(cap) for channel, cap in (profile.channel_caps if profile is not None else {}).items()},
        weights={channel: int(weight) for channel, weight in (profile.weights if profile is not None else {}).items()},
    )


# --- what stays true -------------------------------------------------------------------------------------------------------


def lock(user_id: int) -> None:
    """The agent first: the lock order of `assignments`."""
    presence.profile_of(user_id)
    db.session().execute(select(AgentProfile.user_id).where(AgentProfile.user_id == user_id).with_for_update())


def _hand_back(user: User, *, by: Actor) -> None:
    session = db.session()
    presence.set_presence(user.id, PresenceState.OFFLINE, by=by, reason="deactivated")
    for offer in offers.open_offers(user.id):
        with suppress(Conflict), session.begin_nested():  # answered in this very moment: then it is a ticket, below or in the leftovers
            offers.decline(offer, reason="deactivated", by=Actor("user", user.id, via=by.via))
    owned = select(Ticket).where(Ticket.assignee_id == user.id, Ticket.status.in_(UNSOLVED)).order_by(Ticket.id)
    for ticket in list(session.scalars(owned)):
        assignments.unassign(ticket, by=by)


def _keep_an_admin(user: User) -> None:
    """Before an administrator stops being one. The rows are locked: two who demote each other at once wait for each other."""
    if user.role is not Role.ADMIN or not user.active:
        return
    admins = select(User.id).where(User.role == Role.ADMIN, User.active).order_by(User.id).with_for_update()
    if set(db.session().scalars(admins)) <= {user.id}:
        raise Conflict(_("%(name)s is the last administrator. Make somebody else one first.", name=user.name))


def _check(place: Place) -> None:
    """Before anything is written, so that a refused form still shows what is stored. Raises Invalid."""
    faults = {
        name: _("Please give a number from %(least)s to %(most)s.", least=least, most=most)
        for name, value, (least, most) in (
            ("capacity", place.capacity, (0, MOST_CAPACITY)),
            ("live_capacity", place.live_capacity, (0, MOST_CAPACITY)),
            *((f"cap-{channel}", cap, (0, MOST_CAPACITY)) for channel, cap in place.caps.items()),
            *((f"weight-{channel}", weight, (1, 10)) for channel, weight in place.weights.items()),
        )
        if not least <= value <= most
    }
    if faults:
        raise Invalid(fields=faults)
    if any(level not in LEVELS for level in place.skills.values()):
        raise Invalid(fields={"skills": _("A skill's level goes from 1 to 5.")})


def _set_place(user: User, place: Place) -> None:
    """Teams, queues, skills and capacity as given, and nothing else."""
    session = db.session()
    if user.role is not Role.ADMIN or place.queues or place.skills:
        profile = presence.profile_of(user.id)
        profile.capacity, profile.live_capacity = place.capacity, place.live_capacity
        profile.channel_caps, profile.weights = dict(place.caps), dict(place.weights)
    teams = set(session.scalars(select(Team.id).where(Team.id.in_(set(place.teams)))))
    session.execute(delete(TeamMember).where(TeamMember.user_id == user.id))
    session.add_all(TeamMember(team_id=team, user_id=user.id) for team in sorted(teams))
    queues = set(session.scalars(select(Queue.id).where(Queue.id.in_(set(place.queues)))))
    session.execute(delete(QueueMember).where(QueueMember.user_id == user.id))
    session.add_all(QueueMember(queue_id=queue, user_id=user.id) for queue in sorted(queues))
    known = set(session.scalars(select(Skill.id).where(Skill.id.in_(set(place.skills)))))
    session.execute(delete(AgentSkill).where(AgentSkill.user_id == user.id))
    session.add_all(AgentSkill(user_id=user.id, skill_id=skill, level=place.skills[skill]) for skill in sorted(known))
    session.flush()


def _name(typed: str) -> str:
    name = " ".join(typed.split())
    if not name:
        raise Invalid(fields={"name": _("Please fill this in.")})
    return name[:120]


def _free_address(typed: str, owner: User | None = None) -> str:
    """The address as accounts are found by it. Raises Invalid when it is none, or somebody else's."""
    try:
        email = addresses.email(typed).value.lower()
    except Invalid as wrong:
        raise Invalid(fields={"email": wrong.detail}) from wrong
    taken = db.session().scalar(select(User.name).where(User.email == email, User.id != (owner.id if owner else 0)))
    if taken is not None:
        raise Invalid(fields={"email": _("%(name)s signs in with this address already.", name=taken)})
    return email
