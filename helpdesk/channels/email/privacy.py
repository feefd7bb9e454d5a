"""Privacy of mail's ledgers: what arrived and left stays counted; who wrote, what, and the raw bytes go."""

from __future__ import annotations

import base64
import contextlib
from datetime import datetime
from functools import partial
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, String, cast, func, literal, or_, select, update

from helpdesk import db, files
from helpdesk.channels.email.models import UNDECIDED, Arrival, ArrivalState, Outgoing, OutgoingState
from helpdesk.errors import NotFound
from helpdesk.privacy import MARK, Person, Retention, classify, erases, exports, retain, spares, theirs

#: Originals of an export that are given word for word.
LONGEST_ORIGINAL = 2**20

classify(
    "arrival",
    fact="sha256",
    operational="box object_key",
    personal="header_id sender author recipients peer helo",
    content="subject why",
    belongs="message_id ticket_id",
    erase="kept",
    exported=False,
)
classify("inbox_trust", operational="authserv_id")
classify("mail_text", operational="language subject body")
classify(
    "outgoing",
    fact="purpose language header_id",
    personal="recipient to cc",
    content="subject body_text body_html in_reply_to references server_words",
    belongs="ticket_id contact_id",
    erase="kept",
    exported=False,
)
classify(
    "mail_account",
    operational="host username token_url client_id scope folders move_to held_by trouble",
    secret="password client_secret refresh_token",
)
classify("mail_folder", operational="folder")
classify("mail_account_inbox")

_EMPTY: dict[str, Any] = {
    "header_id": None,
    "sender": "",
    "author": "",
    "recipients": [],
    "peer": "",
    "helo": "",
    "subject": MARK,
    "why": "",
}


@erases
def arrived(person: Person) -> None:
    """Mails from them, whatever became of those, and mails that made messages of theirs; the original bytes with them.

    One that nobody has read yet is left: it is understood in a moment, and makes a new customer.
    """
    session = db.session()
    joined = theirs("arrival", person)
    assert joined is not None
    from_them = func.lower(Arrival.author).in_(person.emails) | func.lower(Arrival.sender).in_(person.emails)
    _empty((joined | from_them) & (Arrival.state != ArrivalState.STORED), person.files)
    session.flush()


@spares("arrival")
def unread() -> ColumnElement[bool]:
    """Mails that are still to be understood."""
    return Arrival.state == ArrivalState.STORED


def _empty(which: ColumnElement[bool], keys: set[str]) -> None:
    session = db.session()
    ids = list(session.scalars(select(Arrival.id).where(which)))
    for start in range(0, len(ids), 500):
        some = Arrival.id.in_(ids[start : start + 500])
        keys |= set(session.scalars(select(Arrival.object_key).where(some, Arrival.size > 0)))
        quiet = {"synchronize_session": False}
        session.execute(
            update(Arrival).where(some, Arrival.state.in_(UNDECIDED)).values(state=ArrivalState.REFUSED), execution_options=quiet
        )
        session.execute(update(Arrival).where(some).values(**_EMPTY, size=0), execution_options=quiet)


@erases
def leaving(person: Person) -> None:
    """Nothing more leaves for them; what left keeps its number, time and state. The recipient stays different, as the ledger wants it."""
    session = db.session()
    joined = theirs("outgoing", person)
    assert joined is not None
    which = joined | func.lower(Outgoing.recipient).in_(person.emails)
    quiet = {"synchronize_session": False}
    waiting = Outgoing.state.in_((OutgoingState.WAITING, OutgoingState.FAILED))
    session.execute(update(Outgoing).where(which, waiting).values(state=OutgoingState.WITHDRAWN), execution_options=quiet)
    session.execute(
        update(Outgoing)
        .where(which)
        .values(
            recipient=literal("erased:") + cast(Outgoing.id, String), to=[], cc=[], subject=MARK, body_text="", body_html="",
            in_reply_to="", references="", server_words="",
        ),
        execution_options=quiet,
    )  # fmt: skip


