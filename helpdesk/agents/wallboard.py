"""The supervisor's wallboard: the page, its pushes, the tickets behind each figure, and links for televisions.

`agents.figures` counts. While somebody watches, one keeper per process draws the board anew: within a second of a fact, every two seconds
for what is so now, every fifteen for what happened today; a part that looks the same as before is not pushed again. Facts of other
processes are found by those same rounds. A television has no session: its signed link opens this one page, until a supervisor raises the
epoch.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from typing import Any

from flask import Blueprint, Flask, Response, current_app, flash, g, has_app_context, render_template, request
from flask_babel import format_decimal, get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from helpdesk import catalog, db, links, live, web
from helpdesk.agents import behind, figures
from helpdesk.agents.words import queue_name
from helpdesk.auth import Principal
from helpdesk.catalog import SettingsChanged
from helpdesk.errors import Gone, NotFound
from helpdesk.events import record
from helpdesk.preferences import prefer, preferences
from helpdesk.tickets.metrics import Rate
from helpdesk.tickets.models import Queue

log = logging.getLogger(__name__)

bp = Blueprint("wallboard", __name__)

TV = "tv"
TV_DAYS = 365
#: How often a watched board is drawn without a fact, and how old the day's figures may grow without one and with one, in seconds.
STATE_S, ROLLING_S, MOVED_S = 2.0, 15.0, 3.0
#: How long after the last watcher came the keeper waits for another before it goes home.
PATIENCE_S = 5.0

#: The board's parts, each drawn and pushed by itself.
PARTS = ("tiles", "flow", "level", "risk", "agents")

MOVING = (
    catalog.TicketOpened,
    catalog.CustomerWrote,
    catalog.AgentReplied,
    catalog.ReplyWithdrawn,
    catalog.StatusChanged,
    catalog.TicketMoved,
    catalog.TicketAssigned,
    catalog.TicketSolved,
    catalog.TicketReopened,
    catalog.TicketClosed,
    catalog.SubjectChanged,
    catalog.AssignmentEnded,
    catalog.OfferMade,
    catalog.OfferExpired,
    catalog.OfferWithdrawn,
    catalog.OfferDeclined,
    catalog.PresenceChanged,
    catalog.SurveySent,
    catalog.TicketRated,
    catalog.QueueChanged,
)


# --- pages ---------------------------------------------------------------------------------------------------------------


@bp.get("/wallboard")
def wallboard() -> str:
    """The board; `queue` in the address narrows it."""
    web.require_leads()
    return render_template("agents/wallboard.html", here="wallboard", **_values(_chosen()))


@bp.get("/wallboard/board")
def board() -> str:
    """The board without its frame, fetched again after a gap or when there is no socket."""
    web.require_leads()
    return render_template("agents/_wall.html", **_values(_chosen()))


@bp.get("/wallboard/tickets/<figure>")
def tickets(figure: str) -> str:
    """The tickets behind a figure."""
    web.require_leads()
    queue_id = _chosen()
    page = behind.page(figure, queue_id, zone=_zone(), cursor=request.args.get("cursor"))
    queues = {queue.id: queue for queue in db.session().query(Queue)}
    return render_template(
        "agents/wallboard_tickets.html", here="wallboard", figure=figure, page=page, queues=queues, queue=queues.get(queue_id or 0)
    )


@bp.get("/wallboard/definitions")
def definitions() -> str:
    """What each figure means."""
    web.require_leads()
    return render_template("agents/wallboard_definitions.html", here="wallboard", zone=_zone(), csat_target=preferences().csat_target)


@bp.get("/wallboard/screens")
def screens() -> str:
    """Links that show the board on a television."""
    web.require_leads()
    places: list[Queue | None] = [None, *db.session().query(Queue).filter(Queue.active).order_by(Queue.name)]
    shown = [(queue, web.absolute("wallboard.tv", word=tv_word(queue.id if queue else None))) for queue in places]
    return render_template("agents/wallboard_screens.html", here="wallboard", places=shown, days=TV_DAYS)


@bp.post("/wallboard/screens/revocation")
def revoke_screens() -> AnyResponse:
    """Every link given to a television so far stops working; open ones are thrown out within seconds."""
    web.require_leads()
    prefer(wall_epoch=preferences().wall_epoch + 1)
    record(SettingsChanged(web.current_actor(), what="wallboard"))
    flash(_("All links for televisions have ended. The ones below are new."))
    return web.see("/wallboard/screens")


@bp.get("/wallboard/tv/<word>")
def tv(word: str) -> Response:
    """The board for a screen on the wall: by link, without a session. Raises Gone when the link was revoked."""
    queue_id = tv_queue(word)
    return _unkept(render_template("agents/wallboard.html", tv=word, **_values(queue_id)))


@bp.get("/wallboard/tv/<word>/board")
def tv_board(word: str) -> Response:
    queue_id = tv_queue(word)
    return _unkept(render_template("agents/_wall.html", tv=word, **_values(queue_id)))


def _unkept(page: str) -> Response:
    """The address is the key: no cache keeps what it opens."""
    answer = Response(page)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _values(queue_id: int | None) -> dict[str, Any]:
    made = figures.board(queue_id, zone=_zone())
    queues = [queue for queue in made.queues.values() if queue.active or queue.id == queue_id]
    return {
        **shown(made),
        "queue": made.queues.get(queue_id) if queue_id else None,
        "own_queues": sorted(queues, key=queue_name),
    }


def shown(made: figures.Board) -> dict[str, Any]:
    """What the board's parts draw."""
    return {"board": made, "now": made.state, "day": made.rolling, "csat_target": preferences().csat_target}


