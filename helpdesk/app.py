"""The factory, and the edge: one transaction per request, errors as proper answers, who asks found out once.

The only module (with `cli`) that sees every package.
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, jsonify, make_response, render_template, request, session
from flask_babel import Babel
from flask_babel import gettext as _
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user
from flask_security import Security
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix

from helpdesk import config, db, events, files, links, live, web
from helpdesk.agents import queries as agents_queries
from helpdesk.auth import ANONYMOUS, Datastore, Principal, User
from helpdesk.config import Settings
from helpdesk.errors import HelpdeskError, Invalid, NotSignedIn, TooMany

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent

#: Packages' blueprints, in the order of the doors people come through. Each module offers `bp`.
BLUEPRINTS = (
    "helpdesk.signin",
    "helpdesk.channels.portal.views",
    "helpdesk.channels.portal.setup",
    "helpdesk.kb.views",
    "helpdesk.kb.manage",
    "helpdesk.tickets.views",
    "helpdesk.tickets.topics.views",
    "helpdesk.agents.views",
    "helpdesk.agents.articles",
    "helpdesk.agents.deeds",
    "helpdesk.agents.shift_views",
    "helpdesk.agents.scheduled.views",
    "helpdesk.agents.wallboard",
    "helpdesk.agents.leading.views",
    "helpdesk.agents.wish_views",
    "helpdesk.agents.habits",
    "helpdesk.agents.admin",
    "helpdesk.crm.views",
    "helpdesk.crm.feeling_views",
    "helpdesk.agents.worth.views",
    "helpdesk.channels.email.views",
    "helpdesk.channels.email.public",
    "helpdesk.channels.email.text_views",
    "helpdesk.channels.email.undelivered_views",
    "helpdesk.channels.email.imap.views",
    "helpdesk.channels.email.claim_views",
    "helpdesk.channels.api.views",
    "helpdesk.channels.api.token_views",
    "helpdesk.health",
)

CSP = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "manifest-src": "'self'",
}

csrf = CSRFProtect()
limiter = Limiter(get_remote_address, default_limits=[], headers_enabled=True, in_memory_fallback_enabled=True)


class Desk(Flask):
    """Flask with the edge built in: a request's dispatch runs inside one unit of work."""

    def dispatch_request(self) -> Any:
        view = self.view_functions.get(request.endpoint or "")
        if view is None or request.endpoint == "static" or getattr(view, "own_edge", False):
            return super().dispatch_request()
        if request.method in ("GET", "HEAD", "OPTIONS"):
            with db.read():
                return self.make_response(super().dispatch_request())
        request.get_data(cache=True, parse_form_data=True)  # a slow upload must not hold the transaction
        with db.transaction():
            answer = self.make_response(super().dispatch_request())
            if answer.status_code >= 400:
                db.doom()
            return answer


def create_app(settings: Settings | None = None, *, async_mode: str = "threading") -> Desk:
    """Build the application for one desk. `async_mode` is Socket.IO's: gevent under `serve`, threading elsewhere."""
    settings = settings or config.load()
    templates = ROOT / "templates"
    app = Desk(
        "helpdesk",
        static_folder=str(ROOT / "static" / "dist"),
        static_url_path="/static",
        template_folder=str(templates if templates.is_dir() else ROOT.parent / "templates"),
    )
    _configure(app, settings)
    db.connect(settings.database_url, pool_size=settings.pool_size)
    files.use(settings.data / "files")
    links.use(settings.secret_keys)
    events.load_reactions()
    _extend(app, settings, async_mode)
    for module in BLUEPRINTS:
        app.register_blueprint(importlib.import_module(module).bp)
    app.before_request(_who_asks)
    app.teardown_request(_after_response)
    app.register_error_handler(Exception, _refuse)
    _templates(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        HELPDESK=settings,
        SECRET_KEY=settings.secret_keys[0],
        SECRET_KEY_FALLBACKS=list(settings.secret_keys[1:]),
        SESSION_COOKIE_NAME="__Host-desk" if settings.secure else "desk",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_NAME="__Host-remember" if settings.secure else "remember",
        REMEMBER_COOKIE_SECURE=settings.secure,
        REMEMBER_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=settings.max_upload_bytes * 2,
        MAX_FORM_MEMORY_SIZE=4 * 2**20,
        MAX_FORM_PARTS=200,
        SEND_FILE_MAX_AGE_DEFAULT=365 * 86400,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_CHECK_DEFAULT=False,
        BABEL_DEFAULT_LOCALE=settings.default_language,
        BABEL_DEFAULT_TIMEZONE=settings.time_zone,
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "translations"),
        SECURITY_PASSWORD_HASH="argon2",
        SECURITY_PASSWORD_SALT=settings.secret_keys[0][:32],
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_SEND_REGISTER_EMAIL=False,
        RATELIMIT_STORAGE_URI=settings.redis_url or "memory://",
        RATELIMIT_STORAGE_OPTIONS={"socket_timeout": 1, "socket_connect_timeout": 1} if settings.redis_url else {},
        RATELIMIT_KEY_PREFIX="helpdesk",
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_port=0)  # type: ignore[method-assign]


def _extend(app: Flask, settings: Settings, async_mode: str) -> None:
    Babel(app, locale_selector=web.language, timezone_selector=_zone)
    csrf.init_app(app)
    limiter.init_app(app)
    Security(app, Datastore(), register_blueprint=False)
    Talisman(
        app,
        force_https=False,
        strict_transport_security=settings.secure,
        session_cookie_secure=settings.secure,
        content_security_policy=CSP,
        content_security_policy_nonce_in=[],
        referrer_policy="strict-origin-when-cross-origin",
        frame_options="DENY",
    )
    live.start(app, who=_socket_who, again=_socket_again, message_queue=settings.redis_url or None, async_mode=async_mode)


