"""Mail's two ledgers: everything that arrived and what became of it; everything that leaves and what the server said."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base, where


class ArrivalState(enum.StrEnum):
    """stored: bytes are safe; accepted: opened a ticket; threaded: joined one; noted: automatic, left only a mark; refused: by a rule."""

    STORED = "stored"
    ACCEPTED = "accepted"
    THREADED = "threaded"
    NOTED = "noted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


#: States in which nothing has been decided yet, or may be decided anew.
UNDECIDED = (ArrivalState.STORED, ArrivalState.QUARANTINED)


class Arrival(Base):
    """One mail that reached us. Written, with its raw bytes kept, before anything is parsed.

    `box` names where it was delivered (an inbox's address, or an imported folder's). `sender` is the envelope's, empty for reports and for
    mail that came without one; `author` is whom the mail names. `peer` and `helo`: the address of a stranger's machine that handed it to
    the listener, and how it called itself; empty where our own house or relays, an account or an import brought it. `conflicting`: another
    mail with the same Message-ID and other bytes came to this box before. `copies` counts how often the very same bytes came again.
    `silent`: history, imported: nothing is sent for it.
    `why` is a sentence (a message id of the catalogue) and, after a line break, technical words that are shown as they are.
    """

    __tablename__ = "arrival"

    id: Mapped[int] = mapped_column(primary_key=True)
    inbox_id: Mapped[int | None] = mapped_column(ForeignKey("inbox.id"))
    box: Mapped[str] = mapped_column(String(320), default="")
    sha256: Mapped[str] = mapped_column(String(64))
    header_id: Mapped[str | None] = mapped_column(String(300))
    conflicting: Mapped[bool] = mapped_column(Boolean, default=False)
    copies: Mapped[int] = mapped_column(default=0)
    object_key: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    sender: Mapped[str] = mapped_column(String(320), default="")
    author: Mapped[str] = mapped_column(String(320), default="")
    recipients: Mapped[list[Any]] = mapped_column(JSON, default=list)
    peer: Mapped[str] = mapped_column(String(45), default="")
    helo: Mapped[str] = mapped_column(String(255), default="")
    silent: Mapped[bool] = mapped_column(Boolean, default=False)
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    state: Mapped[ArrivalState] = mapped_column(default=ArrivalState.STORED)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)
    subject: Mapped[str] = mapped_column(String(300), default="")
    why: Mapped[str] = mapped_column(String(1000), default="")

    __table_args__ = (
        UniqueConstraint("box", "sha256"),
        Index("uq_arrival_header", "box", "header_id", unique=True, **where("header_id IS NOT NULL AND NOT conflicting")),
        Index("ix_arrival_state", "state", "id"),
    )


class InboxTrust(Base):
    """Whose judgement of senders an inbox believes: the name that its own mail server writes into Authentication-Results (RFC 8601)."""

    __tablename__ = "inbox_trust"

    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"), primary_key=True)
    authserv_id: Mapped[str] = mapped_column(String(255), default="")


class OutgoingState(enum.StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class OutgoingKind(enum.StrEnum):
    """reply: an agent's answer; receipt: "we have your request"; survey: how was it; ticket_link: a fresh link to a ticket; sign_in: a link
    for a person with an account, made when the mail leaves and stored nowhere (`purpose` says which kind); claim: the question whether it
    was they who wrote from another address; address: about a customer's own addresses, such as a link to confirm one."""

    REPLY = "reply"
    RECEIPT = "receipt"
    SURVEY = "survey"
    TICKET_LINK = "ticket_link"
    SIGN_IN = "sign_in"
    CLAIM = "claim"
    ADDRESS = "address"


class TextKind(enum.StrEnum):
    """Automatic mails whose words an administrator may write. Surveys ask about one request or about us as a whole, and once again."""

    RECEIPT = "receipt"
    SURVEY = "survey"
    SURVEY_AGAIN = "survey_again"
    RELATION = "relation"
    RELATION_AGAIN = "relation_again"
    TICKET_LINK = "ticket_link"


class MailText(Base):
    """The words of one kind of automatic mail in one language, if they are not the desk's own; with placeholders."""

    __tablename__ = "mail_text"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TextKind] = mapped_column()
    language: Mapped[str] = mapped_column(String(5))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("kind", "language"),)


class Outgoing(Base):
    """One mail to one person. `header_id` never changes between tries, so that a receiver can drop the one duplicate a crash may cause.

    `recipient` is the envelope's; `to` and `cc` are what the mail shows: [[name, address], …]. `not_before` is when the undo time ends,
    later when the next try is due; while somebody is sending, when their try has ended for certain: so two never send at once.
    """

    __tablename__ = "outgoing"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[OutgoingKind] = mapped_column()
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    survey_id: Mapped[int | None] = mapped_column(ForeignKey("survey.id"))
    inbox_id: Mapped[int | None] = mapped_column(ForeignKey("inbox.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    purpose: Mapped[str] = mapped_column(String(8), default="")
    recipient: Mapped[str] = mapped_column(String(320))
    to: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    cc: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    language: Mapped[str] = mapped_column(String(5), default="")
    subject: Mapped[str] = mapped_column(String(400), default="")
    body_text: Mapped[str] = mapped_column(Text, default="")
    body_html: Mapped[str] = mapped_column(Text, default="")
    header_id: Mapped[str] = mapped_column(String(300), unique=True)
    in_reply_to: Mapped[str] = mapped_column(String(300), default="")
    references: Mapped[str] = mapped_column(Text, default="")
    not_before: Mapped[datetime]
    state: Mapped[OutgoingState] = mapped_column(default=OutgoingState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    server_words: Mapped[str] = mapped_column(String(1000), default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    tried_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_outgoing_state", "state", "id"),
        Index("ix_outgoing_recipient", "recipient", "created_at"),
        # One mail for one reason: a reaction that runs twice makes nothing new.
        Index("uq_outgoing_message", "message_id", "recipient", "kind", unique=True, **where("message_id IS NOT NULL")),
        Index("uq_outgoing_survey", "survey_id", unique=True, **where("survey_id IS NOT NULL")),
    )
