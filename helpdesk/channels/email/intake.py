"""From an arrival to its fate: understood outside any transaction, accepted in one.

The path: `arrivals.store` made the bytes durable and owed this; `understanding` reads the mail, and then one transaction decides here: a
new ticket, a message on one, a note, a duplicate, or quarantine with the reason in plain words. Nothing is ever only dropped: whatever
happens, the ledger says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import bindparam, select

from helpdesk import clock, db, events
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.catalog import LargeMailStored, MailStored
from helpdesk.channels.email import (
    arrivals,
    belonging,
    claims,
    colleagues,
    copied,
    impostors,
    inboxes,
    marks,
    reports,
    senders,
    steps,
    trusted,
    turns,
    understanding,
    warnings,
)
from helpdesk.channels.email.mail import Mail
from helpdesk.channels.email.models import Arrival, ArrivalState, Outgoing
from helpdesk.channels.email.understanding import Understood
from helpdesk.crm import contacts, failing
from helpdesk.crm.models import Contact
from helpdesk.errors import Invalid
from helpdesk.events import Outside, reaction
from helpdesk.tickets import intake
from helpdesk.tickets.intake import Incoming, NewFile
from helpdesk.tickets.models import Channel, Inbox, Message, Ticket

NO_SENDER = "It names no sender, so nobody could be answered."
BAD_SENDER = "The sender's address cannot be used, so nobody could be answered."
FROM_OURSELVES = "It claims to come from one of our own addresses."
NO_INBOX = "There is no e-mail inbox that it could belong to. Add one, then try again."
CAME_BACK = "It is a mail of our own that came back."
SAME_MAIL = "The same mail had arrived before on another way; only its transport marks differ."


@reaction(MailStored, lane="hot", key=lambda fact: f"arrival:{fact.arrival_id}", name="mail.understand")
def understand_small(fact: MailStored) -> Outside | None:
    """Understand a small mail at once: a ticket, a message, a note or quarantine."""
    return _reading(fact.arrival_id, at_once=True)


@reaction(LargeMailStored, lane="io", key=lambda fact: f"arrival:{fact.arrival_id}", name="mail.understand_large")
def understand_large(fact: LargeMailStored) -> Outside | None:
    """Understand a big or intricate mail in a bounded process, where nobody waits behind it."""
    return _reading(fact.arrival_id)


def _reading(arrival_id: int, *, at_once: bool = False) -> Outside | None:
    """`at_once`: a mail that costs a moment to read and has no files is decided here, for less than a second transaction would cost."""
    arrival = arrivals.undecided(arrival_id)
    if arrival is None:
        return None
    if at_once and (brief := understanding.at_a_glance(arrival)) is not None:
        _accept(arrival, brief)
        return None

    checking = understanding.ours_to_check(arrival)

    def then(result: Understood | Exception) -> None:
        if isinstance(result, Exception):
            raise result  # the disk is away, say: tried again later, then parked where an administrator sees it
        accept(arrival_id, result)

    return Outside(call=lambda: understanding.understand(arrival, checking=checking), then=then)


def accept(arrival_id: int, understood: Understood) -> Arrival | None:
    """Decide a mail's fate, in the current transaction; None when it had been decided meanwhile. The ledger says what and why."""
    try:
        arrival = arrivals.undecided(arrival_id)
    except BaseException:
        understood.discard()
        raise
    if arrival is None:
        understood.discard()
        return None
    _accept(arrival, understood)
    return arrival


def _accept(arrival: Arrival, understood: Understood) -> None:
    """Decide the fate of an arrival that is locked and open."""
    try:
        steps.reached("decide")
        with _as_history(arrival, understood.mail) as at:
            _decide(arrival, understood, at)
        if understood.mail is not None:  # only now: the row is written once, with its fate
            arrival.subject, arrival.author = understood.mail.subject[:300], understood.mail.from_email[:320]
        db.session().flush()
        steps.reached("decided")
    except BaseException:
        understood.discard()
        raise
    if arrival.message_id is None:
        understood.discard()


@contextlib.contextmanager
def _as_history(arrival: Arrival, mail: Mail | None) -> Iterator[datetime | None]:
    """Imported mail happened when it says: nothing is scheduled, sent or pushed for it."""
    if not arrival.silent:
        yield None
        return
    at = min(mail.date, clock.now()) if mail is not None and mail.date is not None else arrival.received_at
    with events.history(at):
        yield at