def _chosen() -> int | None:
    """The queue in the address. Raises NotFound for one that is not there."""
    word = request.args.get("queue", "")
    if not word:
        return None
    queue = db.session().get(Queue, int(word)) if word.isdigit() and len(word) < 10 else None
    if queue is None:
        raise NotFound
    return queue.id


def _zone() -> str:
    return web.settings().time_zone


# --- televisions -----------------------------------------------------------------------------------------------------------


def tv_word(queue_id: int | None) -> str:
    """The signed word that opens the board of a queue (None: of all) on a television."""
    return links.sign(TV, [queue_id or 0, preferences().wall_epoch])


def tv_queue(word: str) -> int | None:
    """Which queue a television's link shows; None for all. Raises Gone when it is altered, too old or revoked."""
    held = links.unsign(TV, word, valid_days=TV_DAYS)
    if not isinstance(held, list) or len(held) != 2 or held[1] != preferences().wall_epoch:
        raise Gone
    if held[0] and db.session().get(Queue, held[0]) is None:
        raise Gone
    return int(held[0]) or None


# --- pushes ----------------------------------------------------------------------------------------------------------------


@live.room("wall")
def may_watch(who: Principal, key: str, _token: str) -> bool:
    """`wall:all` and `wall:<queue>`: those who lead."""
    allowed = who.leads and who.scopes is None and (key == "all" or key.isdigit())
    if allowed:
        keeper.stay()
    return allowed


@live.room("tv")
def may_watch_tv(_who: Principal, key: str, token: str) -> bool:
    """`tv:all` and `tv:<queue>`: whoever holds the link of exactly that board."""
    try:
        allowed = key == str(tv_queue(token) or "all")
    except Gone:
        return False
    if allowed:
        keeper.stay()
    return allowed


@live.shows(*MOVING)
def moved(_facts: list[Any]) -> None:
    """Something happened: the keeper, if there is one, draws at once."""
    keeper.news()


