"""One ticket by a signed link: no account, nothing else of the customer's. A link that no longer works leads to a fresh one by mail."""

from __future__ import annotations

from flask import Response, make_response, render_template, request
from sqlalchemy import select

from helpdesk import db, limits, links, web
from helpdesk.actor import Actor
from helpdesk.catalog import LinkAsked
from helpdesk.channels.portal import bp, forms, line, visits
from helpdesk.channels.portal.visits import Visit
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.errors import Gone, NotFound, TooMany
from helpdesk.events import record
from helpdesk.tickets import attachments, intake, linking
from helpdesk.tickets.models import UNSOLVED, Participant, Ticket

#: How many of their latest requests somebody who gives only an address gets links to.
MOST_LINKS = 5
FOR_EVER = 36_500


@bp.get("/t/<token>")
def ticket_by_link(token: str) -> Response:
    """The ticket; for a link that has ended, the page that offers a fresh one."""
    try:
        return visits.page(_enter(token))
    except Gone:
        return _ended(token)


@bp.get("/t/<token>/sent")
def sent(token: str) -> Response:
    """What happens next, and the link to keep: shown after the request form, as often as it is reloaded."""
    try:
        visit = _enter(token)
    except Gone:
        return _ended(token)
    link = web.absolute("portal.ticket_by_link", token=token)
    return make_response(render_template("portal/sent.html", visit=visit, ticket=visit.ticket, link=link))


@bp.post("/t/<token>/messages")
@web.own_edge
@forms.own_check
def write_by_link(token: str) -> Response:
    try:
        return visits.write(lambda: _enter(token), lambda ticket: _url(linking.token(ticket, _contact_id(token))))
    except Gone:
        with db.read():
            return _ended(token)


@bp.post("/t/<token>/solution")
def solve_by_link(token: str) -> Response:
    try:
        return visits.solve(_enter(token))
    except Gone:
        return _ended(token)


@bp.post("/t/<token>/reopening")
def reopen_by_link(token: str) -> Response:
    try:
        return visits.reopen(_enter(token))
    except Gone:
        return _ended(token)


@bp.post("/t/<token>/people")
def add_person_by_link(token: str) -> Response:
    try:
        return visits.add_person(_enter(token))
    except Gone:
        return _ended(token)


@bp.post("/t/<token>/people/<int:contact_id>/removal")
def remove_person_by_link(token: str, contact_id: int) -> Response:
    try:
        return visits.remove_person(_enter(token), contact_id)
    except Gone:
        return _ended(token)


@bp.post("/t/<token>/links/ending")
def end_links_by_link(token: str) -> Response:
    """End this person's links, this one included; whoever asked may end everybody's."""
    try:
        return visits.end_links(_enter(token))
    except Gone:
        return _ended(token)


@bp.get("/t/<token>/place")
def place_by_link(token: str) -> Response:
    try:
        return line.part(_enter(token))
    except Gone:
        return _ended(token)


@bp.post("/t/<token>/wish")
def wish_by_link(token: str) -> Response:
    try:
        return line.wish(_enter(token))
    except Gone:
        return _ended(token)


@bp.post("/t/<token>/wish/withdrawal")
def take_back_wish_by_link(token: str) -> Response:
    try:
        return line.take_back(_enter(token))
    except Gone:
        return _ended(token)


@bp.get("/t/<token>/files/<int:attachment_id>")
def file_by_link(token: str, attachment_id: int) -> Response:
    try:
        ticket, _contact = linking.opened(token)
    except Gone:
        raise NotFound from None
    return attachments.answer(attachments.of_ticket(ticket, attachment_id), inline="inline" in request.args)


# --- a fresh link --------------------------------------------------------------------------------------------------------------------


@bp.get("/links")
def lost_link() -> Response:
    """Where somebody goes who has no link at all."""
    return make_response(render_template("portal/link_gone.html", token="", ended=False))


@bp.post("/links")
def send_fresh_link() -> Response:
    """Mail a fresh link to the address we know. The answer is the same whether we know it or not."""
    limits.within("fresh-link", "10 per hour")
    wanted = _from_old_link(request.form.get("token", "")) or _from_address(request.form.get("email", ""))
    for ticket, contact_id in wanted:
        if _not_too_often(contact_id):
            record(LinkAsked(ticket.id, contact_id, Actor("link", contact_id, via="portal")))
    return web.see("/links/sent")


@bp.get("/links/sent")
def fresh_link_sent() -> Response:
    return make_response(render_template("portal/link_sent.html"))


def _from_old_link(word: str) -> list[tuple[Ticket, int]]:
    """What an old or revoked link of ours stood for: enough to write to the address we know, not to open anything."""
    try:
        payload = links.unsign(linking.PURPOSE, word, valid_days=FOR_EVER)
    except Gone:
        return []
    if (held := linking.holder_of(payload)) is None:
        return []
    ticket, contact = db.session().get(Ticket, held[0]), db.session().get(Contact, held[1])
    if ticket is None or contact is None or not intake.takes_part(ticket, contact):
        return []
    return [(ticket, contact.id)]


def _from_address(email: str) -> list[tuple[Ticket, int]]:
    contact = contacts.find_by_email(email[:320]) if "@" in email else None
    if contact is None:
        return []
    ids = contacts.group(contact.id)
    theirs = select(Participant.ticket_id).where(Participant.contact_id.in_(ids))
    found = db.session().scalars(
        select(Ticket)
        .where(Ticket.requester_id.in_(ids) | Ticket.id.in_(theirs))
        .order_by(Ticket.status.in_(UNSOLVED).desc(), Ticket.last_message_at.desc())
        .limit(MOST_LINKS)
    )
    return [(ticket, contact.id) for ticket in found]


def _not_too_often(contact_id: int) -> bool:
    try:
        limits.within("fresh-link-to", "10 per hour", who=f"contact:{contact_id}")
    except TooMany:
        return False
    return True


# --- the visitor ---------------------------------------------------------------------------------------------------------------------


def _enter(token: str) -> Visit:
    ticket, contact_id = linking.opened(token)
    contact = db.session().get(Contact, contact_id)
    if contact is None or contact.erased_at is not None:
        raise Gone
    return Visit(ticket, contact, Actor("link", contact_id, via="portal"), _url(token), token)


def _contact_id(token: str) -> int:
    return linking.opened(token)[1]


def _url(token: str) -> str:
    return f"/t/{token}"


def _ended(token: str) -> Response:
    """One page for every link that does not work, whatever is wrong with it."""
    return make_response(render_template("portal/link_gone.html", token=token[:1000], ended=True), Gone.status)
