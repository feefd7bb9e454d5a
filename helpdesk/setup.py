"""What an empty desk needs before anything can arrive: one queue, and a door of each kind."""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import db
from helpdesk.kb.models import KbState
from helpdesk.tickets.models import Channel, Inbox, Queue


def first_records() -> bool:
    """Make the first queue, the portal's and the API's inboxes and the knowledge base's counter, where missing.

    Whether anything was made.
    """
    session = db.session()
    made = False
    if session.get(KbState, 1) is None:
        session.add(KbState(id=1, revision=0))
        made = True
    queue = session.scalar(select(Queue).order_by(Queue.id).limit(1))
    if queue is None:
        queue = Queue(name="Support", name_ru="Поддержка")
        session.add(queue)
        session.flush()
        made = True
    for name, channel in (("Portal", Channel.PORTAL), ("API", Channel.API), ("Phone", Channel.PHONE)):
        if session.scalar(select(Inbox.id).where(Inbox.channel == channel).limit(1)) is None:
            session.add(Inbox(name=name, channel=channel, queue_id=queue.id))
            made = True
    return made
