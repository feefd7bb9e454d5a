"""Privacy of the tickets' tables: what was written, its files and its searchable words go with the person it is about."""

from __future__ import annotations

import base64
from datetime import datetime
from functools import partial
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, String, cast, func, literal, or_, select, text, union, update

from helpdesk import db, files
from helpdesk.actor import SYSTEM
from helpdesk.crm.models import Contact
from helpdesk.errors import NotFound
from helpdesk.kb.models import Article, Revision, Translation
from helpdesk.privacy import MARK, Person, Retention, classify, compacts, erases, exports, retain, swept, theirs
from helpdesk.tickets import lifecycle, search
from helpdesk.tickets.models import Attachment, Message, MessageKind, Participant, Status, Ticket
from helpdesk.tickets.topics.models import AnswerChange

#: Files of an export that are given word for word; larger ones are downloaded from their request.
LONGEST_FILE = 2**20

classify("hours", operational="name")
classify("hours_version", operational="zone weekly holidays special")
classify("queue", operational="name name_ru requirements steps acceptance weights wrap_up")
classify("inbox", operational="name address sender_name signature language", secret="smtp_url")
classify("ticket", fact="language", content="subject snippet custom", belongs="requester_id", exported=False)
classify(
    "message",
    fact="client_id automatic",
    personal="header_id in_reply_to sender_checks",
    content="html text quote delivery_note warnings",
    belongs="ticket_id contact_id",
    exported=False,
)
classify(
    "attachment", fact="content_type sha256", operational="object_key", content="name content_id", belongs="message_id", exported=False
)
classify("participant", belongs="contact_id", erase="delete", exported=False)
classify("link_epoch", belongs="contact_id", exported=False)
classify("sla_clock", fact="target state")
classify("sla_entry", fact="kind cause")
classify("survey", fact="kind", belongs="contact_id")
classify("survey_answer", fact="kind")
classify("saved_form", fact="form_key")
classify("answer_change", fact="key actor_kind via", content="old new", belongs="ticket_id", exported=False)
classify("topic", operational="key name name_ru help help_ru")
classify("topic_field", operational="key label label_ru hint hint_ru options shown_if_values")


def _written(person: Person) -> ColumnElement[bool]:
    found = theirs("message", person)
    assert found is not None
    return found


@erases
def conversations(person: Person) -> None:
    """Close what is open, end every link, take the words out of the index, the files out of the store, and the quotes of them elsewhere."""
    session = db.session()
    for ticket in session.scalars(select(Ticket).where(Ticket.requester_id.in_(person.contacts))):
        if ticket.status is not Status.CLOSED and ticket.merged_into_id is None:
            lifecycle.close(ticket, by=SYSTEM)
        ticket.link_epoch += 1
    session.flush()
    written = select(Message.id).where(_written(person))
    person.files |= set(session.scalars(select(Attachment.object_key).where(Attachment.message_id.in_(written))))
    search.forget_all(written)
    # Others answered them in tickets that are not theirs: what folds below may be their words.
    took_part = union(
        select(Message.ticket_id).where(Message.contact_id.in_(person.contacts)),
        select(Participant.ticket_id).where(Participant.contact_id.in_(person.contacts)),
    )
    session.execute(
        update(Message).where(Message.ticket_id.in_(took_part), Message.quote != "").values(quote=""),
        execution_options={"synchronize_session": False},
    )
    # A ticket's line in the list shows the newest message's words.
    session.execute(update(Ticket).where(Ticket.id.in_(took_part)).values(snippet=MARK), execution_options={"synchronize_session": False})


@erases
def drafts_of_articles(person: Person) -> None:
    """A draft that was made from their request and never published repeats their words."""
    session = db.session()
    asked = select(Ticket.id).where(Ticket.requester_id.in_(person.contacts))
    made = select(Article.id).where(Article.source_ticket_id.in_(asked))
    unpublished = Translation.article_id.in_(made) & Translation.id.not_in(select(Revision.translation_id))
    session.execute(
        update(Translation)
        .where(unpublished)
        .values(
            draft_title=MARK,
            draft_body="",
            title="",
            body="",
            text="",
            slug=literal("erased-") + cast(Translation.id, String),
        ),
        execution_options={"synchronize_session": False},
    )


