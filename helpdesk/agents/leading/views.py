"""The screens of those who lead, beside the wallboard: the floor with its deeds. The folder's other screens hang themselves on `bp`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.agents import reasons
from helpdesk.agents.leading import moving
from helpdesk.agents.leading.floor import floor
from helpdesk.agents.leading.moving import Outcome, Pick
from helpdesk.agents.models import PresenceState
from helpdesk.agents.presence import CHOSEN
from helpdesk.agents.queries import colleagues
from helpdesk.auth import User
from helpdesk.errors import Invalid, NotFound
from helpdesk.tickets.models import Queue

bp = Blueprint("leading", __name__)


@bp.before_request
def _those_who_lead() -> None:
    web.require_leads()


@bp.get("/floor")
def who_is_free() -> str:
    """Who is free and why not; `queue` in the address asks about that queue's next item, `who=all` shows also those of other queues."""
    return render_template("agents/floor.html", here="floor", **_values())


@bp.get("/floor/agents")
def floor_part() -> str:
    """The part that moves, fetched again after a push."""
    return render_template("agents/_floor.html", **_values())


@bp.post("/floor/returns")
def take_back() -> Response:
    """Take the picked work out of its agents' hands."""
    by = web.current_actor()
    outcome = moving.several(_picks(), lambda ticket, seen: moving.give_back(ticket, seen=seen, by=by))
    done = len(outcome.done)
    return _told(ngettext("%(num)s ticket waits in its queue again.", "%(num)s tickets wait in their queues again.", done), outcome)


@bp.post("/floor/assignments")
def give() -> Response:
    """Give the picked work to one agent."""
    by = web.current_actor()
    user = _people([request.form.get("to", "")])[0] if request.form.get("to") else None
    if user is None:
        raise Invalid(_("Choose who gets it."))
    outcome = moving.several(_picks(), lambda ticket, seen: moving.give_to(ticket, user, seen=seen, by=by), also=[user.id])
    done = len(outcome.done)
    said = ngettext("%(num)s ticket belongs to %(name)s now.", "%(num)s tickets belong to %(name)s now.", done, name=user.name)
    return _told(said, outcome)


@bp.post("/floor/presences")
def place() -> Response:
    """Say for the picked agents whether work may come to them."""
    try:
        state = PresenceState(request.form.get("state", ""))
    except ValueError:
        raise Invalid(fields={"state": _("Please choose one of the list.")}) from None
    people = _people(request.form.getlist("agent"))
    n = moving.place(people, state, by=web.current_actor(), reason=web.text("reason", longest=60))
    flash(ngettext("%(num)s agent is set.", "%(num)s agents are set.", n))
    return web.see(_floor_url())


# --- helpers ---------------------------------------------------------------------------------------------------------------


def _values() -> dict[str, Any]:
    queue, everybody = _queue(), request.args.get("who") == "all"
    made = floor(queue, everybody=everybody)
    kept_for = {agent.out.detail["held_for"] for agent in made.agents if agent.out and "held_for" in agent.out.detail}
    known = reasons.names(int(person) for person in kept_for)
    return {
        "floor": made,
        "everybody": everybody,
        "why": lambda agent: reasons.why_not(agent.out, known),
        "channel_words": reasons.CHANNELS,
        "all_queues": list(db.session().scalars(select(Queue).where(Queue.active).order_by(Queue.name))),
        "receivers": colleagues(),
        "chosen_states": CHOSEN,
        "reason_word": reasons.absence,
        "here_url": _floor_url(),
    }


def _queue() -> Queue | None:
    """The queue in the address, or that of the form. Raises NotFound for one that is not there."""
    word = request.values.get("queue", "")
    if not word:
        return None
    queue = db.session().get(Queue, int(word)) if word.isdigit() and len(word) < 10 else None
    if queue is None:
        raise NotFound
    return queue


def _floor_url() -> str:
    queue = _queue()
    return url_for("leading.who_is_free", queue=queue.id if queue else None, who="all" if request.values.get("who") == "all" else None)


def _picks() -> list[Pick]:
    """`work` fields say "number:version"."""
    found = []
    for word in request.form.getlist("work"):
        number, _colon, version = word.partition(":")
        if not (number.isdigit() and version.isdigit() and len(word) < 40):
            raise Invalid(_("Pick some work first."))
        found.append(Pick(int(number), int(version)))
    return found


def _people(words: list[str]) -> list[User]:
    ids = {int(word) for word in words if word.isdigit() and len(word) < 10}
    found = list(db.session().scalars(select(User).where(User.id.in_(ids)).order_by(User.id)))
    if len(found) != len(ids) or (words and not ids):
        raise NotFound
    return found


def _told(done: str, outcome: Outcome) -> Response:
    flash(done)
    if outcome.refused:
        flash(moving.said(outcome.refused), "bad")
    return web.see(_floor_url())


# The other screens hang themselves on `bp`.
from helpdesk.agents.leading import dry_run_views, need  # noqa: E402

__all__ = ["bp", "dry_run_views", "need"]
