"""What leaves by mail: the door's answer to replies, surveys, new requests and links asked for.

Each reaction here writes a row of the outbox (`Outgoing`), one per person, and records MailQueued; `sending` takes it from there once its
`not_before` has passed. Running twice makes nothing new: the database keeps one mail per reason and person.
"""

from __future__ import annotations

from datetime import datetime

from flask_babel import force_locale, format_datetime, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select, update

from helpdesk import clock, db, web
from helpdesk.actor import Actor
from helpdesk.agents import signatures
from helpdesk.auth import User
from helpdesk.catalog import (
    AgentReplied,
    LinkAsked,
    LinkRequested,
    MailQueued,
    MailWithdrawn,
    RelationshipAsked,
    ReplyWithdrawn,
    SurveyReminded,
    SurveySent,
)
from helpdesk.channels.email import compose, inboxes, languages, marks, public, quoting
from helpdesk.channels.email.arrivals import DOOR
from helpdesk.channels.email.models import Arrival, Outgoing, OutgoingKind, OutgoingState
from helpdesk.crm import asking, contacts
from helpdesk.crm.addresses import email as read_address
from helpdesk.crm.models import Contact
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import reaction, record
from helpdesk.preferences import preferences
from helpdesk.tickets import linking, surveys
from helpdesk.tickets.inboxes import Shape
from helpdesk.tickets.models import Attachment, Channel, DeliveryState, Inbox, Message, MessageKind, Participant, Survey, Ticket

#: What others of this folder know it by.
language_of = languages.of

NO_ADDRESS = "The customer has no e-mail address; the answer waits for them in the portal."
TAKEN_OUT = "An administrator took the mail out of the outbox."
#: Channels whose customers are answered by mail.
BY_MAIL = (Channel.EMAIL, Channel.PORTAL, Channel.API)


# --- facts that want a mail ----------------------------------------------------------------------------------------------


@reaction(AgentReplied, lane="io", key=lambda fact: f"message:{fact.message_id}", name="mail.reply")
def answer(fact: AgentReplied) -> None:
    """Put an agent's reply into the outbox, for the requester and everybody who takes part; it leaves when it can no longer be undone."""
    session = db.session()
    message, ticket = session.get_one(Message, fact.message_id), session.get_one(Ticket, fact.ticket_id)
    if message.delivery is not DeliveryState.WAITING or ticket.channel not in BY_MAIL:
        return
    people = [(person, address) for person in _people(ticket) if (address := address_of(ticket, person))]
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


@reaction(SurveySent, lane="io", key=lambda fact: f"survey:{fact.survey_id}", name="mail.survey")
def ask(fact: SurveySent) -> None:
    """Mail the customer the question how it was, with a link that answers it."""
    _ask(fact.survey_id)


@reaction(RelationshipAsked, lane="io", key=lambda fact: f"survey:{fact.survey_id}", name="mail.relationship")
def ask_about_all(fact: RelationshipAsked) -> None:
    """Mail the customer a question about us as a whole."""
    _ask(fact.survey_id)


@reaction(SurveyReminded, lane="io", key=lambda fact: f"survey:{fact.survey_id}", name="mail.survey_reminder")
def remind(fact: SurveyReminded) -> None:
    """Mail the question once more."""
    _ask(fact.survey_id, again=True)


@reaction(LinkAsked, lane="io", name="mail.ticket_link")
def send_link(fact: LinkAsked) -> None:
    """Mail a fresh link to a ticket to the contact's own address, whoever asked for it."""
    session = db.session()
    ticket, contact = session.get_one(Ticket, fact.ticket_id), session.get_one(Contact, fact.contact_id)
    address = address_of(ticket, contact)
    if address is None or contact.erased_at is not None:
        return
    words = compose.words(
        OutgoingKind.TICKET_LINK, language_of(ticket, contact), number=ticket.number, link=ticket_link(ticket, contact.id)
    )
    put(OutgoingKind.TICKET_LINK, ticket, contact, address, words)


@reaction(LinkRequested, lane="io", name="mail.sign_in")
def send_sign_in(fact: LinkRequested) -> None:
    """Put a mail with a single-use link into the outbox; the link itself is made when the mail leaves. Nobody of that address: nothing."""
    user = db.session().get(User, fact.user_id) if fact.user_id is not None else None
    if user is None or not user.active:
        return
    language = user.language or web.settings().default_language
    with force_locale(language):
        subject = {
            "invite": gettext("Your invitation to %(company)s", company=preferences().company),
            "reset": gettext("Choose a new password"),
            "signin": gettext("Your link to sign in"),
        }[fact.purpose]
    domain = inboxes.from_address(None, web.settings().mail_from).rpartition("@")[2]
    row = Outgoing(
        kind=OutgoingKind.SIGN_IN, user_id=user.id, purpose=fact.purpose, recipient=user.email, to=[[user.name, user.email]], cc=[],
        language=language, subject=subject, header_id=marks.message_id(0, domain), not_before=clock.now(),
    )  # fmt: skip
    _queue(row)


def sign_in_words(row: Outgoing) -> compose.Words:
    """The words of a sign-in mail with a link made now; each try's link replaces the last one. Kept nowhere."""
    from helpdesk.signin.by_mail import VALID, link_for

    user = db.session().get_one(User, row.user_id)
    with force_locale(row.language):
        opening = {
            "invite": gettext("you have been invited to work here. Choose a password to begin:"),
            "reset": gettext("with this link you choose a new password:"),
            "signin": gettext("with this link you sign in:"),
        }[row.purpose]
        until = format_datetime(clock.now() + VALID[row.purpose], "short")
    return compose.words(OutgoingKind.SIGN_IN, row.language, row.subject, opening=opening, link=link_for(user, row.purpose), until=until)


def _ask(survey_id: int, *, again: bool = False) -> None:
    """Put a survey's mail into the outbox; the person's latest address is used, and nobody is asked what they answered meanwhile."""
    session = db.session()
    survey = session.get_one(Survey, survey_id)
    ticket = session.get(Ticket, survey.ticket_id) if survey.ticket_id is not None else None
    contact = contacts.canonical(session.get_one(Contact, survey.contact_id))
    if survey.answered_at is not None or contact.erased_at is not None:
        return
    address = address_of(ticket, contact) if ticket is not None else contacts.email_of(contact.id)
    if address is None:
        return
    language = language_of(ticket, contact) if ticket is not None else contact.language[:2] or web.settings().default_language
    definition = surveys.definition_of(survey)
    with force_locale(language):
        question = asking.questions(definition)[0]
    words = compose.words(
        OutgoingKind.SURVEY, language, number=ticket.number if ticket is not None else None, question=question, again=again,
        link=f"{web.settings().base_url}/rate/{surveys.token(survey)}",
    )  # fmt: skip
    # One mail asks; its reminder is another, which only its own fact brings.
    kept = None if again else survey.id
    if ticket is not None:
        put(OutgoingKind.SURVEY, ticket, contact, address, words, survey_id=kept)
    elif again or session.scalar(select(Outgoing.id).where(Outgoing.survey_id == survey.id)) is None:
        domain = inboxes.from_address(None, web.settings().mail_from).rpartition("@")[2]
        row = Outgoing(
            kind=OutgoingKind.SURVEY, survey_id=kept, contact_id=contact.id, recipient=address, to=[[contact.name, address]], cc=[],
            language=language, subject=words.subject, body_text=words.text, body_html=words.html,
            header_id=marks.message_id(0, domain), not_before=clock.now(),
        )  # fmt: skip
        _queue(row)


# --- verbs of administrators -------------------------------------------------------------------------------------------


def retry(row: Outgoing, *, by: Actor) -> None:
    """Try a mail that waits or failed once more, now. Raises Conflict when it has left or was withdrawn meanwhile."""
    message = db.session().get(Message, row.message_id) if row.message_id is not None and row.kind is OutgoingKind.REPLY else None
    if message is not None and message.delivery is DeliveryState.WITHDRAWN:
        raise Conflict(_("The agent took this answer back."))
    _move(row, (OutgoingState.WAITING, OutgoingState.FAILED), state=OutgoingState.WAITING, not_before=clock.now())
    if message is not None:
        message.delivery, message.delivery_note = DeliveryState.WAITING, ""
    record(MailQueued(row.id, by, ticket_id=row.ticket_id))


def readdress(row: Outgoing, typed: str, *, by: Actor) -> None:
    """Send a mail that waits or failed to another address, now; what we know of the person stays as it is.

    Raises Invalid for what is no address or gets this mail anyway, Conflict when it has left or was withdrawn meanwhile.
    """
    address = read_address(typed).value
    session = db.session()
    twin = select(Outgoing.id).where(Outgoing.message_id == row.message_id, Outgoing.kind == row.kind, Outgoing.recipient == address)
    if row.message_id is not None and session.scalar(twin.where(Outgoing.id != row.id)) is not None:
        raise Invalid(fields={"address": _("%(who)s gets this mail already.", who=address)})
    name = next((str(name) for name, shown in row.to if shown == row.recipient), "")
    _move(row, (OutgoingState.WAITING, OutgoingState.FAILED), state=row.state, recipient=address, to=[[name, address]], cc=[])
    retry(row, by=by)


def withdraw(row: Outgoing, *, by: Actor) -> None:
    """Take a mail out of the outbox; it never leaves. Raises Conflict when it has left, or is leaving, meanwhile."""
    _move(row, (OutgoingState.WAITING, OutgoingState.FAILED), state=OutgoingState.WITHDRAWN)
    if row.message_id is not None and row.kind is OutgoingKind.REPLY:
        message = db.session().get_one(Message, row.message_id)
        message.delivery, message.delivery_note = DeliveryState.FAILED, TAKEN_OUT
    record(MailWithdrawn(row.id, by, ticket_id=row.ticket_id))


