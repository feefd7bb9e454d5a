"""How an agent likes to work: signature, where to go after sending, single-key shortcuts, sound, do not disturb. Their own page and choice.

Every page of a colleague carries what its scripts need of it (`data-mute`, `data-quiet`, `data-keys`); `after_reply` is where the
composer's answer goes.
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, flash, g, make_response, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from markupsafe import Markup
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.agents import lists, presence
from helpdesk.agents import views as workspace
from helpdesk.agents.models import AgentProfile
from helpdesk.errors import HelpdeskError, Invalid, Words
from helpdesk.tickets import queries
from helpdesk.tickets.models import Ticket
from helpdesk.versions import Stale

AFTER = ("stay", "next", "list")
LONGEST_SIGNATURE = 2000

#: Why an offer is declined, by the word that is stored.
DECLINES: dict[str, Words] = {
    "busy": lazy_gettext("I am in the middle of something"),
    "not_mine": lazy_gettext("Somebody else knows this better"),
    "leaving": lazy_gettext("I am about to leave"),
    "personal": lazy_gettext("I should not handle this customer"),
}

bp = Blueprint("habits", __name__)


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.get("/me/work")
def habits() -> Response:
    return _page()


@bp.post("/me/work")
def change_habits() -> Response:
    """Save one's own way of working. Raises Stale when it was saved elsewhere meanwhile; what was typed stays."""
    profile = presence.profile_of(_me())
    try:
        if request.form.get("seen") != _stamp(profile):
            raise Stale(_("You saved this on another screen meanwhile. Your entries are still here: compare, then save again."))
        after = request.form.get("after_send", "")
        if after not in AFTER:
            raise Invalid(fields={"after_send": _("Please choose one of the list.")})
        signature = request.form.get("signature", "").replace("\r\n", "\n").replace("\x00", "").strip()
        if len(signature) > LONGEST_SIGNATURE:
            raise Invalid(fields={"signature": _("Please shorten this to %(n)s characters.", n=LONGEST_SIGNATURE)})
    except (Invalid, Stale) as wrong:
        return _page(wrong)
    profile.signature, profile.after_send = signature, after
    for name in ("shortcuts", "sound", "do_not_disturb"):
        setattr(profile, name, request.form.get(name) == "1")
    flash(_("Saved."))
    return web.see("/me/work")


def after_reply(ticket: Ticket, toast: dict[str, Any]) -> Response:
    """Where the agent is after sending: at the same ticket, at the next of their own, or at the list. The toast offers undo."""
    wish = _profile().after_send
    following = _next_of_mine(ticket) if wish == "next" else None
    if following is not None:
        answer = workspace.answer(ticket=following, toast=toast)
        if web.htmx():
            answer.headers["HX-Push-Url"] = url_for("agents.inbox", number=following.number)
        else:
            flash(str(toast["text"]))
        return answer
    if wish == "stay":
        return workspace.answer(ticket=ticket, toast=toast)
    flash(_("#%(n)s: %(what)s", n=ticket.number, what=toast["text"]))
    return web.see(url_for("agents.inbox"))


def _next_of_mine(ticket: Ticket) -> Ticket | None:
    """The first of one's own list that waits for us, but for this one; the one the customer has waited for longest."""
    key, who = f"mine:{_me()}", web.principal()
    rows = [row for row in lists.page(who, key, lists.Filters()).rows if row.id != ticket.id and row.waiting_since is not None]
    first = min(rows, key=lambda row: (row.waiting_since, row.id), default=None)
    return queries.by_id(first.id) if first is not None else None


def attributes() -> Markup:
    """What the page's scripts need to know, as attributes of its body; nothing for customers."""
    if not web.principal().staff or not db.in_transaction() or g.get("pushed"):
        return Markup("")
    profile = _profile()
    found = [
        "data-quiet" if profile.do_not_disturb else "",
        "" if profile.sound else "data-mute",
        "" if profile.shortcuts else 'data-keys="off"',
    ]
    return Markup(" ".join(part for part in found if part))


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"habit_attributes": attributes, "declines": DECLINES}


def _stamp(profile: AgentProfile) -> str:
    """What stands for a version here: the values themselves."""
    held = [profile.signature, profile.after_send, profile.shortcuts, profile.sound, profile.do_not_disturb]
    return hashlib.sha256(repr(held).encode()).hexdigest()[:16]


def _profile() -> AgentProfile:
    """The agent's row, or what holds without one."""
    if "habits" not in g:
        found = db.session().scalar(select(AgentProfile).where(AgentProfile.user_id == _me()))
        g.habits = found or AgentProfile(after_send="stay", shortcuts=True, sound=True, do_not_disturb=False, signature="")
    kept: AgentProfile = g.habits
    return kept


def _me() -> int:
    return web.principal().user_id or 0


def _page(wrong: HelpdeskError | None = None) -> Response:
    profile = _profile()
    html = render_template(
        "agents/habits.html",
        here="me",
        profile=profile,
        seen=_stamp(profile),
        form=request.form,
        errors=wrong.fields if isinstance(wrong, Invalid) else {},
        trouble="" if wrong is None or isinstance(wrong, Invalid) else str(wrong.detail),
    )
    return make_response(html, wrong.status if wrong is not None else 200)
