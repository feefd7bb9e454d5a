"""Language, theme and density, for everybody: kept in the browser's session and, signed in, on the person."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, request, session

from helpdesk import db, live, web
from helpdesk.auth import User
from helpdesk.errors import Invalid
from helpdesk.signin import bp

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")


@bp.post("/language")
def choose_language() -> Response:
    language = _one_of("lang", live.LANGUAGES)
    session["lang"] = language
    _keep(language=language)
    return web.see(came_from())


@bp.post("/theme")
def choose_theme() -> Response:
    """The theme, or the lists' density."""
    if "density" in request.form:
        _keep(density=_one_of("density", DENSITIES))
    if "theme" in request.form or "density" not in request.form:
        session["theme"] = _one_of("theme", THEMES)
        _keep(theme=session["theme"])
    return web.see(came_from())


def came_from() -> str:
    """The page of ours that the form stood on, without a language in its address: the choice just made counts."""
    referrer = urlsplit(request.referrer or "")
    path = referrer.path if referrer.netloc == request.host else ""
    kept = "&".join(part for part in referrer.query.split("&") if part and not part.startswith("lang="))
    return web.back(web.local(path and (f"{path}?{kept}" if kept else path)) or "/")


def _keep(**chosen: str) -> None:
    """Looks are no edit that could collide with an administrator's: the version stays."""
    if user := web.signed_in():
        row = db.session().get_one(User, user.id)
        for name, value in chosen.items():
            setattr(row, name, value)


def _one_of(name: str, known: tuple[str, ...]) -> str:
    value = request.form.get(name, "")
    if value not in known:
        raise Invalid(fields={name: ", ".join(known)})
    return value
