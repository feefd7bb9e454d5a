"""Saying no to automatic mail: a signed link in each (List-Unsubscribe, RFC 2369; one click, RFC 8058), respected before the next leaves.

It covers what nobody asked for, receipts and surveys. Answers of people and links that somebody requested leave as before.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from helpdesk import clock, db, links, web
from helpdesk.channels.email.models import OutgoingKind
from helpdesk.crm import consent
from helpdesk.crm.models import Identity, IdentityKind

PURPOSE = "unsubscribe"
VALID_DAYS = 3650.0
KINDS = (OutgoingKind.RECEIPT, OutgoingKind.SURVEY)
REFUSED = "The recipient asked for no automatic mail."


def link(address: str) -> str:
    """The address's own link."""
    return f"{web.settings().base_url}/unsubscribe/{links.sign(PURPOSE, address.lower())}"


def address_of(token: str) -> str:
    """Whom a link is for. Raises Gone."""
    return str(links.unsign(PURPOSE, token, valid_days=VALID_DAYS))


def refuse(address: str, *, refused: bool = True) -> None:
    """Send this address no automatic mail any more; or send it again."""
    db.session().execute(
        update(Identity)
        .where(Identity.kind == IdentityKind.EMAIL, Identity.value_norm == address.lower())
        .values(refuses_since=clock.now() if refused else None),
        execution_options={"synchronize_session": "evaluate"},
    )
    consent.by_address(address, given=not refused)


def refused(address: str) -> bool:
    """Whether this address asked for no automatic mail."""
    return db.session().scalar(_REFUSED, {"address": address.lower()}) is not None


#: Made once: every receipt and every survey asks.
_REFUSED = (
    select(Identity.id)
    .where(Identity.kind == IdentityKind.EMAIL, Identity.value_norm == bindparam("address"), Identity.refuses_since.is_not(None))
    .limit(1)
)