class Keeper:
    """Draws the boards that somebody watches in this process, one round at a time, and goes home when nobody does."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._there = False
        self._asked = self._moved = 0.0
        self._news = threading.Event()
        self._today: dict[int | None, tuple[float, float, figures.Rolling | None]] = {}
        self._drawn: dict[str, dict[str, str]] = {}

    def stay(self) -> None:
        """Somebody is about to watch: be there. Outside an application (rights looked at again) whoever watches has been seen before."""
        with self._guard:
            self._asked = time.monotonic()
            if self._there or not has_app_context():
                return
            self._there = True
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        threading.Thread(target=self._rounds, args=(app,), name="wallboard", daemon=True).start()

    def news(self) -> None:
        self._moved = time.monotonic()
        if self._there:
            self._news.set()

    def _rounds(self, app: Flask) -> None:
        while not self._leaves():
            begun = time.monotonic()
            self._news.wait(STATE_S)
            time.sleep(max(0.0, figures.FRESH_S - (time.monotonic() - begun)))  # a burst of facts is one round
            self._news.clear()
            try:
                if rooms := watched():
                    self.round(app, rooms)
            except Exception:
                log.exception("drawing the wallboard")
        self._today.clear()
        self._drawn.clear()

    def _leaves(self) -> bool:
        """Nobody watches, and nobody has asked to lately: a room is entered only after its policy said yes."""
        with self._guard:
            if watched() or time.monotonic() - self._asked < PATIENCE_S:
                return False
            self._there = False
            return True

    def round(self, app: Flask, rooms: list[str]) -> None:
        """Draw these rooms and push the parts that look different."""
        with app.test_request_context(base_url=app.config["HELPDESK"].base_url), db.read():
            g.pushed = True
            made: dict[int | None, figures.Board] = {}
            for room in rooms:
                prefix, _, key = room.partition(":")
                queue_id = int(key) if key.isdigit() else None
                if queue_id not in made:
                    made[queue_id] = self._board(queue_id)
                self._push(room, shown(made[queue_id]), tv=prefix == TV)
        self._drawn = {room: parts for room, parts in self._drawn.items() if room in rooms}

    def _board(self, queue_id: int | None) -> figures.Board:
        """Each of its figures as old as it may be: this moment's, the day's, the month's."""
        begun = time.monotonic()
        day, month, kept = self._today.get(queue_id, (0.0, 0.0, None))
        if kept is not None and begun - day < (MOVED_S if self._moved > day else ROLLING_S):
            return figures.compute(queue_id, zone=_zone(), rolling=kept)
        lasting = kept if begun - month < ROLLING_S else None
        made = figures.compute(queue_id, zone=_zone(), month=lasting)
        self._today[queue_id] = (begun, month if lasting else begun, made.rolling)
        return made

    def _push(self, room: str, values: dict[str, Any], *, tv: bool) -> None:
        before = self._drawn.setdefault(room, {})
        html = dict.fromkeys(live.LANGUAGES, "")
        for part in PARTS:
            drawn = live.drawn(f"agents/_wall_{part}.html", tv=tv, **values)
            looks = settled("".join(drawn.values()))
            if before.get(part) == looks:
                continue
            before[part] = looks
            for language, words in drawn.items():
                html[language] += words
        if any(html.values()):
            live.push(room, "wall", html=html)


keeper = Keeper()


def watched() -> list[str]:
    """The boards that somebody watches in this process."""
    return sorted(room for room in live.watching() if room.partition(":")[0] in ("wall", TV))


_TICKING = re.compile(r"(<(sla-timer|rel-time)\b[^>]*>).*?(</\2>)", re.DOTALL)


def settled(html: str) -> str:
    """A part without what the page's own ticker draws: badges and ages that run are no news."""
    return _TICKING.sub(r"\1\3", html)


# --- words -------------------------------------------------------------------------------------------------------------------


@bp.app_template_filter("percent")
def percent(share: float | None, digits: int = 0) -> str:
    """A share of one as "81%", "81,4 %" in Russian; a dash for nothing to divide by."""
    if share is None:
        return "—"
    words = format_decimal(share * 100, "0." + "0" * digits if digits else "0")
    return f"{words}\u00a0%" if str(get_locale() or "")[:2] == "ru" else f"{words}%"


@bp.app_template_filter("flow_chart")
def flow_chart(day: figures.Rolling) -> str:
    """Arrived and answered as charts.js reads them."""
    return json.dumps(
        {
            "type": "line",
            "labels": [slot.label for slot in day.slots],
            "series": [
                {"name": _("Arrived"), "values": [slot.arrived for slot in day.slots]},
                {"name": _("Answered"), "values": [slot.answered for slot in day.slots], "tone": "ok", "dashed": True},
            ],
        },
        ensure_ascii=False,
    )


@bp.app_template_filter("level_chart")
def level_chart(day: figures.Rolling) -> str:
    """Service level by hour as charts.js reads it; an hour in which nothing was decided has no bar."""
    low, high = day.targets
    chart: dict[str, Any] = {
        "type": "bar",
        "labels": [label for label, _rate in day.hours],
        "series": [{"name": _("Service level, %"), "values": [_hundred(rate) for _label, rate in day.hours], "tone": "ok"}],
        "min": 0,
        "max": 100,
    }
    if low == high:
        chart["target"] = {"value": round(low * 100), "label": percent(low)}
    return json.dumps(chart, ensure_ascii=False)


def _hundred(rate: Rate) -> float | None:
    return None if rate.value is None else round(rate.value * 100, 1)
