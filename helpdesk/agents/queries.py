"""What the screens and policies of agents read."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents.models import Presence, PresenceState, QueueMember, TeamMember
from helpdesk.auth import STAFF, Principal, Role, User
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Membership
from helpdesk.tickets.models import Queue


def principal_of(user: User, *, scopes: frozenset[str] | None = None, actor: Actor | None = None) -> Principal:
    """Everything a policy needs to know about a person who signed in, or about a token of theirs."""
    session = db.session()
    queues: frozenset[int] = frozenset()
    teams: frozenset[int] = frozenset()
    organizations: frozenset[int] = frozenset()
    member_of: frozenset[int] = frozenset()
    teammates: frozenset[int] = frozenset()
    contact_id, group = user.contact_id, [user.contact_id] if user.contact_id is not None else []
    if user.role in STAFF:
        queues = frozenset(session.scalars(_QUEUES, {"user": user.id}))
        if user.role is Role.AGENT:
            own = select(TeamMember.team_id).where(TeamMember.user_id == user.id)
            together = session.execute(select(TeamMember.team_id, TeamMember.user_id).where(TeamMember.team_id.in_(own))).all()
            teams, teammates = frozenset(row.team_id for row in together), frozenset(row.user_id for row in together)
    elif user.contact_id is not None:
        group = contacts.group(user.contact_id)
        contact_id = group[0]
        theirs = select(Membership.organization_id, Membership.sees_all_tickets).where(Membership.contact_id.in_(group))
        memberships = session.execute(theirs).all()
        employer = session.scalar(select(Contact.organization_id).where(Contact.id == contact_id))
        organizations = frozenset(organization for organization, sees_all in memberships if sees_all)
        member_of = frozenset(organization for organization, _sees in memberships) | ({employer} if employer else frozenset())
    return Principal(
        actor or Actor("user", user.id),
        role=Role(user.role),
        user_id=user.id,
        contact_id=contact_id,
        merged=frozenset(group) - {contact_id},
        queues=queues,
        teams=teams,
        organizations=organizations,
        member_of=member_of,
        scopes=scopes,
        teammates=teammates,
    )


_QUEUES = select(QueueMember.queue_id).where(QueueMember.user_id == bindparam("user"))


def queues_for(who: Principal) -> list[Queue]:
    """The queues whose work this colleague may see, by name."""
    found = select(Queue).where(Queue.active).order_by(Queue.name)
    if not who.leads:
        found = found.where(Queue.id.in_(who.queues))
    return list(db.session().scalars(found))


def colleagues(queue_id: int | None = None) -> list[User]:
    """Active people who answer tickets, by name; of one queue if given."""
    found = select(User).where(User.active, User.role.in_(STAFF)).order_by(User.name)
    if queue_id is not None:
        found = found.where(User.id.in_(select(QueueMember.user_id).where(QueueMember.queue_id == queue_id)))
    return list(db.session().scalars(found))


def presence_of(user_id: int) -> PresenceState:
    """An agent's presence as it counts now: a row past its time to live means offline."""
    row = db.session().get(Presence, user_id)
    if row is None or row.expires_at < clock.now():
        return PresenceState.OFFLINE
    return row.state


def contact_of(user: User) -> Contact | None:
    """The customer behind an account: who speaks for its contact."""
    found = db.session().get(Contact, user.contact_id) if user.contact_id else None
    return contacts.canonical(found) if found is not None else None
