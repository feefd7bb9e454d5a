"""One's own profile: how one is called, how pages look, one's password, and one's sessions elsewhere."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from flask import Response, flash, make_response, render_template, request, session
from flask_babel import gettext as _

from helpdesk import auth, db, live, passwords, versions, web
from helpdesk.auth import User
from helpdesk.catalog import SessionsEnded
from helpdesk.errors import Invalid, NotSignedIn, TooMany
from helpdesk.events import record
from helpdesk.signin import bp, entry
from helpdesk.signin.by_mail import change_password, kept_new_password
from helpdesk.signin.looks import DENSITIES, THEMES


@bp.get("/me")
def profile() -> Response:
    return _page(_me())


@bp.post("/me")
def change_profile() -> Response:
    user = _me()
    try:
        name = " ".join(web.text("name", required=True, longest=120).split())
        values = {
            "language": _choice("language", ("", *live.LANGUAGES)),
            "theme": _choice("theme", THEMES),
            "density": _choice("density", DENSITIES),
            "time_zone": _choice("time_zone", ("", *_zones())),
        }
        versions.change(user, web.form_version(), name=name, **values)
    except (Invalid, versions.Stale) as wrong:
        return _page(user, wrong=wrong)
    for kept, value in (("lang", user.language), ("theme", user.theme)):
        session.pop(kept, None)
        if value:
            session[kept] = value
    flash(_("Saved."))
    return web.see("/me")


@bp.post("/me/password")
@web.own_edge
def change_own_password() -> Response:
    """A new password, against the current one. Other devices are signed out, this one stays in."""
    with db.read():
        user = _me()
    try:
        with db.transaction():
            tried = entry.begin_try(user.email)
        if not passwords.right(request.form.get("current", ""), user.password):
            raise Invalid(fields={"current": _("This is not your current password.")})
        stored = kept_new_password(user)
    except (Invalid, TooMany) as wrong:
        with db.read():
            return _page(_me(), wrong=wrong)
    with db.transaction():
        user = _me()
        entry.succeeded(tried)
        change_password(user, stored)
    entry.renew(user)
    flash(_("Your password is changed. Other devices have been signed out."))
    return web.see("/me")


@bp.post("/me/sessions")
def end_other_sessions() -> Response:
    """Sign out everywhere else; this browser goes on under the sessions' new name."""
    user = _me()
    auth.end_sessions(user)
    db.session().flush()
    record(SessionsEnded(user.id, web.current_actor()))
    entry.renew(user)
    flash(_("You are signed out on all other devices."))
    return web.see("/me")


def _me() -> User:
    user = web.signed_in()
    if user is None:
        raise NotSignedIn
    return db.session().get_one(User, user.id)


def _page(user: User, *, wrong: Invalid | versions.Stale | TooMany | None = None) -> Response:
    errors = wrong.fields if isinstance(wrong, Invalid) else {}
    trouble = "" if wrong is None or errors else str(wrong.detail) or str(wrong.title)
    html = render_template("signin/me.html", user=user, form=request.form, errors=errors, trouble=trouble, zones=_zone_groups())
    answer = make_response(html, wrong.status if wrong is not None else 200)
    if isinstance(wrong, TooMany):
        answer.headers["Retry-After"] = str(wrong.retry_after)
    return answer


def _choice(name: str, known: tuple[str, ...]) -> str:
    value = request.form.get(name, "")
    if value not in known:
        raise Invalid(fields={name: _("Please choose one of the list.")})
    return value


@lru_cache(maxsize=1)
def _zones() -> tuple[str, ...]:
    """Zones that people live in: named by a place, without the machine's own names."""
    regions = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")
    return ("UTC", *sorted(zone for zone in available_timezones() if zone.startswith(regions)))


def _zone_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """For a select: [(region, [(zone, its place)])]."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for zone in _zones():
        region, _slash, place = zone.partition("/")
        groups.setdefault(region, []).append((zone, (place or region).replace("_", " ")))
    return list(groups.items())
