"""What agents can do, at levels from 1 to 5. A skill that somebody has or some queue asks for is not removed by accident."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _
from flask_babel import ngettext
from sqlalchemy import delete, func, select

from helpdesk import db, versions
from helpdesk.actor import Actor
from helpdesk.agents.models import AgentSkill, Skill
from helpdesk.auth import User
from helpdesk.catalog import QueueChanged, SettingsChanged
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record
from helpdesk.tickets.models import Queue


@dataclass(frozen=True)
class Use:
    """Where a skill is used: names of the people who have it and of the queues that ask for it."""

    people: list[str]
    queues: list[str]

    def __bool__(self) -> bool:
        return bool(self.people or self.queues)


def add(name: str, *, by: Actor) -> Skill:
    """A new skill. Raises Invalid for an empty name or one that exists."""
    made = Skill(name=_free_name(name))
    db.session().add(made)
    db.session().flush()
    record(SettingsChanged(by, what=f"skill:{made.id}"))
    return made


def rename(skill: Skill, name: str, *, seen: int | None, by: Actor) -> Skill:
    """Give a skill a better name. Raises Stale, Invalid."""
    versions.change(skill, seen, name=_free_name(name, skill))
    record(SettingsChanged(by, what=f"skill:{skill.id}"))
    return skill


def remove(skill: Skill, *, everywhere: bool = False, by: Actor) -> None:
    """Take a skill out of the desk. Raises Conflict, saying where it is used, unless `everywhere`: then from there as well."""
    use = use_of(skill)
    if use and not everywhere:
        raise Conflict(
            _("%(name)s is used: %(where)s. Take it away there first, or remove it everywhere.", name=skill.name, where=said(use))
        )
    session = db.session()
    session.execute(delete(AgentSkill).where(AgentSkill.skill_id == skill.id))
    for queue in asking(skill):
        versions.change(queue, None, requirements=_without(queue.requirements, skill.id), steps=[
            {**step, "requirements": _without(step.get("requirements", {}), skill.id)} for step in queue.steps
        ])  # fmt: skip
        record(QueueChanged(queue.id, by))
    session.delete(skill)
    session.flush()
    record(SettingsChanged(by, what=f"skill:{skill.id}"))


def use_of(skill: Skill) -> Use:
    people = select(User.name).join(AgentSkill, AgentSkill.user_id == User.id).where(AgentSkill.skill_id == skill.id).order_by(User.name)
    return Use(list(db.session().scalars(people)), [queue.name for queue in asking(skill)])


def said(use: Use) -> str:
    """Where it is used, in words."""
    words = []
    if use.people:
        words.append(ngettext("%(num)s person has it", "%(num)s people have it", len(use.people)))
    if use.queues:
        words.append(
            ngettext("the queue %(names)s asks for it", "the queues %(names)s ask for it", len(use.queues), names=", ".join(use.queues))
        )
    return "; ".join(words)


def asking(skill: Skill) -> list[Queue]:
    """Queues, few in any company, that ask for this skill now or at a later step."""
    return [
        queue
        for queue in db.session().scalars(select(Queue).order_by(Queue.name))
        if str(skill.id) in queue.requirements or any(str(skill.id) in step.get("requirements", {}) for step in queue.steps)
    ]


def listed() -> list[tuple[Skill, int]]:
    """Every skill with how many active people have it, by name."""
    known = select(AgentSkill.skill_id, func.count().label("n")).join(User, User.id == AgentSkill.user_id).where(User.active)
    counted = known.group_by(AgentSkill.skill_id).subquery()
    found = select(Skill, func.coalesce(counted.c.n, 0)).outerjoin(counted, counted.c.skill_id == Skill.id).order_by(Skill.name)
    return [(skill, count) for skill, count in db.session().execute(found)]


def _without(requirements: dict[str, int], skill_id: int) -> dict[str, int]:
    return {skill: level for skill, level in requirements.items() if skill != str(skill_id)}


def _free_name(typed: str, owner: Skill | None = None) -> str:
    name = " ".join(typed.split())
    if not name:
        raise Invalid(fields={"name": _("Please fill this in.")})
    if len(name) > 60:
        raise Invalid(fields={"name": _("Please shorten this to %(n)s characters.", n=60)})
    if db.session().scalar(select(Skill.id).where(Skill.name == name, Skill.id != (owner.id if owner else 0))) is not None:
        raise Invalid(fields={"name": _("This name is taken.")})
    return name
