"""The screens of dry runs: choose a queue and a week, alter what is to be tried, watch it run, read what came of it."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, make_response, render_template, request
from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.agents import interrupts, people, queues, reasons, skills, steps
from helpdesk.agents.admin.forms import REFUSALS, beside, find, ids, levels, whole
from helpdesk.agents.leading import dry_runs, recorded
from helpdesk.agents.leading.models import DryRun
from helpdesk.agents.leading.replay.week import Change, change_of
from helpdesk.agents.leading.views import bp
from helpdesk.agents.models import Skill
from helpdesk.agents.ranking import BoostRules, Interrupts
from helpdesk.agents.widening import Step
from helpdesk.auth import User
from helpdesk.durations import duration
from helpdesk.errors import HelpdeskError, Invalid, Words
from helpdesk.tickets.models import Priority, Queue

#: How many widenings the form offers.
LINES = range(1, 4)
BOOSTS = ("boost_high", "boost_urgent", "boost_value", "boost_largest")


@bp.get("/dry-runs")
def all_dry_runs() -> str:
    """Earlier dry runs, and where to begin another."""
    runs = dry_runs.latest()
    names = {user.id: user.name for user in db.session().scalars(select(User).where(User.id.in_({run.asked_by_id for run in runs})))}
    return render_template("agents/dry_runs.html", here="floor", runs=runs, names=names, all_queues=_queues())


@bp.get("/dry-runs/new")
def new_dry_run() -> Response:
    """The form for one queue, filled with what is in force now; without a queue, where one is chosen."""
    word = request.args.get("queue", "")
    if not word:
        return web.see("/dry-runs")
    return _form(find(Queue, int(word) if word.isdigit() and len(word) < 10 else 0))


@bp.post("/dry-runs")
def ask_dry_run() -> Response:
    queue = find(Queue, whole("queue"))
    try:
        begin, end = _week()
        run = dry_runs.ask(_change(queue), begin, end, by=web.current_actor())
    except REFUSALS as wrong:
        return _form(queue, wrong)
    return web.see(f"/dry-runs/{run.id}")


@bp.get("/dry-runs/<int:run_id>")
def dry_run(run_id: int) -> str:
    return render_template("agents/dry_run.html", here="floor", **_values(run_id))


@bp.get("/dry-runs/<int:run_id>/state")
def dry_run_state(run_id: int) -> str:
    """The part that moves: progress, then the result."""
    return render_template("agents/_dry_run.html", **_values(run_id))


# --- the form --------------------------------------------------------------------------------------------------------------


def _form(queue: Queue, wrong: HelpdeskError | None = None) -> Response:
    shape = _shape(queue) if wrong is not None else queues.shape_of(queue)
    boost = recorded.boost_rules()
    table = _table({}) if wrong is not None else interrupts.in_force()
    html = render_template(
        "agents/dry_run_new.html",
        here="floor",
        queue=queue,
        shape=shape,
        lines=LINES,
        weeks=recorded.weeks(web.settings().time_zone),
        people=people.everybody(also=set(shape.members)),
        skills=[skill for skill, _count in skills.listed()],
        others=[other for other in _queues() if other.id != queue.id],
        boosts=dict(zip(BOOSTS, (round(seconds / 60) for seconds in _boost_seconds(boost)), strict=True)),
        table=table,
        table_rows=reasons.beside(table),
        channels=list(reasons.CHANNELS.items()),
        form=request.form,
        errors=wrong.fields if isinstance(wrong, Invalid) else {},
        trouble="" if wrong is None else str(wrong.detail) or _("Please check what you entered."),
    )
    return make_response(html, wrong.status if wrong is not None else 200)


def _shape(queue: Queue) -> queues.Shape:
    lines = [queues.Widening(whole(f"after-{n}"), levels(f"step{n}")) for n in LINES if request.form.get(f"after-{n}", "").strip()]
    return queues.Shape(
        name=queue.name,
        target_min=whole("target_min", -1),
        service_target=whole("service_target", -1) / 100,
        requirements=levels("skill"),
        members=ids("members"),
        widenings=tuple(lines),
        overflow_id=whole("overflow_id") or None,
        overflow_min=whole("overflow_min"),
    )


def _change(queue: Queue) -> Change:
    """What differs from what is in force. Raises Invalid with every fault at once."""
    shape, now = _shape(queue), recorded.rules_of(queue)
    faults: dict[str, Words] = {}
    for name, value, (least, most) in (
        ("target_min", shape.target_min, queues.TARGET_MIN),
        ("service_target", round(shape.service_target * 100), (1, 100)),
        *((name, whole(name, -1), (0, 24 * 60)) for name in BOOSTS),
        *((f"after-{n}", line.after_min, queues.STEP_MIN) for n, line in enumerate(shape.widenings, start=1)),
        *((("overflow_min", shape.overflow_min, queues.STEP_MIN),) if shape.overflow_id else ()),
    ):
        if not least <= value <= most:
            faults[name] = _("Please give a number from %(least)s to %(most)s.", least=least, most=most)
    overflow = db.session().get(Queue, shape.overflow_id) if shape.overflow_id else None
    if shape.overflow_id and (overflow is None or overflow.id == queue.id or not overflow.active):
        faults["overflow_id"] = _("Please choose another queue that is switched on.")
    if not faults:
        names = {str(skill.id): skill.name for skill in db.session().scalars(select(Skill))}
        fault = steps.fault(queue.id, _steps(shape), shape.overflow_id, names)
        if fault:
            faults["steps"] = fault
    skill = _skill(faults)
    table = _table(faults)
    if faults:
        raise Invalid(fields=faults)
    members = frozenset(shape.members)
    boost = BoostRules(
        {str(Priority.HIGH): 60.0 * whole("boost_high"), str(Priority.URGENT): 60.0 * whole("boost_urgent")},
        60.0 * whole("boost_value"),
        60.0 * whole("boost_largest"),
    )
    return Change(
        queue.id,
        _differs(_steps(shape), now.steps),
        _differs(60.0 * shape.target_min, now.target_s),
        _differs(shape.service_target, now.service_target),
        _differs(members, frozenset(queues.members_of(queue))),
        None if _boost_seconds(boost) == _boost_seconds(recorded.boost_rules()) else boost,
        skill,
        _differs(dict(table), dict(interrupts.in_force())),
    )


def _table(faults: dict[str, Words]) -> Interrupts:
    """The table of interruptions as it was sent; as it counts now where none was, or nonsense."""
    if "beside" not in request.form:
        return interrupts.in_force()
    try:
        return interrupts.checked(beside())
    except Invalid as wrong:
        faults["beside"] = wrong.detail
        return interrupts.in_force()


def _differs(value: Any, now: Any) -> Any:
    return None if value == now else value


def _steps(shape: queues.Shape) -> tuple[Step, ...]:
    asked = {str(skill): level for skill, level in shape.requirements.items()}
    return steps.of(Queue(steps=queues.steps_of(shape), requirements=asked, overflow_id=shape.overflow_id))


def _boost_seconds(rules: BoostRules) -> tuple[float, float, float, float]:
    of = rules.priority_s
    return of.get(str(Priority.HIGH), 0.0), of.get(str(Priority.URGENT), 0.0), rules.value_s, rules.largest_s


def _skill(faults: dict[str, Words]) -> tuple[int, str, int] | None:
    """One agent's level, if one was chosen."""
    agent, skill, level = whole("level_agent"), whole("level_skill"), whole("level", -1)
    if not agent and not skill:
        return None
    if db.session().get(User, agent) is None or db.session().get(Skill, skill) is None or not 0 <= level <= 5:
        faults["level"] = _("Choose an agent, a skill and a level from 0 to 5.")
        return None
    return agent, str(skill), level


def _week() -> tuple[Any, Any]:
    for monday, begin, end in recorded.weeks(web.settings().time_zone):
        if request.form.get("week") == monday.isoformat():
            return begin, end
    raise Invalid(fields={"week": _("Please choose one of the list.")})


# --- the result ------------------------------------------------------------------------------------------------------------


def _values(run_id: int) -> dict[str, Any]:
    run = find(DryRun, run_id)
    session = db.session()
    every = {queue.id: queue for queue in session.scalars(select(Queue))}
    change = change_of(run.change)
    asked = {agent for agent in (*(change.members or ()), *((change.skill[0],) if change.skill else ()))}
    return {
        "run": run,
        "queue": every[run.queue_id],
        "queues": every,
        "change": change,
        "asked_by": session.get_one(User, run.asked_by_id).name,
        "people": {user.id: user.name for user in session.scalars(select(User).where(User.id.in_(asked)).order_by(User.name))},
        "skill_names": {str(skill.id): skill.name for skill in session.scalars(select(Skill))},
        "boost_seconds": _boost_seconds,
        "beside": reasons.beside(change.interrupts) if change.interrupts is not None else [],
        "rows": _rows(run, every),
        "monday": monday_of(run),
    }


def _rows(run: DryRun, every: dict[int, Queue]) -> list[tuple[Queue | None, dict[str, Any]]]:
    """The changed queue first, then all together, then the others."""
    found = run.result.get("queues", {})
    order = [str(run.queue_id), "all", *sorted((key for key in found if key not in ("all", str(run.queue_id))), key=int)]
    return [(every.get(int(key)) if key != "all" else None, found[key]) for key in order if key in found]


def monday_of(run: DryRun) -> date:
    """The first day of the run's week, as the company's calendar has it."""
    return run.begins_at.astimezone(ZoneInfo(web.settings().time_zone)).date()


def _queues() -> list[Queue]:
    return list(db.session().scalars(select(Queue).where(Queue.active).order_by(Queue.name)))


@bp.context_processor
def _words() -> dict[str, Any]:
    return {
        "wait_words": lambda seconds: "—" if seconds is None else duration(seconds, web.lang()),
        "asked_for": _asked_for,
        "plain_people": lambda rows: [(row.id, row.name) for row in rows],
    }


def _asked_for(step: Step, names: dict[str, str]) -> str:
    """A step's requirements as a list of words."""
    return ", ".join(f"{names.get(skill, '?')} {level}" for skill, level in step.requirements.items()) or str(_("nothing in particular"))
