"""An agent's shift beside the tickets themselves: going away with a choice, wrapping up, and emergencies declared by those who lead."""

from __future__ import annotations

from flask import Blueprint, Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from helpdesk import db, web
from helpdesk.agents import emergencies, leaving, queries, screens, wrap_up
from helpdesk.agents import views as workspace
from helpdesk.agents.models import Disposition, PresenceState, WrapUp
from helpdesk.auth import User
from helpdesk.errors import Conflict, HelpdeskError, Invalid, NotFound
from helpdesk.tickets import queries as tickets

bp = Blueprint("shift", __name__)


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


# --- going away ----------------------------------------------------------------------------------------------------------


@bp.get("/presence/leaving")
def leaving_page() -> Response:
    """What is in hand, and what is to become of it."""
    return _leaving_page(None)


@bp.post("/presence/leaving")
def leave() -> Response:
    chosen = request.form.get("colleague", "")
    to = db.session().get(User, int(chosen)) if chosen.isdigit() and len(chosen) < 16 else None
    try:
        state = PresenceState(request.form.get("state", ""))
        left = leaving.leave(_me(), state, request.form.get("work", ""), to, by=web.current_actor(), reason=web.text("reason", longest=60))
    except (Invalid, Conflict) as wrong:
        return _leaving_page(wrong)
    except ValueError:
        return _leaving_page(Invalid(fields={"state": _("Please choose one of the list.")}))
    said = [_("You are offline now.") if state is PresenceState.OFFLINE else _("You are away now.")]
    if left.went and to is not None:
        said.append(ngettext("%(num)s ticket belongs to %(name)s now.", "%(num)s tickets belong to %(name)s now.", left.went, name=to.name))
    elif left.went:
        said.append(ngettext("%(num)s ticket waits in its queue again.", "%(num)s tickets wait in their queues again.", left.went))
    if left.stayed:
        said.append(ngettext("%(num)s was changed meanwhile and stays.", "%(num)s were changed meanwhile and stay.", left.stayed))
    flash(" ".join(said))
    return web.see(url_for("agents.inbox"))


def _leaving_page(wrong: HelpdeskError | None) -> Response:
    user_id = web.principal().user_id or 0
    html = render_template(
        "agents/leaving.html",
        here="inbox",
        mine=leaving.in_hand(user_id),
        colleagues=[(user.id, f"{user.name}") for user in queries.colleagues() if user.id != user_id],
        errors=wrong.fields if isinstance(wrong, Invalid) else {},
        trouble="" if wrong is None else str(wrong.detail or ""),
        form=request.form,
    )
    return make_response(html, 200 if wrong is None else wrong.status)


# --- wrapping up ---------------------------------------------------------------------------------------------------------


@bp.post("/wrap-ups/<int:wrap_up_id>/end")
def wrapped_up(wrap_up_id: int) -> Response:
    """Done, with the code that was chosen."""
    wrapping = db.session().get(WrapUp, wrap_up_id)
    if wrapping is None or wrapping.user_id != web.principal().user_id:
        raise NotFound
    chosen = request.form.get("disposition", "")
    code = db.session().get(Disposition, int(chosen)) if chosen.isdigit() and len(chosen) < 10 else None
    wrap_up.finish(wrapping, code, by=web.current_actor())
    db.session().flush()
    return web.fragment("agents/_offers.html", page=web.back(url_for("agents.inbox")), cards=screens.offer_cards(wrapping.user_id),
                        wraps=wrap_up.open_ones(wrapping.user_id))  # fmt: skip


# --- emergencies ---------------------------------------------------------------------------------------------------------


@bp.post("/tickets/<int:number>/emergency")
def declare_emergency(number: int) -> Response:
    web.require_leads()
    ticket = tickets.find(web.principal(), number, deed="edit")
    emergencies.declare(ticket, by=web.current_actor(), seen=web.form_version())
    return workspace.answer(ticket=ticket, toast={"text": _("#%(n)s goes before all other work now.", n=number)})


def _me() -> User:
    return db.session().get_one(User, web.principal().user_id)
