"""The route table of the API, and its edge, written once for every resource.

A resource module declares, in one way:

    @post("/tickets", scope="tickets:write", takes=NewTicket, gives=TicketShown, files=True)
    def open_ticket(sent: NewTicket, files: tuple[NewFile, ...]) -> TicketShown:
        \"\"\"Open a ticket.\"\"\"

and is listed in `views.RESOURCES`. The function is called with the path's numbers by name, `asked` (the query, if `asks` names
its schema), `sent` (the body, if `takes` does) and `files` (if it says so); the docstring's first line and the rest are the
document's summary and description.

Before a transaction begins: the token is found, its rate and scope checked, query and body read. Then the application's edge
opens `read()` for GET and `transaction()` for everything else, and the function runs in it. Sessions of people mean nothing here,
so no form can be forged.
"""

from __future__ import annotations

import inspect
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, g, make_response, request
from flask_babel import lazy_gettext as _
from limits import RateLimitItemPerMinute

from helpdesk import db, files, web
from helpdesk.agents import tokens
from helpdesk.auth import ApiToken
from helpdesk.channels.api import bodies, once
from helpdesk.channels.api.schemas import MOST, Filters, Page, Paging, S, Shown, Wish
from helpdesk.errors import Forbidden, NotFound, TooMany
from helpdesk.tickets import attachments

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])
BASE = "/api/v1"


@dataclass(frozen=True)
class Route:
    """One method on one path.

    `scope` None: any token will do; `public`: none is needed. `gives` None: not JSON of ours but a file or a page, of type
    `media`. `conflicts`: may be refused because somebody was faster.
    """

    method: str
    path: str
    run: Callable[..., Any]
    scope: str | None = None
    asks: type[Filters] | None = None
    takes: type[Wish] | None = None
    gives: type[Shown] | None = None
    files: bool = False
    status: int = 200
    conflicts: bool = False
    public: bool = False
    media: str = "application/json"
    tag: str = ""
    parameters: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.tag}.{self.run.__name__}"

    @property
    def rule(self) -> str:
        """The path as Werkzeug wants it."""
        return BASE + re.sub(r"\{(\w+)\}", r"<int:\1>", self.path)

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.run) or "").partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        return " ".join((inspect.getdoc(self.run) or "").partition("\n")[2].split())


#: Every route, in the order of the document.
ROUTES: list[Route] = []


def get(path: str, **values: Any) -> Callable[[F], F]:
    """Declare a route that reads; see Route for what can be said about it."""
    return _declare("GET", path, values)


def post(path: str, **values: Any) -> Callable[[F], F]:
    """Declare a route that makes something: 201 with its address, and Idempotency-Key."""
    return _declare("POST", path, {"status": 201, **values})


def patch(path: str, **values: Any) -> Callable[[F], F]:
    """Declare a route that changes fields, by If-Match only in the version that was seen."""
    return _declare("PATCH", path, {"conflicts": True, **values})


def _declare(method: str, path: str, values: dict[str, Any]) -> Callable[[F], F]:
    def declare(run: F) -> F:
        tag = run.__module__.removeprefix(f"{__package__}.").partition(".")[0]
        run.path = path  # type: ignore[attr-defined]
        ROUTES.append(Route(method, path, run, tag=tag, parameters=tuple(re.findall(r"\{(\w+)\}", path)), **values))
        return run

    return declare


def bind(bp: Blueprint, routes: Iterable[Route]) -> None:
    """Give the application its routes and the API's edge around them."""
    for route in routes:
        bp.add_url_rule(route.rule, endpoint=route.name.replace(".", "_"), view_func=_view(route), methods=[route.method])
    bp.before_request(_before)
    bp.after_request(_after)


# --- before the transaction -------------------------------------------------------------------------------------------


