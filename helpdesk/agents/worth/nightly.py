"""When everybody's value is computed: once a night, or when a supervisor asks for it. One computation at a time.

Who withdraws from profiling loses what was computed of them at once; the next night leaves them out.
"""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import clock, db, web
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents.worth import process
from helpdesk.catalog import ConsentChanged, ValueWanted
from helpdesk.crm import consent, contacts, worth
from helpdesk.crm.models import Contact
from helpdesk.crm.worth_models import ValueRun
from helpdesk.errors import Conflict
from helpdesk.events import Outside, reaction, record

#: The hour, in the desk's zone, from which the night's computation may begin.
HOUR = 3


def want(*, by: Actor) -> ValueRun:
    """Have everybody's value computed anew. Raises Conflict while a computation is under way."""
    running = select(ValueRun.id).where(ValueRun.state == "running", ValueRun.started_at > clock.now() - process.PATIENCE)
    if db.session().scalar(running) is not None:
        raise Conflict(_("The figures are being computed right now."))
    run = ValueRun(as_of=clock.now(), started_at=clock.now())
    db.session().add(run)
    db.session().flush()
    record(ValueWanted(run.id, by))
    return run


def want_by_night() -> ValueRun | None:
    """Once a night: None when it is not time yet, or was done already. Called again and again."""
    zone = ZoneInfo(web.settings().time_zone)
    now = clock.now().astimezone(zone)
    newest = db.session().scalar(select(ValueRun).order_by(ValueRun.id.desc()).limit(1))
    if now.hour < HOUR or (newest is not None and newest.started_at.astimezone(zone).date() == now.date()):
        return None
    return None if newest is not None and clock.now() - newest.started_at < timedelta(hours=1) else want(by=SYSTEM)


@reaction(ValueWanted, lane="heavy", key=lambda fact: f"value:{fact.run_id}", attempts=2, name="worth.compute")
def compute(fact: ValueWanted) -> Outside | None:
    """Compute everybody's value in a child process."""
    run = db.session().get(ValueRun, fact.run_id)
    if run is None or run.state == "done":
        return None
    run.state = "running"
    return Outside(lambda: process.run(fact.run_id), lambda result: _ended(fact.run_id, result), patience=process.PATIENCE)


@reaction(
    ConsentChanged, when=lambda fact: fact.purpose == "profiling" and not fact.given, key=lambda fact: f"contact:{fact.contact_id}",
    name="worth.forget",
)  # fmt: skip
def forget(fact: ConsentChanged) -> None:
    """They do not want to be profiled."""
    contact = contacts.canonical(db.session().get_one(Contact, fact.contact_id))
    if not consent.allows(contact, "profiling"):
        worth.forget(contacts.group(contact.id))


def _ended(run_id: int, result: object) -> None:
    """What the child did stands in its run already; only a child that could not even say so is noted here."""
    if isinstance(result, Exception):
        run = db.session().get_one(ValueRun, run_id)
        if run.state == "running":
            run.state, run.finished_at, run.error = "failed", clock.now(), str(result)[:500]