def _decide(arrival: Arrival, understood: Understood, at: datetime | None) -> None:
    mail = understood.mail
    if mail is None:
        arrivals.quarantine(arrival, understood.failure)
        return
    if _is_ours(mail.message_id):
        arrivals.decide(arrival, ArrivalState.REFUSED, CAME_BACK)
        return
    turns.take(mail.message_id, f"from:{mail.from_email.lower()}")  # the same mail on two ways, a new sender's first two mails
    doors = inboxes.doors()
    addresses = _addresses(arrival, mail)
    if mail.opens_nothing:
        _automatic(arrival, mail, understood.our_ids, addresses, at)
        return
    if not mail.from_email:
        arrivals.quarantine(arrival, NO_SENDER)
        return
    if doors.ours(mail.from_email):
        arrivals.quarantine(arrival, FROM_OURSELVES)
        return
    inbox = _inbox(arrival, doors, addresses)
    if inbox is None:
        arrivals.quarantine(arrival, NO_INBOX)
        return
    try:
        sender = contacts.by_email(mail.from_email, name=mail.from_display_name, language=mail.language or "", by=arrivals.DOOR)
    except Invalid:
        arrivals.quarantine(arrival, BAD_SENDER)
        return
    colleague = colleagues.named(mail.from_email)
    if colleague is not None and _by_colleague(arrival, colleague, mail, understood, inbox, addresses):
        return
    twins = _same_id(mail)
    if any(_same_words(twin, sender, mail, understood) for twin in twins):
        twin = next(twin for twin in twins if _same_words(twin, sender, mail, understood))
        arrivals.decide(arrival, ArrivalState.DUPLICATE, SAME_MAIL, ticket_id=twin.ticket_id)
        return
    _take_in(arrival, inbox, sender, understood, doors, addresses, at, twins=bool(twins), colleague=colleague is not None)


def _take_in(
    arrival: Arrival,
    inbox: Inbox,
    sender: Contact,
    understood: Understood,
    doors: inboxes.Doors,
    addresses: list[str],
    at: datetime | None,
    *,
    twins: bool,
    colleague: bool,
) -> None:
    """A person wrote (or a newsletter did): a message on their ticket, or a new one.

    `twins`: there are messages with the same Message-ID; `colleague`: the sender's address is a colleague's.
    """
    mail = understood.mail
    assert mail is not None
    believed = doors.believed.get(inbox.id) if inbox.id in doors.rows else trusted.authserv_id(inbox.id)
    checks = senders.judge(mail, believed or "", understood.signers, understood.spf)
    suspicious = [*warnings.about(mail, checks), *impostors.about(mail, doors)]
    if sender.bounce_note and not mail.automatic:
        failing.trust_again(sender, by=arrivals.DOOR, address=mail.from_email)
    belongs = belonging.find(mail, sender, addresses, forged=warnings.FORGED_SENDER in suspicious)
    said = [*suspicious, *belongs.warnings]
    if colleague:
        said.append(warnings.COLLEAGUE_UNPROVEN if not checks.proven else "")
    if twins or arrival.conflicting:
        said.append(warnings.SAME_ID)
    if len(mail.attachments) > understanding.MAX_FILES:
        said.append(warnings.ODD_MAIL)
    people: tuple[Contact, ...] = ()
    if belongs.ticket is not None:
        if copied.others(mail, belongs.ticket, doors):
            said.append(warnings.OTHERS_COPIED)
    else:
        people, too_many = copied.participants(mail, sender, doors)
        if too_many:
            said.append(warnings.MANY_PEOPLE)
    incoming = _incoming(mail, sender, understood.files, people, said, at, checks)
    by = Actor("contact", sender.id, via="import" if arrival.silent else "email")
    if belongs.ticket is not None:
        message = intake.append(belongs.ticket, incoming, by=by)
        arrivals.decide(arrival, ArrivalState.THREADED, ticket_id=belongs.ticket.id, message_id=message.id)
    else:
        ticket, message = intake.receive(incoming, inbox, by=by, linked_to=belongs.linked_to)
        arrivals.decide(arrival, ArrivalState.ACCEPTED, ticket_id=ticket.id, message_id=message.id)
        if belongs.meant is not None and not arrival.silent:
            claims.ask(belongs.meant, ticket, message, sender)


def _by_colleague(arrival: Arrival, user: User, mail: Mail, understood: Understood, inbox: Inbox, addresses: list[str]) -> bool:
    """Whether a colleague wrote from their own mail program and it was taken in as theirs."""
    if arrival.silent:
        return False
    checks = senders.judge(mail, trusted.authserv_id(inbox.id), understood.signers, understood.spf)
    if not checks.proven:
        return False
    return colleagues.take(arrival, user, mail, understood.files, checks, addresses)


