"""Writing down a contact with a customer that no channel brought in: a call, a meeting, a letter, a visit, and what follows from it."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import InteractionAdded
from helpdesk.crm import timeline
from helpdesk.crm.models import Contact, Interaction
from helpdesk.errors import Invalid
from helpdesk.events import record

#: What people write down by hand; the rest of the timeline is written by what happens.
KINDS = ("call", "meeting", "letter", "visit")
CHANNELS = {"call": "phone", "meeting": "meeting", "letter": "letter", "visit": "visit"}
LONGEST = 10_000


def add(
    contact: Contact,
    kind: str,
    *,
    by: Actor,
    text: str,
    title: str = "",
    direction: str = "out",
    at: datetime | None = None,
    minutes: int | None = None,
    decision: str = "",
    next_step: str = "",
    next_at: datetime | None = None,
    key: str = "",
    external_id: str | None = None,
) -> Interaction:
    """Add an entry to a customer's timeline.

    direction: "in" when the customer came to us. at: when it was, now if not given. key: makes a form sent twice one entry; external_id:
    the entry's id in another system, which nothing else has. Raises Invalid with every fault at once: an unknown kind, nothing said, a
    moment to come, a next step without a day or the reverse.
    """
    if key and (twin := _twin(contact, key)):
        return twin
    faults = {}
    if kind not in KINDS:
        faults["kind"] = _("Choose what it was.")
    if direction not in ("in", "out"):
        faults["direction"] = _("Choose who came to whom.")
    text, title = text.strip(), " ".join(title.split())
    if not text and not title:
        faults["text"] = _("Write down what was said.")
    if len(text) > LONGEST:
        faults["text"] = _("Please shorten this to %(n)s characters.", n=LONGEST)
    now = clock.now()
    if at is not None and at > now + timedelta(minutes=5):
        faults["at"] = _("This has not happened yet. Write it down as a next step.")
    if next_at is not None and not next_step.strip():
        faults["next_step"] = _("Say what is to be done then.")
    if next_step.strip() and next_at is None:
        faults["next_at"] = _("Say when it is to be done.")
    if minutes is not None and not 0 <= minutes <= 24 * 60:
        faults["minutes"] = _("Please give a number from %(least)s to %(most)s.", least=0, most=24 * 60)
    if faults:
        raise Invalid(fields=faults)
    made = timeline.note(
        contact.id,
        kind,
        at=min(at or now, now),
        channel=CHANNELS[kind],
        direction=direction,
        organization_id=contact.organization_id,
        user_id=by.user_id,
        title=title[:300],
        text=text,
        decision=decision.strip()[:LONGEST],
        next_step=" ".join(next_step.split())[:300],
        next_at=next_at,
        next_who_id=by.user_id if next_at is not None else None,
        duration_s=minutes * 60 if minutes is not None else None,
        external_id=_stored(contact, key) if key else external_id,
    )
    db.session().flush()
    record(InteractionAdded(contact.id, made.id, kind, by, organization_id=contact.organization_id))
    return made


def _twin(contact: Contact, key: str) -> Interaction | None:
    return db.session().scalar(select(Interaction).where(Interaction.external_id == _stored(contact, key)))


def _stored(contact: Contact, key: str) -> str:
    return f"form:{contact.id}:{key}"[:120]
