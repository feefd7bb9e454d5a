"""Who may come in, and what they are here: users, roles, tokens, single-use links, and the principal that every policy asks about.

Flask-Security keeps passwords (argon2) and sessions; the desk's own transaction keeps its rows, so its datastore only flushes.
Policies live
beside their objects (`tickets.policy`, `kb.policy`, …) and take a Principal; pages, REST and socket rooms call the same function.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask_security import RoleMixin, UserMixin
from flask_security.datastore import UserDatastore
from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.db import Base
from helpdesk.errors import Forbidden, Gone, TooMany

TRIES = 5
TRIES_WINDOW = timedelta(minutes=15)


class Role(enum.StrEnum):
    """What a person is at this desk. Each includes nothing of another: policies name the roles they allow."""

    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    CUSTOMER = "customer"


#: Roles of people who work here.
STAFF = (Role.ADMIN, Role.SUPERVISOR, Role.AGENT)
LEADS = (Role.ADMIN, Role.SUPERVISOR)


@dataclass(frozen=True)
class NamedRole(RoleMixin):
    """A role as Flask-Security wants to see it."""

    name: str
    permissions: list[str] = field(default_factory=list)


class User(Base, UserMixin):
    """Somebody who signs in: a colleague, or a customer with an account.

    `fs_uniquifier` names all their sessions: changing it ends them.
    """

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[Role] = mapped_column()
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True, default=lambda: secrets.token_hex(16))
    #: No foreign key: contacts point at their owners, and two tables that need each other cannot be made or restored in order.
    contact_id: Mapped[int | None] = mapped_column(unique=True)
    language: Mapped[str] = mapped_column(String(5), default="")
    theme: Mapped[str] = mapped_column(String(5), default="auto")
    density: Mapped[str] = mapped_column(String(11), default="comfortable")
    time_zone: Mapped[str] = mapped_column(String(50), default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_login_at: Mapped[datetime | None]  # type: ignore[assignment]
    version: Mapped[int] = mapped_column(default=1)

    @property
    def roles(self) -> list[RoleMixin]:
        return [NamedRole(str(self.role))]

    @roles.setter
    def roles(self, _value: Any) -> None:
        """Flask-Security assigns an empty list when it makes a user; the role column is ours."""

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in self.name.split()[:2]).upper() or "?"


class ApiToken(Base):
    """A program's key: stored hashed, scoped, revocable. `prefix` is what a person recognises it by."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    prefix: Mapped[str] = mapped_column(String(12))
    hashed: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class OneTimeLink(Base):
    """An invitation, a password reset or a sign-in link: hashed, for one purpose, used once."""

    __tablename__ = "one_time_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(8))
    hashed: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInTry(Base):
    """A failed sign-in, counted by account and by address, whether or not the account exists."""

    __tablename__ = "sign_in_try"

    id: Mapped[int] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_sign_in_try_who", "who", "at"),)


class Datastore(UserDatastore):
    """Flask-Security's view of our users. It would commit by itself; here the edge does."""

    def __init__(self) -> None:
        super().__init__(User, NamedRole)

    def commit(self) -> None:
        if db.in_transaction() and db.unit().writes:
            db.session().flush()

    def put(self, model: Any) -> Any:
        db.session().add(model)
        return model

    def delete(self, model: Any) -> None:
        db.session().delete(model)

    def find_user(self, case_insensitive: bool = False, **query: Any) -> User | None:
        """Used by the session loader on each request; the row outlives its snapshot and is only read."""
        with db.read() as session:
            return session.scalar(select(User).filter_by(**query))

    def find_role(self, role: str) -> NamedRole:
        return NamedRole(role)


# --- the principal -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Principal:
    """Who asks, with everything a policy needs to answer without looking anything up.

    `queues` are the ids of the queues an agent works in. `organizations` are those whose tickets a customer sees, `member_of` those
    they belong to. `ticket_id` is set for a link holder: that one ticket and nothing else. `merged` are the contacts that are one person
    with `contact_id`, `teammates` the colleagues who share a team with this one.
    `scopes` is None for people and the token's for programs.
    """

    actor: Actor
    role: Role | None = None
    user_id: int | None = None
    contact_id: int | None = None
    merged: frozenset[int] = frozenset()
    queues: frozenset[int] = frozenset()
    teams: frozenset[int] = frozenset()
    organizations: frozenset[int] = frozenset()
    member_of: frozenset[int] = frozenset()
    ticket_id: int | None = None
    scopes: frozenset[str] | None = None
    teammates: frozenset[int] = frozenset()

    @property
    def contacts(self) -> frozenset[int]:
        """Every contact that is this customer; empty for colleagues."""
        return self.merged if self.contact_id is None else self.merged | {self.contact_id}

    @property
    def staff(self) -> bool:
        return self.role in STAFF

    @property
    def leads(self) -> bool:
        return self.role in LEADS

    @property
    def admin(self) -> bool:
        return self.role is Role.ADMIN


