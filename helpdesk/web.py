"""What every page shares: the edge's helpers, fragments and plain forms, languages, paging, and what reading leaves behind.

A view finds, checks, calls one verb, renders. These are the words it does that with.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Response, current_app, g, has_request_context, make_response, redirect, render_template, request, session
from flask_babel import get_locale, get_timezone
from werkzeug.datastructures import FileStorage

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.auth import ANONYMOUS, Principal, User
from helpdesk.config import Settings
from helpdesk.errors import Invalid, NotFound, NotSignedIn

log = logging.getLogger(__name__)

V = TypeVar("V", bound=Callable[..., Any])
R = TypeVar("R")
PAGE = 50


# --- who ---------------------------------------------------------------------------------------------------------------


def principal() -> Principal:
    """Who asks, found out before the transaction began."""
    found: Principal = getattr(g, "principal", ANONYMOUS)
    return found


def current_actor() -> Actor:
    """The principal as the doer of a verb, through this door."""
    return principal().actor.through("api" if request.path.startswith("/api/") else "page")


def signed_in() -> User | None:
    """The row of the person signed in: read it, never change it here."""
    found: User | None = getattr(g, "user", None)
    return found


def require_staff() -> None:
    """Colleagues only: others are asked to sign in, customers are told there is nothing here."""
    if not principal().staff:
        raise NotSignedIn if principal().user_id is None else NotFound


def require_leads() -> None:
    require_staff()
    if not principal().leads:
        raise NotFound


def require_admin() -> None:
    require_staff()
    if not principal().admin:
        raise NotFound


def settings() -> Settings:
    made: Settings = current_app.config["HELPDESK"]
    return made


# --- the edge ------------------------------------------------------------------------------------------------------------


def own_edge(view: V) -> V:
    """Mark a view that opens its own transactions, because it waits for something (a password hash, a stream) that none may span."""
    view.own_edge = True  # type: ignore[attr-defined]
    return view


def zone() -> str:
    """The reader's time zone by name."""
    here = get_timezone()
    return here.key if isinstance(here, ZoneInfo) else str(here or "UTC")


def later(call: Callable[[], None]) -> None:
    """What reading leaves behind (a search log, last seen): done after the response, in its own small transaction, dropped if
    that fails.
    """
    if not has_request_context():
        return
    waiting: list[Callable[[], None]] | None = getattr(g, "later", None)
    if waiting is None:
        waiting = g.later = []
    waiting.append(call)


def do_later(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        try:
            with db.transaction():
                call()
        except Exception:
            log.exception("after the response")


# --- answers -------------------------------------------------------------------------------------------------------------


def htmx() -> bool:
    """Whether the page's script asks for a fragment (and is not restoring history)."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def target() -> str:
    """The id of the element that the script will put the answer into; htmx says it as `main` or `section#main`."""
    return request.headers.get("HX-Target", "").rpartition("#")[2]


def fragment(template: str, *, page: str, **values: Any) -> Response:
    """Answer a changed thing: its partial to the script, a redirect to its page to a plain form."""
    if htmx():
        return make_response(render_template(template, **values))
    return see(page)


def see(url: str) -> Response:
    """After a plain form: 303 to a page of ours. After the script's form: the page's address for it to go to."""
    if htmx():
        answer = make_response("", 204)
        answer.headers["HX-Redirect"] = url
        return answer
    return make_response(redirect(url, 303))


def back(default: str) -> str:
    """Where the person came from, if that was one of our pages."""
    target = request.form.get("next") or request.args.get("next") or ""
    return local(target) or default


def local(url: str) -> str:
    """The address if it leads nowhere else, or an empty string."""
    parts = urlsplit(url)
    return url if url.startswith("/") and not url.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme else ""


def absolute(endpoint: str, **values: Any) -> str:
    """A link for a mail: built from the configured address, never from the request's Host."""
    base: str = current_app.config["HELPDESK"].base_url
    # Not url_for: outside a request it wants a SERVER_NAME, and inside one it believes the request.
    return base + current_app.url_map.bind("localhost").build(endpoint, values)


# --- forms ---------------------------------------------------------------------------------------------------------------


def text(name: str, *, required: bool = False, longest: int = 300) -> str:
    """A form's field, trimmed. Raises Invalid when it is missing or too long."""
    from flask_babel import gettext as _

    value = request.form.get(name, "").strip().replace("\x00", "")
    if required and not value:
        raise Invalid(fields={name: _("Please fill this in.")})
    if len(value) > longest:
        raise Invalid(fields={name: _("Please shorten this to %(n)s characters.", n=longest)})
    return value


def number(name: str, *, least: int, most: int, default: int | None = None) -> int:
    from flask_babel import gettext as _

    value = request.form.get(name, "").strip()
    if not value and default is not None:
        return default
    try:
        found = int(value)
    except ValueError:
        found = least - 1
    if not least <= found <= most:
        raise Invalid(fields={name: _("Please give a number from %(least)s to %(most)s.", least=least, most=most)})
    return found


def form_version() -> int | None:
    """The version of the thing that the person saw when they pressed the button."""
    value = request.form.get("version", "")
    return int(value) if value.isdigit() else None


def uploads(name: str = "files") -> list[FileStorage]:
    return [file for file in request.files.getlist(name) if file.filename]


# --- paging --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paged(Generic[R]):
    """One page of a list and the cursors around it: keyset paging, so that page 1,000 costs what page 1 does."""

    rows: list[R]
    next: str | None
    total: str = ""


def cursor(*values: Any) -> str:
    """A position in a list as an opaque word."""
    plain = [v.isoformat() if isinstance(v, datetime) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def uncursor(word: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The position a cursor stands for. Raises Invalid for a word that is not ours."""
    if not word:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        if len(values) != len(kinds):
            raise ValueError
        return tuple(datetime.fromisoformat(v) if kind is datetime else kind(v) for kind, v in zip(kinds, values, strict=True))
    except (ValueError, TypeError) as wrong:
        raise Invalid("the cursor is not one of ours; start again without it") from wrong


def paged(rows: list[R], limit: int, key: Callable[[R], tuple[Any, ...]]) -> Paged[R]:
    """Rows fetched one more than `limit`, cut, with the cursor that continues after the last shown."""
    more = len(rows) > limit
    shown = rows[:limit]
    return Paged(shown, cursor(*key(shown[-1])) if more and shown else None)


# --- looks ---------------------------------------------------------------------------------------------------------------


def language() -> str:
    """The reader's language: their own choice, the browser's, the desk's."""
    if not has_request_context():
        return "en"
    known = ("en", "ru")
    user = signed_in()
    for wish in (request.args.get("lang"), session.get("lang"), user.language if user else ""):
        if wish in known:
            return str(wish)
    return request.accept_languages.best_match(known) or str(current_app.config["HELPDESK"].default_language)


def lang() -> str:
    """The language things are being written in right now."""
    return str(get_locale() or "en")[:2]


def theme() -> str:
    wish = session.get("theme") if has_request_context() else None
    user = signed_in()
    return str(wish or (user.theme if user else "") or "auto")


@lru_cache(maxsize=1)
def _manifest(path: Path, _stamp: float) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text())
    return found


def asset(name: str) -> str:
    """The address of a built asset; its name carries its content's hash, so browsers may keep it for ever."""
    path = Path(__file__).parent / "static" / "dist" / "manifest.json"
    try:
        return "/static/" + _manifest(path, path.stat().st_mtime)[name]
    except (OSError, KeyError):
        return "/static/" + name


def epoch(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None


def server_now() -> int:
    return int(clock.now().timestamp())