def _move(row: Outgoing, expected: tuple[OutgoingState, ...], **values: object) -> None:
    kept = db.session().execute(
        update(Outgoing).where(Outgoing.id == row.id, Outgoing.state.in_(expected)).values(**values),
        execution_options={"synchronize_session": False},
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(_("This mail has left, or was taken out, meanwhile."))
    db.session().refresh(row)


# --- putting a mail into the outbox --------------------------------------------------------------------------------------


def put(
    kind: OutgoingKind,
    ticket: Ticket,
    contact: Contact,
    address: str,
    words: compose.Words,
    *,
    inbox: Inbox | None = None,
    message: Message | None = None,
    survey_id: int | None = None,
    thread: list[str] | None = None,
    shown: list[list[str]] | None = None,
    not_before: datetime | None = None,
) -> Outgoing | None:
    """One mail to one person about a ticket; None when it stands there already.

    `shown`: the people of its To and Cc, if more than the recipient. `thread`: Message-IDs it continues, if not the whole conversation's.
    """
    session = db.session()
    about = (Outgoing.message_id == message.id) if message is not None else (Outgoing.survey_id == survey_id)
    if (message or survey_id) and session.scalar(select(Outgoing.id).where(about, Outgoing.recipient == address, Outgoing.kind == kind)):
        return None
    inbox = inbox or session.get(Inbox, ticket.inbox_id)
    domain = inboxes.from_address(inbox, web.settings().mail_from).rpartition("@")[2]
    people = shown or [[contact.name, address]]
    row = Outgoing(
        kind=kind,
        ticket_id=ticket.id,
        message_id=message.id if message is not None else None,
        survey_id=survey_id,
        inbox_id=ticket.inbox_id,
        contact_id=contact.id,
        recipient=address,
        to=people[:1],
        cc=people[1:],
        language=language_of(ticket, contact),
        subject=words.subject,
        body_text=words.text,
        body_html=words.html,
        header_id=marks.message_id(ticket.id, domain),
        in_reply_to=_newest_inbound(ticket) if thread is None else next(iter(thread), ""),
        references=compose.references(_thread(ticket, address) if thread is None else thread),
        not_before=not_before or clock.now(),
    )
    return _queue(row)


def address_of(ticket: Ticket, contact: Contact) -> str | None:
    """Where to write to this person about this ticket: the address they last wrote from here, else their own best one."""
    session = db.session()
    if contact.erased_at is not None:
        return None
    wrote = session.scalar(
        select(Arrival.author)
        .join(Message, Message.id == Arrival.message_id)
        .where(Message.ticket_id == ticket.id, Message.contact_id == contact.id, Message.automatic == "")
        .order_by(Message.id.desc())
        .limit(1)
    )
    if wrote and contacts.owns_email(contact.id, wrote):
        return wrote
    return contacts.email_of(contact.id)


def ticket_link(ticket: Ticket, contact_id: int) -> str:
    """This person's own link to the ticket, from the configured address."""
    return f"{web.settings().base_url}/t/{linking.token(ticket, contact_id)}"


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
        language_of(ticket, person),
        compose.answer_subject(ticket.subject, ticket.number),
        text=message.text,
        signature=signatures.under(session.get(User, message.user_id) if message.user_id else None, inbox),
        left_out=[(file.name, public.file_link(file, ticket)) for file in files_of(message.id, inbox)[1]],
        quoted=quoting.below(ticket, message, person) if inbox.quote_history else None,
        link=ticket_link(ticket, _own_id(ticket, person)),
        number=ticket.number,
    )
    put(OutgoingKind.REPLY, ticket, person, address, words, message=message, shown=shown, not_before=message.at + preferences().undo)


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


def _thread(ticket: Ticket, address: str) -> list[str]:
    """Message-IDs of the conversation as this recipient knows it, oldest first."""
    session = db.session()
    theirs = select(Message.at, Message.header_id).where(
        Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND, Message.header_id.is_not(None)
    )
    ours = select(Outgoing.created_at, Outgoing.header_id).where(
        Outgoing.ticket_id == ticket.id, Outgoing.recipient == address, Outgoing.state == OutgoingState.SENT
    )
    rows = [*session.execute(theirs.order_by(Message.id)), *session.execute(ours.order_by(Outgoing.id))]
    return [header_id for _at, header_id in sorted(rows, key=lambda row: row[0]) if header_id]  # of one moment: as they came


def _newest_inbound(ticket: Ticket) -> str:
    newest = (
        select(Message.header_id)
        .where(Message.ticket_id == ticket.id, Message.kind == MessageKind.INBOUND, Message.header_id.is_not(None), Message.automatic == "")
        .order_by(Message.id.desc())
        .limit(1)
    )
    return db.session().scalar(newest) or ""


def _queue(row: Outgoing) -> Outgoing:
    row.created_at = clock.now()
    db.session().add(row)
    db.session().flush()
    record(MailQueued(row.id, DOOR, ticket_id=row.ticket_id, not_before=row.not_before.isoformat()))
    return row
