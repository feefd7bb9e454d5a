"""What is kept of mail accounts: how to open each, and how far each of their folders has been taken in."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk.db import Base


class Tls(enum.StrEnum):
    """implicit: TLS from the first byte (port 993); starttls: asked for after the greeting; none: only for servers of the own house."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


class SignIn(enum.StrEnum):
    """password: the account's or an app password; oauth: XOAUTH2 with tokens that are fetched anew (Google, Microsoft)."""

    PASSWORD = "password"
    OAUTH = "oauth"


class Afterwards(enum.StrEnum):
    """What happens to a mail on the server once it is safe here."""

    MARK = "mark"
    MOVE = "move"
    DELETE = "delete"


class MailAccount(Base):
    """An account at a mail server whose folders are fetched into an inbox, and into others whose addresses its mail bears (`Feeding`).

    `inbox_id` is the main one, for mail that bears none of their addresses. `password`, `client_secret` and `refresh_token` are sealed.

    `held_by` and `held_until` are the lease of the one process that fetches. `trouble` is a sentence (a message id of the catalogue) and,
    after a line break, the server's own words. `left_behind` counts mails that stay on the server because they are too large.
    """

    __tablename__ = "mail_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"), index=True)
    host: Mapped[str] = mapped_column(String(255))
    port: Mapped[int] = mapped_column(default=993)
    tls: Mapped[Tls] = mapped_column(default=Tls.IMPLICIT)
    username: Mapped[str] = mapped_column(String(320))
    sign_in: Mapped[SignIn] = mapped_column(default=SignIn.PASSWORD)
    password: Mapped[str] = mapped_column(Text, default="")
    token_url: Mapped[str] = mapped_column(String(500), default="")
    client_id: Mapped[str] = mapped_column(String(300), default="")
    client_secret: Mapped[str] = mapped_column(Text, default="")
    refresh_token: Mapped[str] = mapped_column(Text, default="")
    scope: Mapped[str] = mapped_column(String(500), default="")
    folders: Mapped[list[Any]] = mapped_column(JSON, default=lambda: ["INBOX"])
    afterwards: Mapped[Afterwards] = mapped_column(default=Afterwards.MARK)
    move_to: Mapped[str] = mapped_column(String(255), default="")
    idle: Mapped[bool] = mapped_column(Boolean, default=True)
    every_s: Mapped[int] = mapped_column(default=60)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)

    held_by: Mapped[str] = mapped_column(String(64), default="")
    held_until: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str] = mapped_column(String(1000), default="")
    taken: Mapped[int] = mapped_column(default=0)
    left_behind: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index("ix_mail_account_next_at", "next_at"),)


class Feeding(Base):
    """A further inbox that an account is fetched for: mail that bears its address goes there."""

    __tablename__ = "mail_account_inbox"

    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id"), primary_key=True)
    inbox_id: Mapped[int] = mapped_column(ForeignKey("inbox.id"), primary_key=True, index=True)


class MailFolder(Base):
    """How far one folder is taken in: every mail up to `last_uid` is safe here and dealt with on the server, or was never meant.

    UIDs count only under their `uidvalidity` (RFC 3501, 2.3.1.1). `stuck_uid` is a mail that the server would not hand over.
    """

    __tablename__ = "mail_folder"

    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id"), primary_key=True)
    folder: Mapped[str] = mapped_column(String(255), primary_key=True)
    uidvalidity: Mapped[int]
    last_uid: Mapped[int] = mapped_column(default=0)
    stuck_uid: Mapped[int] = mapped_column(default=0)
    stuck_tries: Mapped[int] = mapped_column(default=0)
