"""What the customers' pages share: a form drawn again with what was typed and what is wrong with it, and words from the address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import make_response, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import web
from helpdesk.crm import queries, words
from helpdesk.errors import Conflict, HelpdeskError, Invalid

#: What a form page shows again with the person's words still in it.
REFUSALS = (Invalid, Conflict)


def page(template: str, wrong: HelpdeskError | None = None, **values: Any) -> Response:
    """A page; after a refusal with what was typed, the faults, and the refusal's status."""
    if wrong is None:
        return make_response(render_template(template, here="customers", form={}, errors={}, trouble="", **values))
    errors = wrong.fields if isinstance(wrong, Invalid) else {}
    trouble = wrong.detail or wrong.title
    shown = render_template(template, here="customers", form=request.form, errors=errors, trouble=trouble, **values)
    return make_response(shown, wrong.status)


def whole(word: str) -> int | None:
    """A number from the address, None for what is none."""
    return int(word) if word.isdigit() and len(word) < 10 else None


def sought() -> str:
    """What stands in the search box. No name has a NUL, and PostgreSQL takes none."""
    return request.args.get("q", "").replace("\x00", "").strip()[:200]


def moment(name: str) -> datetime | None:
    """A day and time as the reader's clock shows them; a day alone is its morning. Raises Invalid."""
    said = request.form.get(name, "").strip()
    if not said:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError as wrong:
        raise Invalid(fields={name: _("Please give a day, and a time if you like.")}) from wrong
    if len(said) <= 10:
        at = at.replace(hour=9)
    return (at if at.tzinfo else at.replace(tzinfo=zone())).astimezone(UTC)


#: What narrows a timeline in the address.
NARROWING = ("kind", "channel", "who", "since", "until")


def narrowed(asked: Mapping[str, str] | None = None) -> queries.Narrowed:
    """How the address (or what was sent) narrows a timeline; what it cannot mean is left out. Days are whole days of the reader's clock."""
    asked = request.args if asked is None else asked
    until = _day(asked.get("until", ""))
    return queries.Narrowed(
        kind=asked.get("kind", "") if asked.get("kind") in words.KINDS else "",
        channel=asked.get("channel", "") if asked.get("channel") in words.WAYS else "",
        user_id=whole(asked.get("who", "")),
        since=_at(_day(asked.get("since", ""))),
        until=_at(until + timedelta(days=1) if until is not None and until < date.max else until),
    )


def kept() -> dict[str, str]:
    """What of the address narrows a timeline, for its next page."""
    return {name: request.args[name] for name in NARROWING if request.args.get(name)}


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said) if len(said) == 10 else None
    except ValueError:
        return None


def _at(day: date | None) -> datetime | None:
    """Its midnight; None beyond the years that every database knows."""
    if day is None or not 1900 <= day.year < 9000:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=zone()).astimezone(UTC)


def zone() -> ZoneInfo:
    """The reader's time zone, or the desk's."""
    user = web.signed_in()
    return ZoneInfo((user.time_zone if user else "") or web.settings().time_zone)
