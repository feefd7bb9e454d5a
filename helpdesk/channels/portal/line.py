"""The customer in line: their place, the expected wait and what it rests on, and "contact me instead", which keeps the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, flash, g, make_response, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from helpdesk import db, limits, live, web
from helpdesk.agents import place, wishes
from helpdesk.agents.leading.models import ContactWish
from helpdesk.agents.place import COUNTED, Stage
from helpdesk.auth import Principal
from helpdesk.channels.portal import bp, visits
from helpdesk.channels.portal.visits import Visit
from helpdesk.crm import addresses, contacts
from helpdesk.errors import Forbidden, Gone, Invalid, TooMany
from helpdesk.tickets import linking, policy
from helpdesk.tickets.models import Status, Ticket, unsolved

WISHES = "10 per hour"


@dataclass(frozen=True)
class Line:
    """What the page says: how many come first, the wait, and what that rests on.

    `wish` if somebody who takes part asked to be reached instead; `reach` where, for that person alone. `email`: what the form begins with.
    """

    where: str
    wait: str = ""
    rests_on: str = ""
    wish: ContactWish | None = None
    reach: str = ""
    email: str = ""


def line(visit: Visit) -> Line | None:
    """Where the visitor stands; None when an agent has the request already, or nothing is to be done on our side."""
    ticket = visit.ticket
    if ticket.status not in (Status.NEW, Status.OPEN):
        return None
    at = place.place_of(ticket)
    wish = wishes.open_wish(ticket.id)
    if at.stage is Stage.TAKEN:
        return None
    reach = _shown(wish) if wish is not None and wish.contact_id == visit.contact.id else ""
    email = contacts.email_of(visit.contact.id) or ""
    if at.stage is Stage.OFFERED:
        return Line(_("You are next: an agent is being asked right now."), wish=wish, reach=reach, email=email)
    return Line(_where(at), _wait(at), _rests_on(at), wish, reach, email)


def part(visit: Visit) -> Response:
    """The part of the page that moves, alone; light, because many look at it at once."""
    return make_response(render_template("portal/_place.html", visit=visit, ticket=visit.ticket))


def wish(visit: Visit) -> Response:
    """Write to me, or call me, instead. What was typed stays when it cannot be used."""
    if not visit.may_write:
        raise Forbidden
    try:
        limits.within("wish", WISHES, who=f"contact:{visit.contact.id}")
        wishes.ask(visit.ticket, visit.contact.id, request.form.get("kind", ""), web.text("reach", longest=320), by=visit.actor)
    except (Invalid, TooMany) as wrong:
        return visits.page(visit, wrong=wrong)
    flash(_("We will reach you there. You keep your place."))
    return web.see(visit.url)


def take_back(visit: Visit) -> Response:
    if not visit.may_write:
        raise Forbidden
    wishes.take_back(visit.ticket, by=visit.actor)
    flash(_("All right: we answer here. You keep your place."))
    return web.see(visit.url)


def _shown(wish: ContactWish) -> str:
    return addresses.phone(wish.value).shown if wish.kind == "phone" else wish.value


@bp.context_processor
def _line() -> dict[str, Any]:
    """`line_of(visit)`, for the ticket's page and its parts; counted once for each page."""

    def line_of(visit: Visit) -> Line | None:
        if "line" not in g:
            g.line = line(visit)
        found: Line | None = g.line
        return found

    return {"line_of": line_of}


# --- words -----------------------------------------------------------------------------------------------------------------


def _where(at: place.Place) -> str:
    if at.ahead >= COUNTED:
        return str(_("More than %(n)s requests come before yours.", n=COUNTED))
    if at.ahead == 0:
        return str(_("You are next."))
    return str(ngettext("%(num)s request comes before yours.", "%(num)s requests come before yours.", at.ahead))


def _wait(at: place.Place) -> str:
    if not at.anybody:
        return str(_("Nobody is here right now, so we cannot say how long it will take. You keep your place."))
    if at.wait_s is None:
        return str(_("We cannot say yet how long it will take: too few requests were taken up lately."))
    return str(_("Expected wait: %(time)s.", time=about(at.wait_s)))


def _rests_on(at: place.Place) -> str:
    if at.wait_s is None or at.each_s is None:
        return ""
    return str(
        ngettext(
            "This rests on the last %(num)s request that was taken up: %(time)s for each.",
            "This rests on the last %(num)s requests that were taken up: %(time)s for each.",
            at.rests_on,
            time=about(at.each_s),
        )
    )


def about(seconds: float) -> str:
    """A wait as people say it: rounded, because more would be pretended."""
    minutes = seconds / 60
    if minutes < 1.5:
        return str(_("about a minute") if seconds >= 45 else _("less than a minute"))
    if minutes < 90:
        n = round(minutes) if minutes < 10 else round(minutes / 5) * 5
        return str(ngettext("about %(num)s minute", "about %(num)s minutes", n))
    return str(ngettext("about %(num)s hour", "about %(num)s hours", round(minutes / 60)))


# --- live ------------------------------------------------------------------------------------------------------------------


@live.room("line")
def may_watch(who: Principal, key: str, token: str) -> bool:
    """`line:<queue id>`: who has a request in that queue, by link or by account. The pushes say only that the line moved."""
    if not key.isdecimal() or len(key) > 15:
        return False
    if token:
        try:
            return linking.opened(token)[0].queue_id == int(key)
        except Gone:
            return False
    mine = select(Ticket.id).where(Ticket.queue_id == int(key), unsolved(), policy.visible(who)).limit(1)
    return who.user_id is not None and db.session().scalar(mine) is not None
