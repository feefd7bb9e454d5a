"""For customers who sign in: their requests, and their company's if they may see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import select, tuple_

from helpdesk import db, web
from helpdesk.actor import Actor
from helpdesk.channels.portal import bp, customer, forms, line, visits
from helpdesk.channels.portal.visits import Visit
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.errors import Forbidden
from helpdesk.tickets import intake, plain, policy, queries, search
from helpdesk.tickets.models import UNSOLVED, Status, Ticket
from helpdesk.tickets.topics import asking
from helpdesk.tickets.topics.editing import all_topics

PAGE = 25
#: How many people of a company can be chosen from.
MOST_PEOPLE = 200
#: What the list can be narrowed to, by the word in the address.
STATES = {"open": UNSOLVED, "mine": (Status.PENDING,), "solved": (Status.SOLVED, Status.CLOSED)}
#: Orders by the word in the address: the column, and whether the newest comes first.
ORDERS = {"": (Ticket.last_message_at, True), "newest": (Ticket.opened_at, True), "oldest": (Ticket.opened_at, False)}
ORDER_WORDS = {
    "": lazy_gettext("Last written in first"),
    "newest": lazy_gettext("Newest first"),
    "oldest": lazy_gettext("Oldest first"),
}
#: Words in the address that narrow or order the list; paging keeps them.
KEPT = ("q", "state", "whose", "sort", "topic", "person")


@bp.get("/my")
def my_requests() -> Response:
    """The customer's requests, or with ?whose=company everybody's of their company. Searching never looks into notes.

    ?state= and ?topic= narrow it, ?person= (of the company's) too, ?sort= orders it.
    """
    me = customer.me()
    who = web.principal()
    company = request.args.get("whose") == "company" and bool(who.organizations)
    state, words = request.args.get("state", ""), request.args.get("q", "").strip()[:200]
    found = select(Ticket).where(policy.visible(who), Ticket.merged_into_id.is_(None))
    if company:
        found = found.where(Ticket.organization_id.in_(who.organizations))
    else:
        found = found.where(Ticket.requester_id.in_(_ids(me)))
    if state in STATES:
        found = found.where(Ticket.status.in_(STATES[state]))
    topics = {one.key: one for one in all_topics()}
    if (topic := request.args.get("topic", "")) in topics:
        found = found.where(Ticket.topic_id == topics[topic].id)
    people = _people(who.organizations) if company else []
    person = next((id for id, _name in people if str(id) == request.args.get("person")), None)
    if person is not None:
        found = found.where(Ticket.requester_id.in_(contacts.group(person)))
    if words:
        found = found.where(search.matching(words, public=True))
    sort = request.args.get("sort", "")
    column, descending = ORDERS[sort] if sort in ORDERS else ORDERS[""]
    if position := web.uncursor(request.args.get("after"), datetime, int):
        place, before = tuple_(column, Ticket.id), tuple_(*position)
        found = found.where(place < before if descending else place > before)
    order = (column.desc(), Ticket.id.desc()) if descending else (column, Ticket.id)
    rows = list(db.session().scalars(found.order_by(*order).limit(PAGE + 1)))
    page = web.paged(rows, PAGE, lambda ticket: (getattr(ticket, column.key), ticket.id))
    kept: dict[str, Any] = {name: value for name, value in request.args.items() if name in KEPT and value}
    html = render_template(
        "portal/my.html",
        page=page,
        next_url=url_for("portal.my_requests", **kept, after=page.next) if page.next else "",
        first_url=url_for("portal.my_requests", **kept) if "after" in request.args else "",
        state=state if state in STATES else "",
        words=words,
        sort=sort if sort in ORDERS else "",
        orders=list(ORDER_WORDS.items()),
        topic=topic if topic in topics else "",
        topics=[(key, asking.name_of(one)) for key, one in topics.items()],
        person=person or "",
        people=people,
        kept=kept,
        whole_company=company,
        sees_company=bool(who.organizations),
        requesters=_requesters(page.rows) if company else {},
        CUSTOMER_STATUS=plain.CUSTOMER_STATUS,
    )
    return make_response(html)


@bp.get("/my/requests/<int:number>")
def my_request(number: int) -> Response:
    return visits.page(_enter(number))


@bp.post("/my/requests/<int:number>/messages")
@web.own_edge
@forms.own_check
def write_to_mine(number: int) -> Response:
    return visits.write(lambda: _enter(number, deed="write"), lambda ticket: url_for("portal.my_request", number=ticket.number))


@bp.post("/my/requests/<int:number>/solution")
def solve_mine(number: int) -> Response:
    return visits.solve(_enter(number, deed="close"))


@bp.post("/my/requests/<int:number>/reopening")
def reopen_mine(number: int) -> Response:
    return visits.reopen(_enter(number, deed="write"))


@bp.post("/my/requests/<int:number>/people")
def add_person_to_mine(number: int) -> Response:
    return visits.add_person(_enter(number, deed="write"))


@bp.post("/my/requests/<int:number>/people/<int:contact_id>/removal")
def remove_person_from_mine(number: int, contact_id: int) -> Response:
    return visits.remove_person(_enter(number, deed="write"), contact_id)


@bp.post("/my/requests/<int:number>/links/ending")
def end_links_of_mine(number: int) -> Response:
    return visits.end_links(_enter(number, deed="write"))


@bp.get("/my/requests/<int:number>/place")
def my_place(number: int) -> Response:
    return line.part(_enter(number))


@bp.post("/my/requests/<int:number>/wish")
def wish_for_mine(number: int) -> Response:
    return line.wish(_enter(number, deed="write"))


@bp.post("/my/requests/<int:number>/wish/withdrawal")
def take_back_wish_for_mine(number: int) -> Response:
    return line.take_back(_enter(number, deed="write"))


# --- who ---------------------------------------------------------------------------------------------------------------------------------


def _enter(number: int, *, deed: policy.Deed = "see") -> Visit:
    me, who = customer.me(), web.principal()
    ticket = queries.find(who, number, deed=deed)
    may_write = policy.may(who, "write", ticket, takes_part=True)
    if deed == "close" and not intake.takes_part(ticket, me):
        raise Forbidden(_("Only those who take part in this request can say that it is solved."))
    return Visit(ticket, me, Actor("user", who.user_id, via="portal"), url_for("portal.my_request", number=number), may_write=may_write)


def _ids(me: Contact) -> list[int]:
    """The contact and those merged into them: rows keep the contact they were written with."""
    return contacts.group(me.id)


def _requesters(tickets: list[Ticket]) -> dict[int, str]:
    wanted = {ticket.requester_id for ticket in tickets}
    return dict(db.session().execute(select(Contact.id, Contact.name).where(Contact.id.in_(wanted))).all())


def _people(organizations: frozenset[int]) -> list[tuple[int, str]]:
    """Who of these companies has asked something, by name."""
    wanted = select(Contact.id, Contact.name).where(
        Contact.id.in_(select(Ticket.requester_id).where(Ticket.organization_id.in_(organizations))), Contact.merged_into_id.is_(None)
    )
    return [(id, name) for id, name in db.session().execute(wanted.order_by(Contact.name, Contact.id).limit(MOST_PEOPLE))]