def _automatic(arrival: Arrival, mail: Mail, our_ids: list[str], addresses: list[str], at: datetime | None) -> None:
    """Nobody wrote this: a report leaves a note; somebody's holiday reply is shown on the ticket it answers, which it does not reopen."""
    sender = contacts.find_by_email(mail.from_email) if mail.from_email else None
    if mail.automatic not in reports.KINDS and sender is not None:
        ticket: Ticket | None = belonging.find(mail, sender, addresses).ticket
        if ticket is not None:
            if any(_same_words(twin, sender, mail, Understood(mail)) for twin in _same_id(mail)):
                arrivals.decide(arrival, ArrivalState.DUPLICATE, SAME_MAIL, ticket_id=ticket.id)
                return
            by = Actor("contact", sender.id, via="email")
            message = intake.append(ticket, _incoming(mail, sender, (), (), warnings.about(mail), at), by=by)
            arrivals.decide(arrival, ArrivalState.THREADED, ticket_id=ticket.id, message_id=message.id)
            return
    reports.note(arrival, mail, our_ids)


def _incoming(
    mail: Mail,
    sender: Contact,
    kept: tuple[NewFile, ...],
    people: tuple[Contact, ...],
    said: list[str],
    at: datetime | None,
    checks: senders.Checks | None = None,
) -> Incoming:
    text, html, quote = mail.reply_text, mail.reply_html, mail.quote_text
    if not text.strip() and not html.strip():  # all of it is a quotation: somebody forwarded something without a word
        text, html, quote = mail.body_text, mail.body_html, ""
    return Incoming(
        contact=sender,
        text=text,
        channel=Channel.EMAIL,
        subject=mail.subject,
        html=html,
        quote=quote,
        language=mail.language or "",
        header_id=_fitting(mail.message_id),
        in_reply_to=_fitting(mail.in_reply_to),
        automatic=(mail.automatic or "")[:20],
        files=kept,
        participants=people,
        warnings=tuple(dict.fromkeys(sentence for sentence in said if sentence)),
        at=at,
        sender_checks=checks.kept() if checks is not None else {},
    )


def _fitting(header_id: str) -> str | None:
    return header_id if 0 < len(header_id) <= 300 else None


def _addresses(arrival: Arrival, mail: Mail) -> list[str]:
    """Everything the mail was sent to: the envelope, then To, Cc and what servers noted on the way."""
    named = [one.email for one in (*mail.to_addresses, *mail.cc_addresses)][:100]
    return list(dict.fromkeys([*(str(one) for one in arrival.recipients), *named, *mail.delivered_to]))


def _inbox(arrival: Arrival, doors: inboxes.Doors, addresses: list[str]) -> Inbox | None:
    """Where it was delivered; else whom it was sent to; else the first inbox there is."""
    session = db.session()
    found = doors.find(addresses)
    inbox_id = arrival.inbox_id or (found[0] if found else next(iter(sorted([*doors.exact.values(), *doors.all_of.values()])), None))
    inbox = doors.rows.get(inbox_id) or session.get(Inbox, inbox_id) if inbox_id is not None else None
    if inbox is not None:
        arrival.inbox_id = inbox.id
    return inbox


def _is_ours(header_id: str) -> bool:
    """Whether a mail of this desk bears this Message-ID. All of ours are marked, so that only marked ones need looking up."""
    if marks.in_message_id(header_id) is None:
        return False
    return db.session().scalar(select(Outgoing.id).where(Outgoing.header_id == header_id)) is not None


def _same_id(mail: Mail) -> list[Message]:
    """Messages that came with the same Message-ID."""
    if not _fitting(mail.message_id):
        return []
    return list(db.session().scalars(_SAME_ID, {"header": mail.message_id}))


#: Made once: every mail asks.
_SAME_ID = select(Message).where(Message.header_id == bindparam("header")).order_by(Message.id).limit(20)


def _same_words(twin: Message, sender: Contact, mail: Mail, understood: Understood) -> bool:
    """Whether a message is this very mail, come on another way: same sender, same words, same files."""
    from helpdesk.tickets.models import Attachment as Kept

    said = _incoming(mail, sender, (), (), [], None)
    if twin.contact_id != sender.id or twin.text != said.text or twin.quote != said.quote:
        return False
    if understood.files or mail.attachments:
        theirs = sorted(db.session().scalars(select(Kept.sha256).where(Kept.message_id == twin.id)))
        return theirs == sorted(file.stored.sha256 for file in understood.files)
    return True
