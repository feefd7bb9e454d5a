"""The agents' words as people read them, in their language."""

from __future__ import annotations

import secrets
from typing import Any

from flask_babel import get_locale
from flask_babel import lazy_gettext as _

from helpdesk import web
from helpdesk.agents import emergencies, wrap_up
from helpdesk.agents.models import PresenceState, WrapUp
from helpdesk.auth import Role
from helpdesk.crm import policy as crm_policy
from helpdesk.crm import words as crm_words
from helpdesk.tickets import calendars
from helpdesk.tickets.models import Queue, Status, Ticket
from helpdesk.tickets.words import STATUS

PRESENCE = {
    PresenceState.AVAILABLE: _("Available"),
    PresenceState.AWAY: _("Away"),
    PresenceState.NOT_RESPONDING: _("Not responding"),
    PresenceState.WRAP_UP: _("Wrapping up"),
    PresenceState.OFFLINE: _("Offline"),
}
#: The class of the dot beside a name.
PRESENCE_DOT = {
    PresenceState.AVAILABLE: "ok",
    PresenceState.AWAY: "break",
    PresenceState.NOT_RESPONDING: "busy",
    PresenceState.WRAP_UP: "wrap",
    PresenceState.OFFLINE: "",
}
ROLE = {Role.ADMIN: _("Administrator"), Role.SUPERVISOR: _("Supervisor"), Role.AGENT: _("Agent"), Role.CUSTOMER: _("Customer")}
ACCEPTANCE = {"offer": _("Offered to one agent, who accepts"), "automatic": _("Assigned at once"), "pull": _("Agents take it themselves")}
WRAP_UP = {
    "none": _("None"),
    "optional": _("Optional, for a while"),
    "mandatory": _("Until a code is chosen"),
    "timed": _("So many seconds"),
}


def queue_name(queue: Queue) -> str:
    """A queue's name in the reader's language."""
    return queue.name_ru if str(get_locale() or "")[:2] == "ru" and queue.name_ru else queue.name


def closed_before(queue: Queue | None, ticket: Ticket) -> calendars.Closed | None:
    """The closed hours in which a ticket's clock stands still: those of now, or the next to come."""
    if queue is None or ticket.next_due_at is None or ticket.due_paused:
        return None
    return calendars.closed_before(queue, ticket.next_due_at)


def wrap_up_codes() -> list[tuple[int, str]]:
    """The codes a wrap-up can end with, in the reader's language."""
    russian = str(get_locale() or "")[:2] == "ru"
    return [(code.id, code.name_ru if russian and code.name_ru else code.name) for code in wrap_up.dispositions()]


def my_wrap_ups() -> list[tuple[WrapUp, Ticket]]:
    """What the reader has to wrap up."""
    return wrap_up.open_ones(web.principal().user_id or 0)


def queue_choices(queues: list[Queue]) -> list[tuple[int, str]]:
    """Queues for a select."""
    return [(queue.id, queue_name(queue)) for queue in queues]


def status_choices(choices: list[Status], now: Status) -> list[tuple[str, Any]]:
    """Statuses a person may choose, the present one included."""
    return [(status, STATUS[status]) for status in dict.fromkeys([now, *choices])]


def may_see_value() -> bool:
    """Whether the reader may see what a customer is worth: as the desk's preferences say."""
    return crm_policy.may_see_value(web.principal())


def form_key() -> str:
    """A key that makes a form sent twice one message."""
    return secrets.token_hex(12)


def upload_mb() -> int:
    return web.settings().max_upload_bytes // 2**20


TEMPLATE_WORDS: dict[str, Any] = {
    "PRESENCE": PRESENCE,
    "PRESENCE_DOT": PRESENCE_DOT,
    "ROLE": ROLE,
    "ACCEPTANCE": ACCEPTANCE,
    "WRAP_UP": WRAP_UP,
    "queue_name": queue_name,
    "closed_before": closed_before,
    "wrap_up_codes": wrap_up_codes,
    "my_wrap_ups": my_wrap_ups,
    "is_emergency": emergencies.is_one,
    "queue_choices": queue_choices,
    "status_choices": status_choices,
    "timeline_title": crm_words.title,
    "may_see_value": may_see_value,
    "form_key": form_key,
    "upload_mb": upload_mb,
}
