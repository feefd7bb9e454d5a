"""What stands under an answer: the agent's own signature, else their inbox's, with placeholders from a fixed dictionary."""

from __future__ import annotations

from helpdesk import db, placeholders
from helpdesk.agents.models import AgentProfile
from helpdesk.auth import User
from helpdesk.preferences import preferences
from helpdesk.tickets.inboxes import SIGNATURE_PLACEHOLDERS
from helpdesk.tickets.models import Inbox


def under(user: User | None, inbox: Inbox) -> str:
    """The signature of an answer that this person sends through this inbox; empty without one."""
    profile = db.session().get(AgentProfile, user.id) if user is not None else None
    written = (profile.signature.strip() if profile is not None else "") or inbox.signature.strip()
    values = dict.fromkeys(SIGNATURE_PLACEHOLDERS, "") | {
        "agent.name": user.name if user is not None else "",
        "agent.email": user.email if user is not None else "",
        "inbox.name": inbox.sender_name or inbox.name,
        "inbox.address": inbox.address or "",
        "company": preferences().company,
    }
    return placeholders.fill(written, values)
