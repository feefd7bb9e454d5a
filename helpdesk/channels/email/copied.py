"""The people beside the sender in To and Cc: who takes part in a new request, and who was copied on an old one without taking part."""

from __future__ import annotations

import contextlib

from sqlalchemy import select

from helpdesk import db
from helpdesk.auth import STAFF, User
from helpdesk.channels.email import arrivals, belonging, colleagues
from helpdesk.channels.email.inboxes import Doors
from helpdesk.channels.email.mail import BULK, LIST, Mail
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.errors import Invalid
from helpdesk.tickets.models import Ticket

MAX_PARTICIPANTS = 20


def participants(mail: Mail, sender: Contact, doors: Doors) -> tuple[tuple[Contact, ...], bool]:
    """The people a new request was also sent to, and whether they were too many to be meant."""
    if mail.automatic in (LIST, BULK):
        return (), False
    others = list(dict.fromkeys(one.email.lower() for one in (*mail.to_addresses, *mail.cc_addresses)))
    others = [address for address in others if not doors.ours(address) and doors.find([address]) is None]
    if len(others) > MAX_PARTICIPANTS:
        return (), True
    names = {one.email.lower(): one.name for one in (*mail.to_addresses, *mail.cc_addresses)}
    colleagues = set(db.session().scalars(select(User.email).where(User.email.in_(others), User.role.in_(STAFF)))) if others else set()
    found: dict[int, Contact] = {}
    for address in others:
        if address in colleagues:
            continue
        with contextlib.suppress(Invalid):
            person = contacts.by_email(address, name=names[address], by=arrivals.DOOR)
            found[person.id] = person
    found.pop(sender.id, None)
    return tuple(found.values()), False


def others(mail: Mail, ticket: Ticket, doors: Doors) -> bool:
    """Whether a mail on a ticket went to somebody who has no part in it.

    They get none by being copied: that would show them its history.
    """
    others = {one.email.lower() for one in (*mail.to_addresses, *mail.cc_addresses)} - {mail.from_email.lower()}
    for address in sorted(others)[: MAX_PARTICIPANTS * 2]:
        if doors.ours(address) or doors.find([address]) is not None or colleagues.named(address) is not None:
            continue
        person = contacts.find_by_email(address)
        if person is None or not belonging.takes_part(ticket, person):
            return True
    return False
