"""Idempotency-Key: a program that is not sure whether its request arrived sends it again, and it is done once.

The key's row is inserted first, in the transaction of the deed itself. A second request with the same key therefore waits at that
row until the first one has committed, and then finds its answer; if the first one was refused, nothing of it stays and the second
is tried on its own. Rows are removed after two days by the housekeeping.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Response, make_response, request
from flask_babel import lazy_gettext as _
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from helpdesk import clock, db
from helpdesk.channels.api.models import IdempotencyKey
from helpdesk.errors import Invalid

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
WORD = re.compile(r"[\x21-\x7e]{1,120}")


class KeyUsed(Invalid):
    """The key belongs to another request."""

    code, title = "key_used", _("This key was used for another request")


def once(token_id: int, asked: str, answer: Callable[[], Response]) -> Response:
    """The answer to this request, made now or kept from its first time (marked Idempotency-Replayed). Raises Invalid, KeyUsed."""
    key = request.headers.get(HEADER)
    if key is None:
        return answer()
    if not WORD.fullmatch(key):
        raise Invalid(fields={HEADER: _("Use up to 120 visible ASCII characters.")})
    session = db.session()
    dialect = sqlite if db.engine().dialect.name == "sqlite" else postgresql
    claim = dialect.insert(IdempotencyKey).values(token_id=token_id, key=key, asked=asked, status=0, answer="", location="", at=clock.now())
    mine = session.scalar(claim.on_conflict_do_nothing(index_elements=["token_id", "key"]).returning(IdempotencyKey.id))
    if mine is None:
        return _kept(token_id, key, asked)
    made = answer()
    if made.status_code < 400:
        session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.id == mine)
            .values(status=made.status_code, answer=made.get_data(as_text=True), location=made.headers.get("Location", "")),
            execution_options={"synchronize_session": False},
        )
    return made


def replayed(answer: Response) -> bool:
    """Whether this answer was kept from the first time."""
    return REPLAYED in answer.headers


def _kept(token_id: int, key: str, asked: str) -> Response:
    row = db.session().execute(select(IdempotencyKey).where(IdempotencyKey.token_id == token_id, IdempotencyKey.key == key)).scalar_one()
    if row.asked != asked:
        raise KeyUsed(fields={HEADER: _("Another request was sent with this key. Use a new key for each new request.")})
    answer = make_response(row.answer, row.status)
    answer.mimetype = "application/json"
    if row.location:
        answer.headers["Location"] = row.location
    answer.headers[REPLAYED] = "true"
    return answer