@swept("message")
def reindexed(message_ids: list[int]) -> None:
    """Messages whose words changed are found by the new ones; those that were the first of a ticket also by its subject."""
    session = db.session()
    for row in session.execute(
        select(Message.id, Message.text, Ticket.subject, Contact.name, Ticket.id)
        .join(Ticket, Ticket.id == Message.ticket_id)
        .join(Contact, Contact.id == Ticket.requester_id)
        .where(Message.id.in_(message_ids))
    ):
        number, said, subject, name, ticket_id = row
        first = session.scalar(select(func.min(Message.id)).where(Message.ticket_id == ticket_id)) == number
        search.forget(number)
        search.remember_all([(number, "\n".join((subject, name, said) if first else (said,)))])


@compacts
def rewrite_words() -> None:
    """SQLite's full-text table keeps what was taken out in its old segments until it is written anew; PostgreSQL's does not."""
    if db.engine().dialect.name == "sqlite":
        with db.transaction() as session:
            session.execute(text("INSERT INTO message_words(message_words) VALUES('rebuild')"))


@exports("request_fields")
def filled_in(person: Person) -> list[dict[str, Any]]:
    """What they filled in besides their words, by request."""
    found = select(Ticket).where(Ticket.requester_id.in_(person.contacts)).order_by(Ticket.id)
    return [{"number": row.number, **row.custom} for row in db.session().scalars(found) if row.custom]


@exports("files")
def sent_files(person: Person) -> list[dict[str, Any]]:
    """What they attached, word for word (base64) where it is not too large. Files of colleagues' notes are not among them."""
    found = (
        select(Attachment)
        .join(Message, Message.id == Attachment.message_id)
        .where(Message.contact_id.in_(person.contacts), Message.kind == MessageKind.INBOUND)
        .order_by(Attachment.id)
    )
    made = []
    for file in db.session().scalars(found):
        said: dict[str, Any] = {"name": file.name, "type": file.content_type, "size": file.size, "sha256": file.sha256}
        if file.size <= LONGEST_FILE:
            try:
                said["content_base64"] = base64.b64encode(files.store().read(file.object_key)).decode()
            except NotFound:
                said["missing"] = True
        made.append(said)
    return made


# --- closed long ago -------------------------------------------------------------------------------------------------------


def _held() -> Any:
    from helpdesk.crm.erasure import held_contacts

    return held_contacts()


def _old(before: datetime) -> ColumnElement[bool]:
    """Closed before that moment, still with words, and nobody has to keep them."""
    still = or_(Ticket.subject != MARK, Ticket.snippet.not_in(("", MARK)))
    return (Ticket.closed_at < before) & (Ticket.status == Status.CLOSED) & still & Ticket.requester_id.not_in(_held())


def _count(before: datetime) -> int:
    return db.session().scalar(select(func.count()).select_from(Ticket).where(_old(before))) or 0


def _forget(before: datetime, limit: int) -> int:
    """Empty tickets as erasing does: counts, times, ratings and events stay."""
    session = db.session()
    ids = list(session.scalars(select(Ticket.id).where(_old(before)).order_by(Ticket.closed_at).limit(limit)))
    if not ids:
        return 0
    written = select(Message.id).where(Message.ticket_id.in_(ids))
    keys = list(session.scalars(select(Attachment.object_key).where(Attachment.message_id.in_(written))))
    search.forget_all(written)
    quiet = {"synchronize_session": False}
    session.execute(update(Attachment).where(Attachment.message_id.in_(written)).values(name=MARK, content_id=""), execution_options=quiet)
    values = {"html": "", "text": MARK, "quote": "", "header_id": None, "in_reply_to": None}
    session.execute(update(Message).where(Message.ticket_id.in_(ids)).values(**values), execution_options=quiet)
    session.execute(update(Ticket).where(Ticket.id.in_(ids)).values(subject=MARK, snippet=MARK, custom={}), execution_options=quiet)
    session.execute(update(AnswerChange).where(AnswerChange.ticket_id.in_(ids)).values(old=None, new=None), execution_options=quiet)
    db.after_commit(partial(files.drop, keys))
    return len(ids)


retain(
    Retention(
        "closed_tickets",
        _("What was written in closed tickets"),
        _("Messages and files go; numbers, times and ratings stay for statistics. 0 keeps them for ever."),
        0,
        _count,
        _forget,
    )
)
