"""Dry runs: a change is asked for, replayed on a recorded week in a process of its own, and its result kept for those who lead.

ask → DryRunAsked → (heavy lane) the week is read, the replay runs outside any transaction, each step of progress is stored → result.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import clock, db, live
from helpdesk.actor import Actor
from helpdesk.agents.leading import recorded
from helpdesk.agents.leading.models import DryRun
from helpdesk.agents.leading.replay.week import Change, plain
from helpdesk.auth import Principal
from helpdesk.catalog import DryRunAsked
from helpdesk.errors import Invalid
from helpdesk.events import Outside, reaction, record

log = logging.getLogger(__name__)

#: A replay that takes longer is given up; its lease lasts a little longer still.
PATIENCE_S = 600.0
#: Steps of progress are stored this far apart, in percent.
STORED = 5
KEPT = 50


@dataclass(frozen=True)
class Nothing:
    """There is nothing to replay; `why` is a code: no_work or no_presence."""

    why: str


class ReplayFailed(RuntimeError):
    """The replay's process ended without a result."""


def ask(change: Change, begin: datetime, end: datetime, *, by: Actor) -> DryRun:
    """Ask for a dry run of a change on the week from `begin` to `end`. Raises Invalid for a change that changes nothing."""
    if change == Change(change.queue):
        raise Invalid(_("Nothing is changed: alter something first, then try it."))
    assert by.user_id is not None
    run = DryRun(asked_by_id=by.user_id, asked_at=clock.now(), queue_id=change.queue, begins_at=begin, ends_at=end, change=plain(change))
    db.session().add(run)
    db.session().flush()
    record(DryRunAsked(run.id, change.queue, by))
    return run


@reaction(DryRunAsked, lane="heavy", key=lambda fact: f"run:{fact.run_id}", attempts=2, name="dry_runs.replay")
def replay_week(fact: DryRunAsked) -> Outside | None:
    """Read the week, then replay it outside; the result, or why there is none, is stored at the end."""
    run = db.session().get(DryRun, fact.run_id)
    if run is None or run.state in ("done", "failed"):
        return None
    week, notes = recorded.week(run.begins_at, run.ends_at)
    run.state, run.progress = "running", 0
    run_id = run.id
    if not week.work or not notes.present_h:
        _finish(run_id, Nothing("no_work" if not week.work else "no_presence"))
        return None
    given = {"week": plain(week), "change": run.change}
    return Outside(
        call=lambda: outcome(given, lambda percent: _told(run_id, percent)) | {"notes": asdict(notes)},
        then=lambda result: _finish(run_id, result),
        patience=timedelta(seconds=PATIENCE_S + 60),
    )


def outcome(given: dict[str, Any], told: Callable[[int], None]) -> dict[str, Any]:
    """Run the replay as a process of its own: a busy loop inside the server would hold up every screen. Raises ReplayFailed."""
    command = [sys.executable, "-m", "helpdesk.agents.leading.replay"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        ends = threading.Timer(PATIENCE_S, child.kill)
        ends.start()
        stored = 0
        try:
            json.dump(given, child.stdin)
            child.stdin.close()
            for line in child.stdout:
                if not line.startswith("progress "):
                    found: dict[str, Any] = {"queues": json.loads(line)}
                    return found
                percent = int(line.split()[1])
                if percent >= stored + STORED:
                    stored = percent
                    told(percent)
        finally:
            ends.cancel()
            child.kill()
    raise ReplayFailed("the replay ended without a result; it may have taken too long or needed too much memory")


def _told(run_id: int, percent: int) -> None:
    with db.transaction() as session:
        run = session.get(DryRun, run_id)
        if run is not None and run.state == "running":
            run.progress = percent
            db.after_commit(lambda: live.push(f"dryrun:{run_id}", "changed"))


def _finish(run_id: int, result: object) -> None:
    run = db.session().get(DryRun, run_id)
    if run is None:
        return
    run.finished_at = clock.now()
    if isinstance(result, dict):
        run.state, run.progress, run.result = "done", 100, result
    elif isinstance(result, Nothing):
        run.state, run.error = "failed", result.why
    else:
        log.error("dry run %s: %s", run_id, result)
        run.state, run.error = "failed", "broken"
    db.after_commit(lambda: live.push(f"dryrun:{run_id}", "changed"))


def latest(limit: int = KEPT) -> list[DryRun]:
    """Earlier dry runs, the newest first."""
    return list(db.session().scalars(select(DryRun).order_by(DryRun.asked_at.desc(), DryRun.id.desc()).limit(limit)))


@live.room("dryrun")
def may_watch(who: Principal, key: str, _token: str) -> bool:
    """`dryrun:<id>`: those who lead."""
    return who.leads and who.scopes is None and key.isdigit()
