"""Preferences: how this desk works, in an administrator's words and units."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, flash, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from helpdesk import web
from helpdesk.agents import reordering
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, page, saved_and_follows
from helpdesk.agents.models import Reordering
from helpdesk.catalog import BoostsChanged, SettingsChanged
from helpdesk.crm import money
from helpdesk.errors import HelpdeskError, Invalid, Words
from helpdesk.events import record
from helpdesk.preferences import prefer, preferences
from helpdesk.versions import Stale

#: Preferences that other screens change.
ELSEWHERE = frozenset(
    "interrupts wall_epoch look phone_region value_seen_by exported_by customers_seen erasure_wait_days retention".split()
)
LANGUAGES = {"en": "English", "ru": "Русский"}


@dataclass(frozen=True)
class Setting:
    """One number, yes-or-no, or line of text on the screen. `unit`: how many stored units one of the screen's is (a minute: 60 seconds)."""

    name: str
    words: Words
    hint: Words = ""
    least: int = 0
    most: int = 0
    unit: float = 1


NUMBERS = (
    Setting("undo_s", lazy_gettext("Undo time for replies, in seconds"), lazy_gettext("A reply leaves only after this time."), 0, 60),
    Setting(
        "survey_delay_s",
        lazy_gettext("Ask how it was after so many minutes"),
        lazy_gettext("Counted from the moment a ticket is solved."),
        0,
        7 * 24 * 60,
        60,
    ),
    Setting("survey_quiet_days", lazy_gettext("Ask the same customer again only after so many days"), "", 0, 365),
    Setting("survey_valid_days", lazy_gettext("A survey can be answered for so many days"), "", 1, 365),
    Setting(
        "minute_cents",
        lazy_gettext("What a minute of our time costs, in cents"),
        lazy_gettext("Of the desk's currency; goes into what customers are worth. 0: not counted."),
        0,
        100_000,
    ),
    Setting("winning_cents", lazy_gettext("What winning a customer costs, in cents"), "", 0, 100_000_000),
    Setting("reply_s", lazy_gettext("A written answer takes so many minutes"), "", 0, 240, 60),
    Setting(
        "discount", lazy_gettext("Discount of a year, in percent"), lazy_gettext("How much less next year's money counts."), 0, 50, 0.01
    ),
    Setting("call_back_hours", lazy_gettext("Call a customer who rated badly within so many hours"), "", 1, 240),
    Setting(
        "link_valid_days",
        lazy_gettext("Links to a ticket work for so many days"),
        lazy_gettext("Each mail to the customer carries a fresh one."),
        1,
        730,
    ),
    Setting(
        "exclusion_s",
        lazy_gettext("Do not offer a declined ticket to the same agent for so many seconds"),
        "",
        0,
        86400,
    ),
    Setting(
        "hold_ticket_s",
        lazy_gettext("A ticket waits so many minutes for the agent who answered this customer last"),
        lazy_gettext("Not for somebody who is offline, lacks the skills or declined. A queue may say otherwise. 0: not at all."),
        0,
        7 * 24 * 60,
        60,
    ),
    Setting("hold_live_s", lazy_gettext("A chat or a call waits so many seconds for that agent"), "", 0, 300),
    Setting(
        "boost_high_s",
        lazy_gettext("High priority counts so many minutes before its deadline"),
        lazy_gettext("Boosts put work earlier in line; they never let it pass work that has waited that much longer."),
        0,
        24 * 60,
        60,
    ),
    Setting("boost_urgent_s", lazy_gettext("Urgent priority counts so many minutes before its deadline"), "", 0, 24 * 60, 60),
    Setting(
        "boost_value_s",
        lazy_gettext("The most valuable customers count so many minutes earlier"),
        lazy_gettext("Others by their tier, in proportion."),
        0,
        24 * 60,
        60,
    ),
    Setting(
        "boost_largest_s",
        lazy_gettext("All boosts together count at most so many minutes"),
        lazy_gettext("Work that waits follows at once."),
        0,
        24 * 60,
        60,
    ),
    Setting(
        "presence_ttl_s",
        lazy_gettext("An agent whose screen is silent counts as offline after so many seconds"),
        "",
        30,
        600,
    ),
    Setting(
        "close_after_days",
        lazy_gettext("Close solved tickets after so many days"),
        lazy_gettext("Writing later opens a new ticket."),
        1,
        365,
    ),
    Setting(
        "deflection_hours",
        lazy_gettext("Hours without a request after which a search counts as answered"),
        lazy_gettext("In the figures of the knowledge base; what readers confirmed counts apart."),
        1,
        336,
    ),
    Setting("csat_target", lazy_gettext("Satisfaction target, in percent"), "", 1, 100, 0.01),
)
SWITCHES = (
    Setting(
        "acknowledge",
        lazy_gettext("Confirm each new request by mail"),
        lazy_gettext("At most once an hour and three times a day to an address."),
    ),
)
MONEY = (
    Setting("currency", lazy_gettext("The desk's currency"), lazy_gettext("Three letters, such as EUR."), 3, 3),
    Setting(
        "rates",
        lazy_gettext("What one unit of other currencies is worth in it"),
        lazy_gettext(
            "Such as: RUB 0.011, USD 0.92. Orders in a currency that does not stand here are left out of the figures, and counted."
        ),
        0,
        300,
    ),
)
COMPANY = Setting("company", lazy_gettext("Name of the company or desk"), lazy_gettext("Stands on every page and in every mail."), 1, 80)
TEXTS = (COMPANY, *MONEY)


