"""What the desk knows of a customer, for them to see, correct and take away: profile, own data, the wish to be forgotten."""

from __future__ import annotations

import re

from flask import Response, flash, jsonify, make_response, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from helpdesk import clock, db, live, web
from helpdesk.channels.portal import addresses, bp, customer, own_data
from helpdesk.crm import editing, history
from helpdesk.crm.models import Contact, Organization
from helpdesk.errors import HelpdeskError, Invalid
from helpdesk.tickets import plain

#: How customers may ask to be reached; a wish for those who answer.
CHANNELS = {"email": lazy_gettext("By e-mail"), "phone": lazy_gettext("By phone"), "chat": lazy_gettext("In a chat")}
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@bp.get("/my/profile")
def my_profile() -> Response:
    return page(customer.me())


@bp.post("/my/profile")
def change_my_profile() -> Response:
    """Name, language and time zone, on the customer and on their account alike; and how and when they like to be reached."""
    me = customer.me()
    by = web.current_actor()
    try:
        name = web.text("name", required=True, longest=120)
        language, zone = request.form.get("language", ""), request.form.get("time_zone", "")
        if language not in ("", *live.LANGUAGES):
            raise Invalid(fields={"language": _("Please choose one of the list.")})
        if zone and not plain.is_zone(zone):
            raise Invalid(fields={"time_zone": _("Please choose one of the list.")})
        channel = request.form.get("preferred_channel", "")
        if channel not in ("", *CHANNELS):
            raise Invalid(fields={"preferred_channel": _("Please choose one of the list.")})
        hours = {name: _hour(name) for name in ("reach_from", "reach_until")}
    except Invalid as wrong:
        return page(me, wrong=wrong)
    wishes = {"time_zone": zone, "preferred_channel": channel, "survey_allowed": bool(request.form.get("surveys")), **hours}
    editing.rename(me, name, by=by)
    editing.speak(me, language, by=by)
    history.change(me, wishes, by=by)
    user = customer.account()
    user.name, user.language, user.time_zone = me.name, language, zone
    session.pop("lang", None)
    flash(_("Saved."))
    return web.see(url_for("portal.my_profile"))


def _hour(name: str) -> str:
    """A time of day as HH:MM; empty for any. Raises Invalid."""
    text = request.form.get(name, "").strip()[:5]
    if text and not _HOUR.fullmatch(text):
        raise Invalid(fields={name: _("Please give a time such as 09:00.")})
    return text


@bp.get("/my/data")
def my_data_page() -> Response:
    """Everything the desk keeps about this person, to read."""
    me = customer.me()
    return make_response(render_template("portal/data.html", me=me, data=own_data.export(me)))


@bp.get("/my/data.json")
def my_data() -> Response:
    """Everything the desk keeps about this person, as a file."""
    me = customer.me()
    answer = jsonify(own_data.export(me))
    answer.headers["Content-Disposition"] = f'attachment; filename="my-data-{clock.now():%Y-%m-%d}.json"'
    return answer


def page(me: Contact, *, wrong: HelpdeskError | None = None, opened: int = 0) -> Response:
    """The profile, with what was refused; `opened`: the address whose form it was."""
    organization = db.session().get(Organization, me.organization_id) if me.organization_id else None
    errors = wrong.fields if isinstance(wrong, Invalid) else {}
    html = render_template(
        "portal/profile.html",
        me=me,
        user=customer.account(),
        mine=addresses.of(me),
        waiting=addresses.waiting(me),
        organization=organization,
        channels=list(CHANNELS.items()),
        errors=errors,
        trouble=str(wrong.detail or wrong.title) if wrong is not None and not errors else "",
        opened=opened,
        form=request.form,
        zones=plain.zones(),
    )
    return make_response(html, wrong.status if wrong is not None else 200)
