"""Tickets for programs: open one for a customer, and change it, through the same verbs as people do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask_babel import lazy_gettext as _
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Select, bindparam, select

from helpdesk import db, web
from helpdesk.actor import Actor
from helpdesk.agents import assignments
from helpdesk.auth import Principal, User, require
from helpdesk.channels.api import bodies
from helpdesk.channels.api.routes import patch, post
from helpdesk.channels.api.schemas import PLAIN, SAID, Change, Key, Language, Wish
from helpdesk.channels.api.tickets.reading import Beside, TicketShown, email_of, shown, shown_beside
from helpdesk.crm import addresses, contacts
from helpdesk.crm.models import Contact, Organization
from helpdesk.errors import Invalid, StaleTicket
from helpdesk.tickets import intake, lifecycle, policy
from helpdesk.tickets.intake import NewFile
from helpdesk.tickets.models import Channel, Inbox, Priority, Queue, Status, Ticket
from helpdesk.tickets.queries import find
from helpdesk.tickets.thread import LONGEST
from helpdesk.tickets.topics import asking, correcting
from helpdesk.tickets.topics.models import Topic

# --- what is sent -----------------------------------------------------------------------------------------------------


class Requester(Wish):
    """Who asks: a known contact by id, or anybody by e-mail address; who is not known yet becomes a contact."""

    id: Key | None = None
    email: Annotated[str, Field(max_length=254), PLAIN] | None = None
    name: Annotated[str, Field(max_length=200), PLAIN] = ""
    language: Language = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Requester:
        if (self.id is None) == (self.email is None):
            raise PydanticCustomError("id_or_email", "give either id or email")
        return self


class NewTicket(Wish):
    """A request to be opened."""

    requester: Annotated[Requester | None, Field(description="Needed unless the token is the customer's own.")] = None
    subject: Annotated[str, Field(min_length=1, max_length=300), PLAIN, SAID]
    body: Annotated[str, Field(min_length=1, max_length=LONGEST, description="Plain text."), PLAIN, SAID]
    priority: Priority = Priority.NORMAL
    language: Language = ""
    inbox_id: Annotated[Key | None, Field(description="Where it arrives; the API's inbox if left out.")] = None
    topic: Annotated[str, Field(max_length=60, description="A topic's key: what it is about, and the queue it waits in."), PLAIN] = ""
    custom: Annotated[
        dict[str, str | bool | int | float | None],
        Field(max_length=60, description="Values of the topic's fields, by key. A day is 2026-03-02; a file's value is its name."),
    ] = {}


class TicketChange(Change):
    """What is to be different; what is left out stays."""

    may_be_null = frozenset(("assignee_id",))

    status: Literal["open", "pending", "on_hold", "solved"] | None = None
    priority: Priority | None = None
    subject: Annotated[str, Field(min_length=1, max_length=300), PLAIN, SAID] | None = None
    queue_id: Key | None = None
    assignee_id: Annotated[Key | None, Field(description="A colleague's id; null hands the ticket back to its queue.")] = None
    custom: Annotated[
        dict[str, str | bool | int | float | None] | None,
        Field(max_length=60, description="Values of the topic's fields, by key; null takes one away, what is left out stays."),
    ] = None


# --- opening ----------------------------------------------------------------------------------------------------------


@post("/tickets", scope="tickets:write", takes=NewTicket, gives=TicketShown, files=True)
def open_ticket(sent: NewTicket, files: tuple[NewFile, ...]) -> TicketShown:
    """Open a ticket for a customer.

    It is queued, routed and answered like one that came by mail.
    """
    who = web.principal()
    requester, email = _requester(who, sent)
    place, queue = _place(who, sent.inbox_id)
    topic, held = _about(sent)
    if topic is not None:
        queue = db.session().get_one(Queue, topic.queue_id)
    incoming = intake.Incoming(
        requester,
        f"{sent.body}\n\n{asking.lines(held)}" if held else sent.body,
        Channel.API,
        subject=sent.subject,
        language=sent.language,
        files=files,
        topic_id=topic.id if topic is not None else None,
        custom=held,
    )
    priority = sent.priority if who.staff else Priority.NORMAL
    made, _message = intake.receive(incoming, place, by=_for(who, requester), priority=priority, queue=queue)
    company = db.session().get(Organization, made.organization_id) if made.organization_id is not None else None
    named = topic.key if topic is not None else None
    beside = Beside(queue.name, None, requester.name, email, company.name if company else None, named, made.opened_at)
    return shown_beside(who, made, beside)


def _requester(who: Principal, sent: NewTicket) -> tuple[Contact, str | None]:
    """Whose request it is, with their address: the one named, or the customer whose token it is."""
    named = sent.requester
    if not who.staff:
        require(who.contact_id is not None and (named is None or named.id == who.contact_id))
        return _known(who.contact_id or 0)
    if named is None:
        raise Invalid(fields={"requester": _("This field is needed.")})
    if named.id is not None:
        return _known(named.id)
    try:
        found = contacts.by_email(named.email or "", name=named.name, language=named.language, by=web.current_actor())
    except addresses.UnusableAddress as wrong:
        raise Invalid(fields={"requester.email": wrong.detail}) from wrong
    db.session().flush()
    return found, contacts.email_of(found.id)


def _about(sent: NewTicket) -> tuple[Topic | None, dict[str, Any]]:
    """The topic that was named, with its typed values. Raises Invalid, naming each wrong one."""
    if not sent.topic:
        if sent.custom:
            raise Invalid(fields={"topic": _("Values of fields need the topic they belong to.")})
        return None, {}
    return asking.of_program(sent.topic, sent.custom)


def _known(contact_id: int) -> tuple[Contact, str | None]:
    row = db.session().execute(_CUSTOMER, {"id": contact_id}).first()
    if row is None:
        raise Invalid(fields={"requester.id": _("There is no such customer.")})
    found, email = row
    speaker = contacts.canonical(found)
    return speaker, email if speaker is found else contacts.email_of(speaker.id)


_CUSTOMER = select(Contact, email_of(Contact.id).label("email")).where(Contact.id == bindparam("id"), Contact.erased_at.is_(None))


def _place(who: Principal, inbox_id: int | None) -> tuple[Inbox, Queue]:
    """The inbox it arrives in, with its queue: the chosen one, the API's, or else the portal's. An agent opens tickets where they work."""
    usable = _INBOXES if who.leads or not who.staff else _INBOXES.where(Inbox.queue_id.in_(who.queues))
    if inbox_id is not None:
        require(who.staff)
        chosen = db.session().execute(usable.where(Inbox.id == inbox_id)).first()
        if chosen is None:
            raise Invalid(fields={"inbox_id": _("There is no such inbox among those of your queues.")})
        return chosen[0], chosen[1]
    own_door = db.session().execute(_DOORS if usable is _INBOXES else _doors(usable)).first()
    if own_door is None:
        raise Invalid(fields={"inbox_id": _("There is no inbox for the API among those of your queues. Choose one.")})
    return own_door[0], own_door[1]


def _doors(usable: Select[Inbox, Queue]) -> Select[Inbox, Queue]:
    return usable.where(Inbox.channel.in_((Channel.API, Channel.PORTAL))).limit(1)


#: In the order of preference: "api" comes before "portal".
_INBOXES = select(Inbox, Queue).join(Queue, Queue.id == Inbox.queue_id).where(Inbox.active).order_by(Inbox.channel, Inbox.id)
_DOORS = _doors(_INBOXES)


def _for(who: Principal, customer: Contact) -> Actor:
    """The token as the doer, on behalf of the customer whose words it brings."""
    by = web.current_actor()
    return by if who.contact_id == customer.id else Actor(by.kind, by.id, on_behalf_of=customer.id, via=by.via, owner=by.owner)


# --- changing ---------------------------------------------------------------------------------------------------------


@patch("/tickets/{number}", scope="tickets:write", takes=TicketChange, gives=TicketShown)
def change_ticket(number: int, sent: TicketChange) -> TicketShown:
    """Change a ticket's status, priority, subject, form values, queue or owner.

    A customer's own token may only say that the ticket is solved.
    """
    who, given = web.principal(), sent.model_fields_set
    one = find(who, number)
    seen = bodies.seen_version()
    if seen is not None and seen != one.version:
        raise StaleTicket(_("Somebody changed this ticket since version %(seen)s. Look at it again, then decide.", seen=seen))
    require(_may_change(who, one, sent))
    by = web.current_actor()
    # Each verb compares and sets on the version read here, so nobody slips in between them.
    if sent.subject is not None:
        lifecycle.rename(one, sent.subject, by=by)
    if sent.custom is not None:
        correcting.correct_by_key(one, sent.custom, by=by)
    if sent.priority is not None:
        lifecycle.set_priority(one, sent.priority, by=by)
    if sent.status is not None and sent.status != "solved":
        lifecycle.set_status(one, Status(sent.status), by=by)
    if sent.queue_id is not None:
        lifecycle.move(one, _queue(sent.queue_id), by=by)
    if sent.assignee_id is not None:
        assignments.assign(one, _colleague(sent.assignee_id), how="manual", by=by)
    elif "assignee_id" in given:
        assignments.unassign(one, by=by)
    if sent.status == "solved":
        lifecycle.solve(one, by=by)
    db.session().flush()
    return shown(who, one.id)


def _may_change(who: Principal, one: Ticket, sent: TicketChange) -> bool:
    """Whether every single change is allowed."""
    given = sent.model_fields_set
    if not who.staff:
        return sent.status == "solved" and given == {"status"} and policy.may(who, "close", one, takes_part=True)
    deeds: set[policy.Deed] = set()
    if given & {"priority", "subject", "queue_id", "custom"} or sent.status not in (None, "solved"):
        deeds.add("edit")
    if sent.status == "solved":
        deeds.add("solve")
    if "assignee_id" in given:
        deeds.add("assign")
    return all(policy.may(who, deed, one) for deed in deeds)


def _queue(queue_id: int) -> Queue:
    found = db.session().get(Queue, queue_id)
    if found is None:
        raise Invalid(fields={"queue_id": _("There is no such queue.")})
    return found


def _colleague(user_id: int) -> User:
    found = db.session().get(User, user_id)
    if found is None:
        raise Invalid(fields={"assignee_id": _("There is no such colleague.")})
    return found