def _before() -> None:
    route: Route | None = getattr(current_app.view_functions.get(request.endpoint or ""), "route", None)
    if route is None or route.public:
        return
    token = _token()
    _within_rate(token)
    if route.scope is not None and route.scope not in token.scopes:
        raise Forbidden(_("This token lacks the scope %(scope)s.", scope=route.scope))
    if any(not 1 <= number <= MOST for number in (request.view_args or {}).values()):
        raise NotFound  # here, because no database could compare it, and a rule's own limit would make it a 405
    g.asked = bodies.asked(route.asks or Filters)
    if route.takes is not None:
        g.sent = bodies.sent(route.takes, with_files=route.files)


def _token() -> ApiToken:
    """Whose program this is, from the Authorization header alone. Raises BadToken."""
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise tokens.BadToken(_("Send it as: Authorization: Bearer hd_…"))
    with db.read():
        token, g.principal = tokens.shown(secret.strip())
    g.token = token
    if tokens.stale(token):
        web.later(lambda: tokens.used(token.id))
    return token


def _within_rate(token: ApiToken) -> None:
    """Count this request. A counter that cannot be reached stops nobody."""
    from helpdesk.app import limiter

    allowed = RateLimitItemPerMinute(web.settings().api_per_minute)
    try:
        if limiter.limiter.hit(allowed, "api", str(token.id)):
            return
        again = limiter.limiter.get_window_stats(allowed, "api", str(token.id)).reset_time
    except Exception as wrong:
        log.warning("requests cannot be counted: %s", wrong)
        return
    raise TooMany(retry_after=max(1, round(again - time.time())))


# --- in it ------------------------------------------------------------------------------------------------------------


def _view(route: Route) -> Callable[..., Response]:
    def view(**path: int) -> Response:
        values: dict[str, Any] = dict(path)
        if route.asks is not None:
            values["asked"] = g.asked
        if route.takes is not None:
            values["sent"] = g.sent
        if route.method == "POST":
            return _post(route, values)
        return _answer(route, route.run(**values))

    view.route = route  # type: ignore[attr-defined]
    return web.own_edge(view) if route.files else view


def _post(route: Route, values: dict[str, Any]) -> Response:
    """Do it once. Files are in the store before the transaction begins, and leave it again if they are refused or were here before."""
    if not route.files:
        return once.once(g.token.id, bodies.fingerprint(()), lambda: _answer(route, route.run(**values)))
    with attachments.keeping(web.uploads()) as kept:
        with db.transaction():
            answer = once.once(g.token.id, bodies.fingerprint(kept), lambda: _answer(route, route.run(**values, files=kept)))
        if once.replayed(answer):
            for file in kept:
                files.store().delete(file.stored.key)
    return answer


def _answer(route: Route, made: Any) -> Response:
    if not isinstance(made, Shown):
        return make_response(made)
    answer = current_app.response_class(made.model_dump_json(), route.status, mimetype="application/json")
    if isinstance(made, Page) and made.next:
        answer.headers["Link"] = f'<{made.next}>; rel="next"'
    if route.status == 201:
        answer.headers["Location"] = made.url
    version = getattr(made, "version", None)
    if version is not None:
        answer.headers["ETag"] = f'"{version}"'
    return answer


def page(kind: type[Page[S]], found: web.Paged[Any], items: list[S], asked: Paging) -> Page[S]:
    """One page with the address of the next, which repeats what was asked for."""
    if found.next is None:
        return kind(items=items, next=None)
    again = {**asked.model_dump(mode="json", exclude_defaults=True), "limit": asked.limit, "cursor": found.next}
    return kind(items=items, next=f"{web.settings().base_url}{request.path}?{urlencode(again, doseq=True)}")


def address(run: Callable[..., Any], **values: int) -> str:
    """The address of a thing, by the function that shows it; from the configured address, never from the request's Host."""
    return f"{web.settings().base_url}{BASE}{run.path.format(**values)}"  # type: ignore[attr-defined]


# --- after it ---------------------------------------------------------------------------------------------------------


def _after(answer: Response) -> Response:
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="helpdesk"'
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer
