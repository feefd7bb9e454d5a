"""The outbox on its way: when a mail's time has come, it is handed to the mail server, and the server's words are kept.

Three steps, so that no transaction waits for a network: claim and read (commit), hand over, write what became of it (commit). A claim moves
`not_before` past the longest that the try can take: whoever finds the row before then leaves it alone, and a sender that died is followed
by another right after. A mail that could not leave is tried again with growing pauses for three days, then stands in the outbox as failed.
Without a mail server it waits, visibly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Integer, bindparam, select, update

from helpdesk import clock, db, smtp, vault, web
from helpdesk.catalog import MailDelayed, MailFailed, MailQueued, MailSent, SettingsChanged
from helpdesk.channels.email import answers, compose, handover, inboxes, link_mails, marks, outbox, reports, unsubscribing
from helpdesk.channels.email.arrivals import DOOR
from helpdesk.channels.email.fates import tell_message
from helpdesk.channels.email.models import Outgoing, OutgoingKind, OutgoingState
from helpdesk.deliveries import backoff
from helpdesk.errors import Unavailable
from helpdesk.events import Outside, reaction, record
from helpdesk.preferences import preferences
from helpdesk.tickets.models import DeliveryState, Inbox, Message

NO_SERVER = "No mail server is set up; the mail waits here."
UNREADABLE = "The address of the inbox's mail server can no longer be read: enter it again. The mail waits here."
GAVE_UP = "Given up after three days of tries."
GIVE_UP_AFTER = timedelta(days=3)
#: Between the end of the longest try and the next sender's turn.
MARGIN_S = 5.0

_AUTOMATIC = {OutgoingKind.RECEIPT: "auto-replied", OutgoingKind.REPLY: ""}


def _until_due(fact: MailQueued) -> timedelta:
    told = datetime.fromisoformat(fact.not_before) if fact.not_before else db.session().get_one(Outgoing, fact.outgoing_id).not_before
    return max(timedelta(), told - clock.now())


@reaction(
    MailQueued,
    lane="io",
    delay=_until_due,
    key=lambda fact: f"outgoing:{fact.outgoing_id}",
    newcomer="advance",
    when=lambda fact: not fact.at_once,
    name="mail.send",
)
def send(fact: MailQueued) -> Outside | None:
    """Hand a mail to the mail server once its time has come, unless it was taken back."""
    row, inbox = db.session().execute(_MAIL, {"id": fact.outgoing_id}).first() or (None, None)
    if row is None or row.state not in (OutgoingState.WAITING, OutgoingState.SENDING):
        return None
    if _taken_back(row):
        row.state = OutgoingState.WITHDRAWN
        return None
    if _declined(row):
        return None
    if row.not_before > clock.now():  # moved meanwhile, or somebody is sending it
        record(MailQueued(row.id, DOOR, ticket_id=row.ticket_id))
        return None
    return _outside(row, _claim(row, inbox))


def leave_at_once(row: Outgoing, inbox: Inbox | None) -> Outside | None:
    """Put a new mail that nobody takes back into the outbox and hand it over, without a delivery of its own.

    Should this process die meanwhile, whoever runs the caller's delivery again finds the row, and owes it (`owe`).
    """
    claimed = None if _declined(row) else _claim(row, inbox)
    outbox.queue(row, at_once=True)
    return _outside(row, claimed)


def owe(outgoing_id: int) -> None:
    """Somebody began with this mail and may have died: `send` sees to it, once their try has ended for certain."""
    row = db.session().get_one(Outgoing, outgoing_id)
    if row.state in (OutgoingState.WAITING, OutgoingState.SENDING):
        record(MailQueued(row.id, DOOR, ticket_id=row.ticket_id))


@dataclass(frozen=True)
class _Claimed:
    """A try that is ours until `patience` is over, and how it is made."""

    call: Callable[[], handover.Answer]
    patience: timedelta


def _claim(row: Outgoing, inbox: Inbox | None) -> _Claimed | None:
    """Note that a mail is leaving now; None where there is no way for it, which is noted instead."""
    server, obstacle = _way(inbox)
    if server is None:
        _hold(row, obstacle)
        return None
    now = clock.now()
    letter, sender, recipient = _letter(row, inbox), inboxes.from_address(inbox, web.settings().mail_from), row.recipient
    within_s = handover.limit_s(_size(letter))
    patience = timedelta(seconds=within_s + MARGIN_S)
    row.state, row.tried_at, row.attempts, row.not_before = OutgoingState.SENDING, now, (row.attempts or 0) + 1, now + patience
    return _Claimed(lambda: handover.deliver(server, sender, recipient, compose.wire(letter), within_s=within_s), patience)


def _outside(row: Outgoing, claimed: _Claimed | None) -> Outside | None:
    if claimed is None:
        return None
    outgoing_id, attempt = row.id, row.attempts
    return Outside(call=claimed.call, then=lambda answer: _finish(outgoing_id, attempt, answer), patience=claimed.patience)


#: A mail, locked, with the inbox it leaves from; made once: each try asks.
_MAIL = (
    select(Outgoing, Inbox)
    .outerjoin(Inbox, Inbox.id == Outgoing.inbox_id)
    .where(Outgoing.id == bindparam("id", type_=Outgoing.id.type))
    .with_for_update(of=Outgoing)
    .execution_options(populate_existing=True)
)


def server_of(inbox: Inbox | None) -> smtp.MailServer | None:
    """The mail server for an inbox's mail: its own, else the desk's; None without any. Raises Unavailable for an unreadable password."""
    url = (vault.unseal(inbox.smtp_url) if inbox is not None else "") or web.settings().smtp_url
    return smtp.read(url) if url else None


def _way(inbox: Inbox | None) -> tuple[smtp.MailServer | None, str]:
    """The mail server for an inbox's mail, or why there is none."""
    try:
        server = server_of(inbox)
    except (Unavailable, ValueError):
        return None, UNREADABLE
    return server, "" if server else NO_SERVER


#: Made once: whenever a mail left it is asked.
_HELD = (
    select(Outgoing)
    .where(
        Outgoing.state == OutgoingState.WAITING,
        Outgoing.server_words.in_((NO_SERVER, UNREADABLE)),
        Outgoing.not_before <= bindparam("now", type_=Outgoing.not_before.type),
    )
    .order_by(Outgoing.id)
    .limit(bindparam("most", type_=Integer))
)


def wake_held(limit: int = 200) -> int:
    """Queue mails that wait for a mail server although there is one now; how many. Called when one was set up, and whenever a mail left."""
    rows = db.session().scalars(_HELD, {"now": clock.now(), "most": limit})
    woken = 0
    for row in rows:
        inbox = db.session().get(Inbox, row.inbox_id) if row.inbox_id is not None else None
        if _way(inbox)[0] is not None:
            row.server_words = ""
            record(MailQueued(row.id, DOOR, ticket_id=row.ticket_id))
            woken += 1
    return woken


@reaction(SettingsChanged, lane="io", key=lambda fact: f"held:{fact.what}", name="mail.server_set_up")
def server_set_up(fact: SettingsChanged) -> None:
    """An inbox may have a mail server now: what waits for one leaves."""
    if fact.what.startswith("inbox:"):
        wake_held()


def _letter(row: Outgoing, inbox: Inbox | None) -> compose.Letter:
    """Everything the mail is made of, read now; written to bytes later, outside."""
    from_address = inboxes.from_address(inbox, web.settings().mail_from)
    about = row.ticket_id is not None and row.contact_id is not None
    marked = about and (inboxes.owns(inbox, from_address) or inboxes.doors().ours(from_address))
    along = answers.files_of(row.message_id, inbox)[0] if row.kind is OutgoingKind.REPLY and row.message_id is not None else []
    words = link_mails.sign_in_words(row) if row.kind is OutgoingKind.SIGN_IN else compose.Words(row.subject, row.body_text, row.body_html)
    return compose.Letter(
        header_id=row.header_id,
        at=row.created_at,
        from_name=(inbox.sender_name if inbox is not None else "") or preferences().company,
        from_address=from_address,
        to=row.to,
        cc=row.cc,
        reply_to=marks.reply_address(from_address, row.ticket_id or 0, row.contact_id or 0) if marked else "",
        words=words,
        in_reply_to=row.in_reply_to,
        references=row.references,
        automatic=_AUTOMATIC.get(row.kind, "auto-generated"),
        language=row.language,
        unsubscribe=unsubscribing.link(row.recipient) if row.kind in unsubscribing.KINDS else "",
        files=tuple(compose.File(file.object_key, file.name, file.content_type, file.size) for file in along),
    )


def _size(letter: compose.Letter) -> int:
    """About as many bytes as will cross the wire."""
    return len(letter.words.text) + len(letter.words.html) + sum(file.size * 3 // 2 for file in letter.files)


def _finish(outgoing_id: int, attempt: int, answer: handover.Answer | Exception) -> None:
    """Write what became of a try, unless another one has begun meanwhile."""
    if isinstance(answer, Exception):  # a missing file, a header that cannot be written: somebody must look
        answer = handover.Answer(handover.Verdict.REFUSED, f"{type(answer).__name__}: {answer}")
    if answer.verdict is handover.Verdict.TAKEN:
        _taken(outgoing_id, attempt, answer)
        return
    row = db.session().get(Outgoing, outgoing_id, with_for_update=True, populate_existing=True)
    if row is None or row.state is not OutgoingState.SENDING or row.attempts != attempt:
        return
    row.server_words = answer.words[:1000]
    if answer.verdict is handover.Verdict.LATER and clock.now() - row.created_at < GIVE_UP_AFTER:
        row.state, row.not_before = OutgoingState.WAITING, clock.now() + backoff(attempt)
        record(MailDelayed(row.id, DOOR, ticket_id=row.ticket_id))
        record(MailQueued(row.id, DOOR, ticket_id=row.ticket_id))
    else:
        _fail(row, answer)


def _taken(outgoing_id: int, attempt: int, answer: handover.Answer) -> None:
    """The server has it: written by compare-and-set, without reading the mail once more."""
    session = db.session()
    values = {"of": outgoing_id, "attempt": attempt, "words": answer.words[:1000], "now": clock.now()}
    found = session.execute(_SENT, values, execution_options={"synchronize_session": False}).first()
    if found is None:
        return
    if found.kind is OutgoingKind.REPLY:
        tell_message(session.get_one(Outgoing, outgoing_id), DeliveryState.SENT, "")
    record(MailSent(outgoing_id, DOOR, ticket_id=found.ticket_id))
    wake_held()


#: Made once: every mail that leaves ends with it.
_SENT = (
    update(Outgoing)
    .where(
        Outgoing.id == bindparam("of", type_=Outgoing.id.type),
        Outgoing.state == OutgoingState.SENDING,
        Outgoing.attempts == bindparam("attempt", type_=Outgoing.attempts.type),
    )
    .values(state=OutgoingState.SENT, sent_at=bindparam("now", type_=Outgoing.sent_at.type), server_words=bindparam("words"))
    .returning(Outgoing.kind, Outgoing.ticket_id)
)


def _fail(row: Outgoing, answer: handover.Answer) -> None:
    row.state = OutgoingState.FAILED
    if answer.verdict is handover.Verdict.LATER:
        row.server_words = f"{GAVE_UP}\n{row.server_words}"[:1000]
    tell_message(row, DeliveryState.FAILED, row.server_words)
    record(MailFailed(row.id, DOOR, ticket_id=row.ticket_id))
    if answer.code in (550, 551, 553) and row.kind is not OutgoingKind.SIGN_IN:  # RFC 5321, 4.2.2: no such mailbox
        reports.undelivered(row, row.server_words)


def _hold(row: Outgoing, obstacle: str) -> None:
    """There is no mail server: said once, on the mail and on the message."""
    row.state = OutgoingState.WAITING
    if row.server_words != obstacle:
        row.server_words = obstacle
        tell_message(row, DeliveryState.WAITING, obstacle)


def _declined(row: Outgoing) -> bool:
    """Whether the recipient wants no mail of this kind: then it is withdrawn."""
    if row.kind not in unsubscribing.KINDS or not unsubscribing.refused(row.recipient):
        return False
    row.state, row.server_words = OutgoingState.WITHDRAWN, unsubscribing.REFUSED
    return True


def _taken_back(row: Outgoing) -> bool:
    message = db.session().get(Message, row.message_id) if row.message_id is not None and row.kind is OutgoingKind.REPLY else None
    return message is not None and message.delivery is DeliveryState.WITHDRAWN
