"""An agent's reply as mail: one to everybody who takes part, in their language, with the files that fit."""

from __future__ import annotations

from sqlalchemy import select, update

from helpdesk import db
from helpdesk.agents import signatures
from helpdesk.auth import User
from helpdesk.catalog import AgentReplied, ReplyWithdrawn
from helpdesk.channels.email import compose, languages, outbox, public, quoting
from helpdesk.channels.email.models import Outgoing, OutgoingKind, OutgoingState
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.events import reaction
from helpdesk.preferences import preferences
from helpdesk.tickets.inboxes import Shape
from helpdesk.tickets.models import Attachment, Channel, DeliveryState, Inbox, Message, Participant, Ticket

NO_ADDRESS = "The customer has no e-mail address; the answer waits for them in the portal."
#: Channels whose customers are answered by mail.
BY_MAIL = (Channel.EMAIL, Channel.PORTAL, Channel.API)


@reaction(AgentReplied, lane="io", key=lambda fact: f"message:{fact.message_id}", name="mail.reply")
def answer(fact: AgentReplied) -> None:
    """Put an agent's reply into the outbox, for the requester and everybody who takes part; it leaves when it can no longer be undone."""
    session = db.session()
    message, ticket = session.get_one(Message, fact.message_id), session.get_one(Ticket, fact.ticket_id)
    if message.delivery is not DeliveryState.WAITING or ticket.channel not in BY_MAIL:
        return
    people = [(person, address) for person in _people(ticket) if (address := outbox.address_of(ticket, person))]
    if not people:
        message.delivery, message.delivery_note = DeliveryState.NONE, NO_ADDRESS
        return
    shown = [[person.name, address] for person, address in people]
    for person, address in people:
        _reply_to_one(ticket, message, person, address, shown)


@reaction(ReplyWithdrawn, lane="io", key=lambda fact: f"message:{fact.message_id}", name="mail.withdraw_reply")
def take_back(fact: ReplyWithdrawn) -> None:
    """A reply taken back must not leave."""
    db.session().execute(
        update(Outgoing)
        .where(Outgoing.message_id == fact.message_id, Outgoing.kind == OutgoingKind.REPLY, Outgoing.state == OutgoingState.WAITING)
        .values(state=OutgoingState.WITHDRAWN),
        execution_options={"synchronize_session": False},
    )


def files_of(message_id: int, inbox: Inbox | None) -> tuple[list[Attachment], list[Attachment]]:
    """A message's files: those that go along within the inbox's size limit, and those that travel as links."""
    along: list[Attachment] = []
    left_out: list[Attachment] = []
    room = (inbox.files_mb if inbox is not None else Shape.files_mb) * 2**20
    for file in db.session().scalars(select(Attachment).where(Attachment.message_id == message_id).order_by(Attachment.id)):
        if file.size <= room:
            along.append(file)
            room -= file.size
        else:
            left_out.append(file)
    return along, left_out


def _reply_to_one(ticket: Ticket, message: Message, person: Contact, address: str, shown: list[list[str]]) -> None:
    session = db.session()
    inbox = session.get_one(Inbox, ticket.inbox_id)
    words = compose.words(
        OutgoingKind.REPLY,
        languages.of(ticket, person),
        compose.answer_subject(ticket.subject, ticket.number),
        text=message.text,
        signature=signatures.under(session.get(User, message.user_id) if message.user_id else None, inbox),
        left_out=[(file.name, public.file_link(file, ticket)) for file in files_of(message.id, inbox)[1]],
        quoted=quoting.below(ticket, message, person) if inbox.quote_history else None,
        link=outbox.ticket_link(ticket, _own_id(ticket, person)),
        number=ticket.number,
    )
    outbox.put(OutgoingKind.REPLY, ticket, person, address, words, message=message, shown=shown, not_before=message.at + preferences().undo)


def _people(ticket: Ticket) -> list[Contact]:
    """Who is answered: the requester first, then everybody who takes part; merged people once."""
    session = db.session()
    copied = select(Participant.contact_id).where(Participant.ticket_id == ticket.id).order_by(Participant.contact_id)
    found: dict[int, Contact] = {}
    for contact_id in [ticket.requester_id, *session.scalars(copied)]:
        person = contacts.canonical(session.get_one(Contact, contact_id))
        found.setdefault(person.id, person)
    return list(found.values())


def _own_id(ticket: Ticket, person: Contact) -> int:
    """The id under which this person takes part: links are checked against what stands on the ticket, also after people were merged."""
    session = db.session()
    if ticket.requester_id == person.id or session.get(Participant, (ticket.id, person.id)) is not None:
        return person.id
    return ticket.requester_id if contacts.canonical(session.get_one(Contact, ticket.requester_id)).id == person.id else person.id
