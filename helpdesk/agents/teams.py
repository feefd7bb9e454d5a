"""Teams: people who belong together, whatever queues they work in. Reports and permissions speak of teams; routing does not."""

from __future__ import annotations

from collections.abc import Collection

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select, update

from helpdesk import db, versions
from helpdesk.actor import Actor
from helpdesk.agents.models import Team, TeamMember
from helpdesk.auth import STAFF, User
from helpdesk.catalog import SettingsChanged, UserChanged
from helpdesk.errors import Invalid
from helpdesk.events import record
from helpdesk.tickets.models import Ticket


def add(name: str, *, by: Actor) -> Team:
    """A new team. Raises Invalid for an empty name or one that exists."""
    made = Team(name=_free_name(name))
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, what=f"team:{made.id}"))
    return made


def edit(team: Team, *, name: str, members: Collection[int], seen: int | None, by: Actor) -> Team:
    """Rename a team and say who is in it. Raises Stale, Invalid."""
    versions.change(team, seen, name=_free_name(name, team))
    session = db.session()
    before = set(members_of(team))
    after = set(session.scalars(select(User.id).where(User.id.in_(set(members)), User.role.in_(STAFF))))
    session.execute(delete(TeamMember).where(TeamMember.team_id == team.id, TeamMember.user_id.in_(before - after)))
    session.add_all(TeamMember(team_id=team.id, user_id=user) for user in sorted(after - before))
    session.flush()
    for user in sorted(before ^ after):
        record(UserChanged(user, by))
    record(SettingsChanged(by, what=f"team:{team.id}"))
    return team


def remove(team: Team, *, by: Actor) -> None:
    """Dissolve a team. Its people and their tickets stay, without a team."""
    session = db.session()
    was_in = members_of(team)
    session.execute(update(Ticket).where(Ticket.team_id == team.id).values(team_id=None), execution_options={"synchronize_session": False})
    session.execute(delete(TeamMember).where(TeamMember.team_id == team.id))
    session.delete(team)
    session.flush()
    for user in was_in:
        record(UserChanged(user, by))
    record(SettingsChanged(by, what=f"team:{team.id}"))


def members_of(team: Team) -> list[int]:
    """Ids of the team's people."""
    return list(db.session().scalars(select(TeamMember.user_id).where(TeamMember.team_id == team.id).order_by(TeamMember.user_id)))


def tickets_of(team: Team) -> int:
    """How many tickets carry the team's name."""
    return db.session().scalar(select(func.count()).select_from(Ticket).where(Ticket.team_id == team.id)) or 0


def listed() -> list[tuple[Team, list[str]]]:
    """Every team with its active people's names, by name; two queries."""
    session = db.session()
    names: dict[int, list[str]] = {}
    people = select(TeamMember.team_id, User.name).join(User, User.id == TeamMember.user_id).where(User.active).order_by(User.name)
    for team_id, name in session.execute(people):
        names.setdefault(team_id, []).append(name)
    return [(team, names.get(team.id, [])) for team in session.scalars(select(Team).order_by(Team.name))]


def _free_name(typed: str, owner: Team | None = None) -> str:
    name = " ".join(typed.split())
    if not name:
        raise Invalid(fields={"name": _("Please fill this in.")})
    if len(name) > 120:
        raise Invalid(fields={"name": _("Please shorten this to %(n)s characters.", n=120)})
    if db.session().scalar(select(Team.id).where(Team.name == name, Team.id != (owner.id if owner else 0))) is not None:
        raise Invalid(fields={"name": _("This name is taken.")})
    return name
