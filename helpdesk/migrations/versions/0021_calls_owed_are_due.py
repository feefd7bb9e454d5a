"""Calls that were owed before anybody was told of late ones are told of, too: each open call gets the timer that a new one is made with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from helpdesk import clock
from helpdesk.db import Id, UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

REACTION = "notifications.call_overdue"
CALL = sa.table(
    "call_back", sa.column("id", Id), sa.column("contact_id", Id), sa.column("user_id", Id), sa.column("due_at", UtcDateTime()),
    sa.column("done_at", UtcDateTime()),
)  # fmt: skip
EVENT = sa.table(
    "event", sa.column("id", Id), sa.column("at", UtcDateTime()), sa.column("kind", sa.String), sa.column("actor_kind", sa.String),
    sa.column("via", sa.String), sa.column("contact_id", Id), sa.column("user_id", Id), sa.column("data", sa.JSON),
)  # fmt: skip
DELIVERY = sa.table(
    "delivery", sa.column("event_id", Id), sa.column("reaction", sa.String), sa.column("key", sa.String), sa.column("lane", sa.String),
    sa.column("due_at", UtcDateTime()), sa.column("claim", Id), sa.column("attempts", Id), sa.column("error", sa.Text),
    sa.column("done_at", UtcDateTime()), sa.column("parked_at", UtcDateTime()),
)  # fmt: skip


def upgrade() -> None:
    connection = op.get_bind()
    now = clock.now()
    waiting = sa.select(DELIVERY.c.key).where(DELIVERY.c.reaction == REACTION, DELIVERY.c.done_at.is_(None), DELIVERY.c.parked_at.is_(None))
    known = set(connection.scalars(waiting))
    open_ones = sa.select(CALL.c.id, CALL.c.contact_id, CALL.c.user_id, CALL.c.due_at).where(CALL.c.done_at.is_(None)).order_by(CALL.c.id)
    for call in connection.execute(open_ones).all():
        due = call.due_at.timestamp()
        key = f"call:{call.id}:{call.user_id}:{due:.0f}"
        if key in known:
            continue
        # Who has been told of this call already is not told again: the reaction looks.
        said = {"at": now, "kind": "call_owed", "actor_kind": "system", "via": "", "contact_id": call.contact_id, "user_id": call.user_id}
        event = connection.scalar(sa.insert(EVENT).values(**said, data={"call_id": call.id, "due": due}).returning(EVENT.c.id))
        row = {"event_id": event, "reaction": REACTION, "key": key, "lane": "hot", "due_at": call.due_at}
        connection.execute(sa.insert(DELIVERY).values(**row, claim=0, attempts=0, error=""))


def downgrade() -> None:
    """The timers stay: whoever owes a call is told of it once, whatever the schema."""
