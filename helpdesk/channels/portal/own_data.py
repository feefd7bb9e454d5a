"""What the desk keeps about one customer, for that customer: plain words and numbers, without colleagues' notes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from helpdesk import clock, db
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Identity, Interaction, Order, Organization, Rating
from helpdesk.tickets import plain
from helpdesk.tickets.models import Message, Ticket
from helpdesk.tickets.topics import asking


def export(me: Contact) -> dict[str, Any]:
    """The person, their addresses, requests with what was written in them, ratings, purchases and calls. Times are ISO 8601 in UTC."""
    session = db.session()
    ids = contacts.group(me.id)
    organization = session.get(Organization, me.organization_id) if me.organization_id else None
    orders = session.scalars(select(Order).where(Order.contact_id.in_(ids)).order_by(Order.id))
    ratings = session.scalars(select(Rating).where(Rating.contact_id.in_(ids)).order_by(Rating.id))
    talks = (
        select(Interaction).where(Interaction.contact_id.in_(ids), Interaction.kind.not_in(("message", "rating"))).order_by(Interaction.id)
    )
    return {
        "made_at": clock.now().isoformat(),
        "person": {
            "name": me.name,
            "language": me.language,
            "time_zone": me.time_zone,
            "company": organization.name if organization else None,
            "known_since": me.created_at.isoformat(),
            "surveys_allowed": me.survey_allowed,
            "reach_by": me.preferred_channel,
            "reach_from": me.reach_from,
            "reach_until": me.reach_until,
        },
        "addresses": [
            {"kind": row.kind, "value": row.value, "verified_at": _time(row.verified_at)}
            for row in session.scalars(select(Identity).where(Identity.contact_id.in_(ids)).order_by(Identity.id))
        ],
        "requests": _requests(ids),
        "ratings": [{"at": row.at.isoformat(), "kind": row.kind, "score": row.score, "comment": row.comment} for row in ratings],
        "purchases": [
            {"number": row.number, "at": row.at.isoformat(), "total_cents": row.total_cents, "currency": row.currency, "status": row.status}
            for row in orders
        ],
        "contacts_with_us": [{"at": row.at.isoformat(), "kind": row.kind, "channel": row.channel} for row in session.scalars(talks)],
    }


def _requests(ids: list[int]) -> list[dict[str, Any]]:
    """Their own requests, and what they wrote in others'. Replies that can still be taken back are not there yet."""
    session = db.session()
    written = select(Message.ticket_id).where(Message.contact_id.in_(ids))
    tickets = list(session.scalars(select(Ticket).where(Ticket.requester_id.in_(ids) | Ticket.id.in_(written)).order_by(Ticket.id)))
    found = (
        select(Message)
        .where(Message.ticket_id.in_([t.id for t in tickets]))
        .options(selectinload(Message.attachments))
        .order_by(Message.id)
    )
    own = {ticket.id for ticket in tickets if ticket.requester_id in ids}
    messages: dict[int, list[dict[str, Any]]] = {ticket.id: [] for ticket in tickets}
    for message in session.scalars(found):
        mine = message.contact_id in ids
        if not plain.is_shown(message) or not (mine or message.ticket_id in own):
            continue
        messages[message.ticket_id].append(
            {
                "at": message.at.isoformat(),
                "from": "you" if mine else "us" if message.user_id else "somebody else",
                "text": message.text,
                "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in message.attachments],
            }
        )
    return [
        {
            "number": ticket.number,
            "subject": ticket.subject,
            "status": ticket.status,
            "opened_at": ticket.opened_at.isoformat(),
            "solved_at": _time(ticket.solved_at),
            "form": [{"label": one.label, "value": one.words} for one in asking.answered(ticket)] if ticket.id in own else [],
            "messages": messages[ticket.id],
        }
        for ticket in tickets
    ]


def _time(at: Any) -> str | None:
    return at.isoformat() if at else None