@exports("mails_from_you")
def received(person: Person) -> list[dict[str, Any]]:
    """Mails that reached us from them, with the original (base64) where it is not too large."""
    from_them = func.lower(Arrival.author).in_(person.emails) | func.lower(Arrival.sender).in_(person.emails)
    made = []
    for row in db.session().scalars(select(Arrival).where(from_them).order_by(Arrival.id)):
        said: dict[str, Any] = {"at": row.received_at.isoformat(), "sender": row.sender, "author": row.author, "subject": row.subject}
        if row.peer:
            said["handed_over_by"] = {"address": row.peer, "name": row.helo}
        if 0 < row.size <= LONGEST_ORIGINAL:
            with contextlib.suppress(NotFound):
                said["original_base64"] = base64.b64encode(files.store().read(row.object_key)).decode()
        made.append(said)
    return made


@exports("mails_to_you")
def sent(person: Person) -> list[dict[str, Any]]:
    """Mails that left for them."""
    found = select(Outgoing).where(func.lower(Outgoing.recipient).in_(person.emails), Outgoing.state == OutgoingState.SENT)
    return [
        {
            "at": row.sent_at.isoformat() if row.sent_at else None,
            "to": row.to,
            "cc": row.cc,
            "subject": row.subject,
            "text": row.body_text,
            "server": row.server_words,
        }
        for row in db.session().scalars(found.order_by(Outgoing.id))
    ]


# --- long ago --------------------------------------------------------------------------------------------------------------


def _old(before: datetime) -> ColumnElement[bool]:
    """Mails whose fate was decided and whose bytes are still kept, but for those of customers that must be kept."""
    from helpdesk.crm.erasure import held_contacts
    from helpdesk.tickets.models import Message, Ticket

    kept = (
        select(Message.id)
        .join(Ticket, Ticket.id == Message.ticket_id)
        .where(Ticket.requester_id.in_(held_contacts()) | Message.contact_id.in_(held_contacts()))
    )
    free = or_(Arrival.message_id.is_(None), Arrival.message_id.not_in(kept))
    return (Arrival.received_at < before) & Arrival.state.not_in(UNDECIDED) & (Arrival.size > 0) & free


def _count(before: datetime) -> int:
    return db.session().scalar(select(func.count()).select_from(Arrival).where(_old(before))) or 0


def _drop(before: datetime, limit: int) -> int:
    """The bytes go, with the machine that brought them, and the words of those that made no message; who wrote when stays with it."""
    session = db.session()
    ids = list(session.scalars(select(Arrival.id).where(_old(before)).order_by(Arrival.id).limit(limit)))
    keys = list(session.scalars(select(Arrival.object_key).where(Arrival.id.in_(ids))))
    session.execute(
        update(Arrival).where(Arrival.id.in_(ids)).values(size=0, peer="", helo=""), execution_options={"synchronize_session": False}
    )
    lost = Arrival.id.in_(ids) & Arrival.message_id.is_(None)
    session.execute(update(Arrival).where(lost).values(sender="", author="", recipients=[], subject=MARK))
    db.after_commit(partial(files.drop, keys))
    return len(ids)


retain(Retention("raw_mails", _("Original mails"), _("The bytes as they arrived; messages and attachments stay."), 365, _count, _drop))


def _sent_long_ago(before: datetime) -> ColumnElement[bool]:
    return (Outgoing.sent_at < before) & (Outgoing.state == OutgoingState.SENT) & ((Outgoing.body_text != "") | (Outgoing.body_html != ""))


def _count_sent(before: datetime) -> int:
    return db.session().scalar(select(func.count()).select_from(Outgoing).where(_sent_long_ago(before))) or 0


def _drop_sent(before: datetime, limit: int) -> int:
    session = db.session()
    ids = list(session.scalars(select(Outgoing.id).where(_sent_long_ago(before)).order_by(Outgoing.id).limit(limit)))
    session.execute(update(Outgoing).where(Outgoing.id.in_(ids)).values(body_text="", body_html="", server_words=""))
    return len(ids)


retain(
    Retention(
        "sent_mails",
        _("Copies of sent mails"),
        _("What was said stands in the ticket; this is the mail's own copy."),
        365,
        _count_sent,
        _drop_sent,
    )
)
