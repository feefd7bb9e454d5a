"""Privacy of the kernel's own tables: accounts, links, tries, events, deliveries, preferences."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, or_, select, update

from helpdesk import clock, db
from helpdesk.auth import STAFF, ApiToken, OneTimeLink, SignInTry, User, hashed
from helpdesk.events import Delivery
from helpdesk.privacy import MARK, Person, Retention, classify, erases, exports, retain

classify(
    "user",
    fact="language theme density time_zone",
    personal="email name",
    secret="password fs_uniquifier",
    erase="kept",
    exported=False,
)
classify("api_token", operational="name prefix scopes", secret="hashed")
classify("one_time_link", fact="purpose", secret="hashed")
classify("sign_in_try", fact="who")
classify("event", fact="kind actor_kind via data")
classify("delivery", fact="reaction key lane", content="error")
classify("preference", operational="name value")


@erases
def account(person: Person) -> None:
    """Their account stays as a number nobody can sign in to; sessions, links and tries go. A colleague's account is not a customer's."""
    session = db.session()
    mine = list(session.scalars(select(User).where(User.contact_id.in_(person.contacts), User.role.not_in(STAFF))))
    tried = {hashed(address) for address in person.emails}
    for user in mine:
        tried.add(hashed(user.email))
        session.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user.id))
        session.execute(update(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None)).values(revoked_at=clock.now()))
        user.email, user.name, user.password = f"erased-{user.id}@invalid", MARK, None
        user.active, user.fs_uniquifier = False, secrets.token_hex(16)
        user.language, user.time_zone = "", ""
        user.version += 1
    tried |= {hashed(f"link:{address}") for address in person.emails}
    session.execute(delete(SignInTry).where(SignInTry.who.in_(tried)))


@exports("account")
def signed_in_as(person: Person) -> list[dict[str, Any]]:
    """The account they sign in with."""
    found = select(User).where(User.contact_id.in_(person.contacts)).order_by(User.id)
    return [
        {"email": row.email, "name": row.name, "language": row.language, "time_zone": row.time_zone, "since": row.created_at.isoformat()}
        for row in db.session().scalars(found)
    ]


def _spent(before: datetime) -> object:
    return or_(OneTimeLink.expires_at < before, OneTimeLink.used_at < before)


def _count_links(before: datetime) -> int:
    session = db.session()
    tries = session.scalar(select(func.count()).select_from(SignInTry).where(SignInTry.at < before)) or 0
    return tries + (session.scalar(select(func.count()).select_from(OneTimeLink).where(_spent(before))) or 0)  # type: ignore[arg-type]


def _drop_links(before: datetime, limit: int) -> int:
    session, gone = db.session(), 0
    for table, which in ((SignInTry, SignInTry.at < before), (OneTimeLink, _spent(before))):
        ids = list(session.scalars(select(table.id).where(which).order_by(table.id).limit(limit - gone)))  # type: ignore[arg-type]
        session.execute(delete(table).where(table.id.in_(ids)))
        gone += len(ids)
    return gone


retain(
    Retention(
        "sign_in",
        _("Failed sign-ins and used links"),
        _("Counted to keep guessers out; addresses are kept hashed."),
        30,
        _count_links,
        _drop_links,
    )
)


def _failed(before: datetime) -> object:
    return (Delivery.error != "") & (Delivery.parked_at < before)


def _count_failed(before: datetime) -> int:
    return db.session().scalar(select(func.count()).select_from(Delivery).where(_failed(before))) or 0  # type: ignore[arg-type]


def _drop_failed(before: datetime, limit: int) -> int:
    session = db.session()
    ids = list(session.scalars(select(Delivery.id).where(_failed(before)).order_by(Delivery.id).limit(limit)))  # type: ignore[arg-type]
    session.execute(delete(Delivery).where(Delivery.id.in_(ids)))
    return len(ids)


retain(Retention("failed_work", _("Failed work"), _("What was given up and never tried again."), 180, _count_failed, _drop_failed))