@bp.get("/preferences", endpoint="preferences")
def shown() -> Response:
    return _page()


@bp.post("/preferences")
def change_preferences() -> Response:
    try:
        changed = _read()
        if request.form.get("version") != _stamp():
            raise Stale(_("Somebody saved a change while you were looking. Your entries are still here: compare, then save again."))
        if changed:
            prefer(**changed)
            record(SettingsChanged(web.current_actor(), what="preferences"))
        if reordered := any(name.startswith("boost_") for name in changed):
            record(BoostsChanged(web.current_actor()))
    except REFUSALS as wrong:
        return _page(wrong)
    flash(saved_and_follows(reordering.waits() if reordered else 0))
    return web.see("/admin/preferences")


@bp.get("/reorderings/<int:walk_id>")
def reordering_state(walk_id: int) -> str:
    """How far waiting work has followed a change: the part of a page that moves."""
    return render_template("admin/_reordering_state.html", walk=find(Reordering, walk_id))


def _read() -> dict[str, Any]:
    """What differs from what is stored. Raises Invalid with every fault at once."""
    now = asdict(preferences())
    faults: dict[str, Words] = {}
    values: dict[str, Any] = {}
    for text in TEXTS:
        value = " ".join(request.form.get(text.name, "").split())
        if not text.least <= len(value) <= text.most:
            faults[text.name] = _("Please write from %(least)s to %(most)s characters.", least=text.least, most=text.most)
        elif text.name in money.FORMS and not money.FORMS[text.name](value):
            faults[text.name] = _("This is not understood. Compare the example.")
        values[text.name] = value
    for number in _shown_numbers(now):
        typed = request.form.get(number.name, "").strip()
        if not typed.isdigit() or len(typed) > 9 or not number.least <= int(typed) <= number.most:
            faults[number.name] = _("Please give a number from %(least)s to %(most)s.", least=number.least, most=number.most)
            continue
        values[number.name] = type(now[number.name])(round(int(typed) * number.unit, 4))
    for switch in SWITCHES:
        values[switch.name] = request.form.get(switch.name) == "1"
    values["languages"] = tuple(language for language in LANGUAGES if language in request.form.getlist("languages"))
    if not values["languages"]:
        faults["languages"] = _("Please choose at least one language.")
    if faults:
        raise Invalid(fields=faults)
    return {name: value for name, value in values.items() if value != now[name]}


def _page(wrong: HelpdeskError | None = None) -> Response:
    now = asdict(preferences())
    return page(
        "admin/preferences.html",
        wrong,
        texts=TEXTS,
        numbers=_shown_numbers(now),
        switches=SWITCHES,
        languages=LANGUAGES,
        walk=reordering.running(),
        now={**now, **{number.name: round(now[number.name] / number.unit) for number in _shown_numbers(now)}},
        version=_stamp(),
    )


def _shown_numbers(now: dict[str, Any]) -> list[Setting]:
    return [number for number in NUMBERS if number.name in now]


def _stamp() -> str:
    """What stands for a version here: the values themselves."""
    return hashlib.sha256(json.dumps(asdict(preferences()), sort_keys=True, default=str).encode()).hexdigest()[:16]
