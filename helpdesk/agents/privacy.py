"""Privacy of the agents' tables: settings and figures are about colleagues' work; drafts and waiting replies are about customers."""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _
from sqlalchemy import delete, func, select, update

from helpdesk import clock, db
from helpdesk.agents.leading.models import ContactWish
from helpdesk.agents.models import Notification
from helpdesk.agents.scheduled.models import ScheduledFile, ScheduledReply, ScheduledState
from helpdesk.privacy import Person, Retention, classify, erases, retain, theirs

classify("team", operational="name")
classify("team_member")
classify("skill", operational="name")
classify("agent_profile", operational="channel_caps weights signature after_send")
classify("agent_skill")
classify("queue_member")
classify("presence", fact="reason")
classify("signature", fact="shape channel requirements")
classify("work_item", fact="channel boost why")
classify("offer", fact="reason why")
classify("assignment", fact="how why")
classify("disposition", operational="name name_ru")
classify("wrap_up", fact="channel mode")
classify("exclusion")
classify("reordering")
classify("notification", fact="kind")
classify("draft", fact="kind", content="body", belongs="ticket_id", erase="delete", exported=False)
classify("seen")
classify("viewer", fact="state")
classify("scheduled_reply", fact="then client_id why", content="body", belongs="ticket_id", exported=False)
classify("scheduled_file", fact="content_type sha256", operational="object_key", content="name", belongs="reply_id", exported=False)
classify("contact_wish", fact="kind", personal="value", belongs="contact_id ticket_id")
classify("dry_run", operational="change state error", content="result")


@erases
def unsent(person: Person) -> None:
    """What was to be said to them later is not said; their wish to be reached elsewhere ends."""
    session, now = db.session(), clock.now()
    mine = theirs("scheduled_reply", person)
    assert mine is not None
    replies = select(ScheduledReply.id).where(mine)
    person.files |= set(session.scalars(select(ScheduledFile.object_key).where(ScheduledFile.reply_id.in_(replies))))
    session.execute(delete(ScheduledFile).where(ScheduledFile.reply_id.in_(replies)))
    session.execute(
        update(ScheduledReply)
        .where(mine, ScheduledReply.state == ScheduledState.WAITING)
        .values(state=ScheduledState.CANCELLED, why="closed", ended_at=now)
    )
    session.execute(
        update(ContactWish).where(ContactWish.contact_id.in_(person.contacts), ContactWish.done_at.is_(None)).values(done_at=now)
    )


def _count(before: datetime) -> int:
    return db.session().scalar(select(func.count()).select_from(Notification).where(Notification.at < before)) or 0


def _drop(before: datetime, limit: int) -> int:
    ids = list(db.session().scalars(select(Notification.id).where(Notification.at < before).order_by(Notification.id).limit(limit)))
    db.session().execute(delete(Notification).where(Notification.id.in_(ids)))
    return len(ids)


retain(Retention("notifications", _("Colleagues' notifications"), "", 180, _count, _drop))