def _zone() -> str | None:
    user = web.signed_in()
    return user.time_zone or None if user else None


# --- who asks ----------------------------------------------------------------------------------------------------------


def _who_asks() -> None:
    """Find the principal, and check a form's CSRF token, before any transaction begins."""
    g.principal, g.user = ANONYMOUS, None
    if request.endpoint in (None, "static"):
        return
    if not request.path.startswith("/api/"):
        with db.read():
            user = current_user._get_current_object()
            if user.is_authenticated:
                g.user, g.principal = user, agents_queries.principal_of(user)
    view = app_view()
    if (
        request.method not in ("GET", "HEAD", "OPTIONS")
        and not getattr(view, "csrf_exempt", False)
        and not request.path.startswith("/api/")
    ):
        csrf.protect()


def app_view() -> Any:
    from flask import current_app

    return current_app.view_functions.get(request.endpoint or "")


def _socket_who() -> tuple[Principal, str]:
    """Who opened a socket, read from its handshake's session."""
    with db.read():
        user = current_user._get_current_object()
        if user.is_authenticated:
            return agents_queries.principal_of(user), user.fs_uniquifier
    return ANONYMOUS, ""


def _socket_again(watcher: live.Watcher) -> Principal | None:
    """The same screen later: None once its session has ended."""
    if not watcher.uniquifier:
        return watcher.principal
    user = Datastore().find_user(fs_uniquifier=watcher.uniquifier)
    return agents_queries.principal_of(user) if isinstance(user, User) and user.active else None


def _after_response(_wrong: BaseException | None) -> None:
    calls = g.pop("later", None)
    if calls:
        web.do_later(calls)


# --- errors ------------------------------------------------------------------------------------------------------------


def _refuse(wrong: Exception) -> Response:
    """Every error as the answer its reader deserves: a problem document for programs, a toast for scripts, a page for people."""
    status, code, title, detail, fields = _explain(wrong)
    if status >= 500 and not isinstance(wrong, HelpdeskError):
        log.exception("an error nobody expected", exc_info=wrong)
    if request.path.startswith("/api/"):
        answer = _problem(status, code, title, detail, fields)
    elif web.htmx():
        answer = make_response(render_template("errors/_toast.html", title=title, detail=detail, fields=fields), status)
        answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#toasts", "beforeend"
    elif isinstance(wrong, NotSignedIn) and request.method == "GET":
        return web.see("/sign-in?next=" + quote(request.full_path.rstrip("?"), safe="/"))
    else:
        answer = make_response(render_template("errors/error.html", status=status, title=title, detail=detail, fields=fields), status)
    if isinstance(wrong, TooMany):
        answer.headers["Retry-After"] = str(wrong.retry_after)
    if isinstance(wrong, MethodNotAllowed) and wrong.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(wrong.valid_methods))
    return answer


def _explain(wrong: Exception) -> tuple[int, str, str, str, dict[str, str]]:
    if isinstance(wrong, HelpdeskError):
        fields = {name: str(text) for name, text in wrong.fields.items()} if isinstance(wrong, Invalid) else {}
        return wrong.status, wrong.code, str(wrong.title), str(wrong.detail), fields
    if isinstance(wrong, RequestEntityTooLarge):
        limit = web.settings().max_upload_bytes // 2**20
        return 413, "too_large", _("That is too large"), _("Please send at most %(n)s MB at once.", n=limit), {}
    if isinstance(wrong, CSRFError):
        return (
            400,
            "form_expired",
            _("This form is too old"),
            _("Please open the page again and send it once more. Your text is still in the form: go back."),
            {},
        )
    if isinstance(wrong, HTTPException):
        status = wrong.code or 500
        if status == 404:
            return 404, "not_found", _("There is nothing here"), "", {}
        if status == 429:
            return 429, "too_many", _("Too many tries"), _("Please wait a minute."), {}
        return status, wrong.name.lower().replace(" ", "_"), wrong.name, wrong.description or "", {}
    return 500, "failed", _("Something went wrong on our side"), _("Nothing was lost that you had sent before. Please try again."), {}


def _problem(status: int, code: str, title: str, detail: str, fields: dict[str, str]) -> Response:
    """RFC 9457."""
    body: dict[str, Any] = {"type": f"about:blank#{code}", "title": title, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    if fields:
        body["errors"] = [{"field": name, "detail": text} for name, text in fields.items()]
    answer = jsonify(body)
    answer.status_code = status
    answer.mimetype = "application/problem+json"
    return answer


# --- templates -----------------------------------------------------------------------------------------------------------


def _templates(app: Flask) -> None:
    from flask_babel import format_datetime, format_decimal, get_locale

    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(epoch=web.epoch, when=format_datetime, decimal=format_decimal)
    app.jinja_env.globals.update(
        asset=web.asset,
        server_now=web.server_now,
        lang=lambda: str(get_locale() or "en")[:2],
        theme=web.theme,
        time_zone=web.zone,
        principal=web.principal,
        signed_in=web.signed_in,
        htmx=web.htmx,
    )
    for module in ("helpdesk.durations", "helpdesk.crm.words", "helpdesk.tickets.words", "helpdesk.agents.words"):
        app.jinja_env.globals.update(importlib.import_module(module).TEMPLATE_WORDS)

    @app.context_processor
    def _company() -> dict[str, Any]:
        from helpdesk.preferences import Preferences, preferences

        return {"company": (preferences() if db.in_transaction() else Preferences()).company}


def remember_language(language: str) -> None:
    if language in live.LANGUAGES:
        session["lang"] = language