#: Somebody we know nothing about.
ANONYMOUS = Principal(Actor("link"))


def require(allowed: bool) -> None:
    """Raise Forbidden unless allowed: for a thing the person may see but not do. What they may not see is a NotFound, from the finder."""
    if not allowed:
        raise Forbidden


# --- secrets that travel
# -------------------------------------------------------------------------------------------------------------------


def hashed(secret: str) -> str:
    """How secrets that came from us are kept: they are long and random, so a plain SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue_link(user: User, purpose: str, *, valid: timedelta) -> str:
    """Make a single-use secret for `purpose` (invite, reset, signin) and return it; earlier unused ones of the same purpose
    stop working.
    """
    session = db.session()
    session.execute(
        delete(OneTimeLink).where(OneTimeLink.user_id == user.id, OneTimeLink.purpose == purpose, OneTimeLink.used_at.is_(None))
    )
    secret = secrets.token_urlsafe(32)
    session.add(OneTimeLink(user_id=user.id, purpose=purpose, hashed=hashed(secret), expires_at=clock.now() + valid))
    return secret


def linked_user(secret: str, purpose: str) -> User:
    """Whose link this is, without spending it (a mail scanner opens links too). Raises Gone."""
    link = _link(secret, purpose)
    user = db.session().get(User, link.user_id)
    if user is None or not user.active:
        raise Gone
    return user


def spend_link(secret: str, purpose: str) -> User:
    """Use a single-use link up. Raises Gone when it is unknown, expired or used; of two who try at once one gets it."""
    user = linked_user(secret, purpose)
    kept = db.session().execute(
        update(OneTimeLink)
        .where(OneTimeLink.hashed == hashed(secret), OneTimeLink.purpose == purpose, OneTimeLink.used_at.is_(None))
        .values(used_at=clock.now()),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Gone
    return user


def forget_links(user: User) -> None:
    """Every link given out to a person and not used yet stops working."""
    db.session().execute(delete(OneTimeLink).where(OneTimeLink.user_id == user.id, OneTimeLink.used_at.is_(None)))


def _link(secret: str, purpose: str) -> OneTimeLink:
    if not secret or not secret.strip():
        raise Gone
    link = db.session().scalar(select(OneTimeLink).where(OneTimeLink.hashed == hashed(secret), OneTimeLink.purpose == purpose))
    if link is None or link.used_at is not None or link.expires_at < clock.now():
        raise Gone
    return link


# --- sign-in tries
# ---------------------------------------------------------------------------------------------------------------------------


def tries_left(*who: str) -> None:
    """Raise TooMany when one of the names (account, address) has failed five times within fifteen minutes.

    The names are hashed before they are stored.
    """
    since = clock.now() - TRIES_WINDOW
    for name in who:
        limit = TRIES if "@" in name else TRIES * 10
        failed = (
            db.session().scalar(select(func.count()).select_from(SignInTry).where(SignInTry.who == hashed(name), SignInTry.at > since)) or 0
        )
        if failed >= limit:
            raise TooMany(retry_after=int(TRIES_WINDOW.total_seconds()))


def count_failure(*who: str) -> list[int]:
    """Count a try against each name; the rows' ids, so that a try that succeeded can be taken back."""
    made = [SignInTry(who=hashed(name), at=clock.now()) for name in who]
    db.session().add_all(made)
    db.session().flush()
    return [row.id for row in made]


def take_back(tries: list[int]) -> None:
    """These tries succeeded: they count against nobody."""
    db.session().execute(delete(SignInTry).where(SignInTry.id.in_(tries)))


def forget_failures(account: str) -> None:
    db.session().execute(delete(SignInTry).where(SignInTry.who == hashed(account)))


def end_sessions(user: User) -> None:
    """End every session and socket of a person: after a reset, a changed role, a deactivation."""
    user.fs_uniquifier = secrets.token_hex(16)
