"""For customers who sign in: their requests, their company's if they may see them, and their profile."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flask import Response, flash, jsonify, make_response, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import select, tuple_

from helpdesk import clock, db, live, web
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.channels.portal import bp, forms, line, own_data, visits
from helpdesk.channels.portal.requests import portal_inbox
from helpdesk.channels.portal.visits import Visit
from helpdesk.crm import contacts, editing, history
from helpdesk.crm.models import Contact, Identity, IdentityKind, Organization
from helpdesk.errors import Forbidden, Invalid, NotFound, NotSignedIn
from helpdesk.tickets import intake, plain, policy, queries, search
from helpdesk.tickets.models import UNSOLVED, Channel, Status, Ticket
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
#: How customers may ask to be reached; a wish for those who answer.
CHANNELS = {"email": lazy_gettext("By e-mail"), "phone": lazy_gettext("By phone"), "chat": lazy_gettext("In a chat")}
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
#: Words in the address that narrow or order the list; paging keeps them.
KEPT = ("q", "state", "whose", "sort", "topic", "person")


@bp.get("/my")
def my_requests() -> Response:
    """The customer's requests, or with ?whose=company everybody's of their company. Searching never looks into notes.

    ?state= and ?topic= narrow it, ?person= (of the company's) too, ?sort= orders it.
    """
    me = _me()
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


# --- profile and own data ------------------------------------------------------------------------------------------------------------


@bp.get("/my/profile")
def my_profile() -> Response:
    return _profile(_me())


@bp.post("/my/profile")
def change_my_profile() -> Response:
    """Name, language and time zone, on the customer and on their account alike; and how and when they like to be reached."""
    me = _me()
    by = web.current_actor()
    try:
        name = web.text("name", required=True, longest=120)
        language, zone = request.form.get("language", ""), request.form.get("time_zone", "")
        if language not in ("", *live.LANGUAGES):
            raise Invalid(fields={"language": _("Please choose one of the list.")})
        if zone and not plain.is_zone(zone):
            raise Invalid(fields={"time_zone": _("Please choose one of the list.")})
        channel = request.form.get("preferred_channel", "")
        if channel not in ("", *CHANNELS):
            raise Invalid(fields={"preferred_channel": _("Please choose one of the list.")})
        hours = {name: _hour(name) for name in ("reach_from", "reach_until")}
    except Invalid as wrong:
        return _profile(me, wrong=wrong)
    wishes = {"time_zone": zone, "preferred_channel": channel, "survey_allowed": bool(request.form.get("surveys")), **hours}
    editing.rename(me, name, by=by)
    editing.speak(me, language, by=by)
    history.change(me, wishes, by=by)
    user = db.session().get_one(User, web.principal().user_id)
    user.name, user.language, user.time_zone = me.name, language, zone
    session.pop("lang", None)
    flash(_("Saved."))
    return web.see(url_for("portal.my_profile"))


def _hour(name: str) -> str:
    """A time of day as HH:MM; empty for any. Raises Invalid."""
    text = request.form.get(name, "").strip()[:5]
    if text and not _HOUR.fullmatch(text):
        raise Invalid(fields={name: _("Please give a time such as 09:00.")})
    return text


@bp.get("/my/data")
def my_data_page() -> Response:
    """Everything the desk keeps about this person, to read."""
    me = _me()
    return make_response(render_template("portal/data.html", me=me, data=own_data.export(me)))


@bp.get("/my/data.json")
def my_data() -> Response:
    """Everything the desk keeps about this person, as a file."""
    me = _me()
    answer = jsonify(own_data.export(me))
    answer.headers["Content-Disposition"] = f'attachment; filename="my-data-{clock.now():%Y-%m-%d}.json"'
    return answer


@bp.post("/my/erasure")
def ask_to_erase() -> Response:
    """Ask to be forgotten: a request that a person handles. Asking again the same day leads to the same request."""
    me = _me()
    mark = forms.fingerprint("erasure", me.id, f"{clock.now():%Y-%m-%d}")
    ticket = forms.made_before(mark)
    if ticket is None:
        words = _("Please erase the personal data that you keep about me.")
        incoming = intake.Incoming(me, words, Channel.PORTAL, subject=_("Erase my data"), language=web.lang())
        ticket, _message = intake.receive(incoming, portal_inbox(), by=web.current_actor())
        forms.remember(mark, ticket)
    flash(_("Your request has arrived. We will confirm it to you."))
    return web.see(url_for("portal.my_request", number=ticket.number))


# --- who ---------------------------------------------------------------------------------------------------------------------------------


def _me() -> Contact:
    """The customer who is signed in. Colleagues have no requests of their own: they are told there is nothing here."""
    who = web.principal()
    if who.user_id is None:
        raise NotSignedIn
    if who.staff or who.contact_id is None:
        raise NotFound
    return db.session().get_one(Contact, who.contact_id)


def _enter(number: int, *, deed: policy.Deed = "see") -> Visit:
    me, who = _me(), web.principal()
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


def _profile(me: Contact, *, wrong: Invalid | None = None) -> Response:
    session_ = db.session()
    mails = session_.scalars(select(Identity.value).where(Identity.contact_id.in_(_ids(me)), Identity.kind == IdentityKind.EMAIL))
    organization = session_.get(Organization, me.organization_id) if me.organization_id else None
    values: dict[str, Any] = {"me": me, "mails": list(mails), "organization": organization, "channels": list(CHANNELS.items())}
    errors = wrong.fields if wrong is not None else {}
    html = render_template("portal/profile.html", **values, errors=errors, form=request.form, zones=plain.zones())
    return make_response(html, wrong.status if wrong is not None else 200)
