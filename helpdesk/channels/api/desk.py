"""The desk's own places and people, so that a program can name a queue or a colleague by id; and who a token is."""

from __future__ import annotations

from sqlalchemy import select

from helpdesk import db, web
from helpdesk.agents import queries
from helpdesk.auth import User, require
from helpdesk.channels.api.routes import get
from helpdesk.channels.api.schemas import Named, Shown
from helpdesk.tickets.models import Inbox
from helpdesk.tickets.topics import asking
from helpdesk.tickets.topics.models import Topic


class TokenShown(Shown):
    """Whose token this is and what it may."""

    user: Named
    role: str
    contact_id: int | None
    scopes: list[str]


class QueuePage(Shown):
    items: list[Named]


class InboxShown(Named):
    channel: str
    address: str | None
    queue_id: int


class InboxPage(Shown):
    items: list[InboxShown]


class AgentPage(Shown):
    items: list[Named]


class FieldShown(Shown):
    """A field of a topic. `shown_if`: the key of the field that decides whether it is asked, and the values that let it be (none: any)."""

    key: str
    kind: str
    label: str
    required: bool
    options: list[str]
    shown_if: str | None
    shown_if_values: list[str]


class TopicShown(Shown):
    key: str
    name: str
    fields: list[FieldShown]


class TopicPage(Shown):
    items: list[TopicShown]


@get("/me", gives=TokenShown)
def me() -> TokenShown:
    """Whose token this is, and its scopes."""
    who = web.principal()
    user = db.session().get_one(User, who.user_id)
    return TokenShown(
        user=Named(id=user.id, name=user.name), role=str(user.role), contact_id=user.contact_id, scopes=sorted(who.scopes or frozenset())
    )


@get("/queues", scope="tickets:read", gives=QueuePage)
def queues() -> QueuePage:
    """The queues whose tickets the token's owner may see."""
    require(web.principal().staff)
    return QueuePage(items=[Named(id=queue.id, name=queue.name) for queue in queries.queues_for(web.principal())])


@get("/inboxes", scope="tickets:read", gives=InboxPage)
def inboxes() -> InboxPage:
    """The inboxes of those queues: where a ticket can be opened."""
    who = web.principal()
    require(who.staff)
    found = select(Inbox).where(Inbox.active).order_by(Inbox.name, Inbox.id)
    if not who.leads:
        found = found.where(Inbox.queue_id.in_(who.queues))
    items = [
        InboxShown(id=inbox.id, name=inbox.name, channel=str(inbox.channel), address=inbox.address, queue_id=inbox.queue_id)
        for inbox in db.session().scalars(found)
    ]
    return InboxPage(items=items)


@get("/topics", scope="tickets:read", gives=TopicPage)
def topics() -> TopicPage:
    """What a request can be about, with the fields that each asks for."""
    return TopicPage(items=[_topic(one) for one in asking.topics()])


def _topic(topic: Topic) -> TopicShown:
    known = asking.fields_of(topic)
    keys = {field.id: field.key for field in known}
    fields = [
        FieldShown(
            key=field.key,
            kind=str(field.kind),
            label=field.label,
            required=field.required,
            options=[option.value for option in field.options],
            shown_if=keys.get(field.shown_if) if field.shown_if is not None else None,
            shown_if_values=sorted(field.shown_if_values),
        )
        for field in known
    ]
    return TopicShown(key=topic.key, name=asking.name_of(topic), fields=fields)


@get("/agents", scope="tickets:read", gives=AgentPage)
def agents() -> AgentPage:
    """The colleagues to whom a ticket can be assigned."""
    require(web.principal().staff)
    return AgentPage(items=[Named(id=user.id, name=user.name) for user in queries.colleagues()])
