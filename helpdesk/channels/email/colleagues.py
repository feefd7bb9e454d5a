"""A colleague answers from their own mail program: their answer if everything is proven, a note if it is not meant for sure.

Proven means: the sender's domain vouches for the mail (`senders`), and it bears a mark of ours, in the address it goes to or in the
Message-ID it answers. With the proof but without the mark it becomes a note; without the proof it is a stranger's mail with a warning
(see `intake`), because anybody can write a colleague's address.
"""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.agents.queries import principal_of
from helpdesk.auth import STAFF, User
from helpdesk.channels.email import arrivals, belonging, warnings
from helpdesk.channels.email.mail import Mail
from helpdesk.channels.email.models import Arrival, ArrivalState, Outgoing
from helpdesk.channels.email.senders import Checks
from helpdesk.errors import Conflict, Invalid
from helpdesk.tickets import policy, thread
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Message, MessageKind, Status, Ticket

ANSWERED = "A colleague answered from their own mail program."
NOTED = "A colleague's mail about a ticket; kept there as a note."
SAME = "This answer of a colleague had arrived before."


def named(address: str) -> User | None:
    """The colleague with this address, if one works here now."""
    if "@" not in address:
        return None
    return db.session().scalar(_BY_ADDRESS, {"address": address.strip().lower()})


#: Made once: every mail asks.
_BY_ADDRESS = select(User).where(func.lower(User.email) == bindparam("address"), User.role.in_(STAFF), User.active).limit(1)


def take(arrival: Arrival, user: User, mail: Mail, files: tuple[NewFile, ...], checks: Checks, addresses: list[str]) -> bool:
    """Take in the mail of a colleague who is proven to have written it; false when it is about no ticket they work on."""
    who = principal_of(user)
    for ticket, marked in _tickets(mail, addresses):
        if not policy.may(who, "note", ticket):
            continue
        twin = _twin(ticket, user, mail)
        if twin is not None:
            arrivals.decide(arrival, ArrivalState.DUPLICATE, SAME, ticket_id=ticket.id)
            return True
        text = mail.reply_text if mail.reply_text.strip() else mail.body_text
        message, said = _write(ticket, text[: thread.LONGEST], user, mail, files, answer=marked and policy.may(who, "reply", ticket))
        if message is None:
            return False
        message.header_id = mail.message_id if 0 < len(mail.message_id) <= 300 else None
        message.warnings = [*([said] if said else []), *warnings.about(mail, checks)]
        message.sender_checks = dict(checks.kept())
        why = ANSWERED if message.kind is MessageKind.REPLY else NOTED
        arrivals.decide(arrival, ArrivalState.THREADED, why, ticket_id=ticket.id, message_id=message.id)
        return True
    return False


def _write(ticket: Ticket, text: str, user: User, mail: Mail, files: tuple[NewFile, ...], *, answer: bool) -> tuple[Message | None, str]:
    """The answer, or the note and why it is only one; nothing when there is nothing to write."""
    by = Actor("user", user.id, via="email")
    said = warnings.COLLEAGUE_NOTED
    try:
        if answer and ticket.status is not Status.CLOSED:
            if _saw_the_newest(ticket, mail):
                return thread.reply(ticket, text, by=by, files=files), ""
            said = warnings.COLLEAGUE_TOO_LATE
        return thread.note(ticket, text, by=by, files=files), said
    except (Invalid, Conflict):
        return None, ""


def _tickets(mail: Mail, addresses: list[str]) -> list[tuple[Ticket, bool]]:
    """The tickets a mail refers to, the surest first, and whether a genuine mark of ours says so."""
    found: dict[int, tuple[Ticket, bool]] = {}
    for ticket_id, claim in belonging.claims(mail, addresses, []):
        ticket = belonging.standing(ticket_id)
        if ticket is not None:
            found.setdefault(ticket.id, (ticket, claim == "mark"))
    return list(found.values())


def _saw_the_newest(ticket: Ticket, mail: Mail) -> bool:
    """Whether nothing has come since the mail that this one answers. One that names no mail we know has seen all there was."""
    session = db.session()
    answered = [header_id for header_id in (mail.in_reply_to, *reversed(mail.references)) if header_id][:5]
    known: list[int] = []
    for header_id in answered:
        ours = session.scalar(select(Outgoing.message_id).where(Outgoing.header_id == header_id, Outgoing.ticket_id == ticket.id))
        theirs = session.scalar(select(Message.id).where(Message.header_id == header_id, Message.ticket_id == ticket.id).limit(1))
        known += [number for number in (ours, theirs) if number is not None]
        if known:
            break
    if not known:
        return True
    newer = select(Message.id).where(
        Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND, Message.automatic == "", Message.id > max(known)
    )
    return session.scalar(newer.limit(1)) is None


def _twin(ticket: Ticket, user: User, mail: Mail) -> Message | None:
    if not mail.message_id:
        return None
    same = select(Message).where(Message.header_id == mail.message_id[:300], Message.ticket_id == ticket.id, Message.user_id == user.id)
    return db.session().scalar(same.limit(1))
