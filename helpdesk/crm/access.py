"""Who looked at whose profile, or took it out of the desk: written after the answer, read by administrators and by the customer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, insert, select

from helpdesk import clock, db, web
from helpdesk.crm.privacy_models import ProfileAccess
from helpdesk.privacy import Retention, retain

#: The same colleague looking again within so long is still looking.
STILL = timedelta(minutes=10)


def noted(contacts: Collection[int], what: str, *, via: str = "page") -> None:
    """Remember, once the answer has gone, that whoever asks saw (viewed) or took (exported) these profiles.

    via: page, card (beside a thread) or api. A page of a list is one statement, however many it shows.
    """
    user_id = web.principal().user_id
    if web.principal().staff and contacts:
        web.later(partial(_write, frozenset(contacts), user_id, what, via))


def _write(contacts: frozenset[int], user_id: int | None, what: str, via: str) -> None:
    lately: set[int] = set()
    if what == "viewed":
        same = (ProfileAccess.contact_id.in_(contacts), ProfileAccess.user_id == user_id, ProfileAccess.what == what)
        lately = set(db.session().scalars(select(ProfileAccess.contact_id).where(*same, ProfileAccess.at > clock.now() - STILL)))
    said = {"user_id": user_id, "what": what, "via": via, "at": clock.now()}
    if fresh := [{"contact_id": one, **said} for one in sorted(contacts - lately)]:
        db.session().execute(insert(ProfileAccess), fresh)


def of(contacts: Collection[int], *, limit: int | None = 50) -> list[ProfileAccess]:
    """The newest accesses to a person's profile."""
    found = select(ProfileAccess).where(ProfileAccess.contact_id.in_(contacts))
    return list(db.session().scalars(found.order_by(ProfileAccess.at.desc(), ProfileAccess.id.desc()).limit(limit)))


def _count(before: datetime) -> int:
    return db.session().scalar(select(func.count()).select_from(ProfileAccess).where(ProfileAccess.at < before)) or 0


def _drop(before: datetime, limit: int) -> int:
    found = select(ProfileAccess.id).where(ProfileAccess.at < before).order_by(ProfileAccess.at).limit(limit)
    ids = list(db.session().scalars(found))
    db.session().execute(delete(ProfileAccess).where(ProfileAccess.id.in_(ids)))
    return len(ids)


retain(Retention("accesses", _("Who looked at customers"), _("The list on each customer's privacy page."), 730, _count, _drop))
