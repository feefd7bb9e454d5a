"""The agents' words as people read them, in their language."""

from __future__ import annotations

from typing import Any

from flask_babel import get_locale
from flask_babel import lazy_gettext as _

from helpdesk.agents.models import PresenceState
from helpdesk.auth import Role
from helpdesk.tickets.models import Queue

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


def queue_name(queue: Queue) -> str:
    """A queue's name in the reader's language."""
    return queue.name_ru if str(get_locale() or "")[:2] == "ru" and queue.name_ru else queue.name


TEMPLATE_WORDS: dict[str, Any] = {
    "PRESENCE": PRESENCE,
    "PRESENCE_DOT": PRESENCE_DOT,
    "ROLE": ROLE,
    "ACCEPTANCE": ACCEPTANCE,
    "queue_name": queue_name,
}
