"""The agent's workspace as pages: list, thread, customer; search from the palette; news."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify, make_response, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select

from helpdesk import db, web
from helpdesk.agents import answering, call_notices, customers, explaining, exporting, lists, notifications, screens, signatures, viewing
from helpdesk.agents import queries as agents_queries
from helpdesk.agents.scheduled import shown as scheduled
from helpdesk.auth import Role, User
from helpdesk.crm import access, calling, contacts, profile, timeline
from helpdesk.crm import policy as crm_policy
from helpdesk.crm import queries as crm_queries
from helpdesk.crm.exchange.handing_out import hand_out
from helpdesk.crm.models import Contact, Identity
from helpdesk.kb import search
from helpdesk.tickets import linking, policy, queries
from helpdesk.tickets.models import Inbox, Priority, Queue, Status, Ticket, unsolved
from helpdesk.tickets.topics import asking, correcting

bp = Blueprint("agents", __name__)

#: The customer's page asks these what it shows of tickets; imported here, where the workspace begins.
BESIDE = (customers.open_tickets, customers.numbers)


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.get("/inbox")
@bp.get("/inbox/<int:number>")
def inbox(number: int | None = None) -> Any:
    """The workspace; with a number, that ticket is open. The script asks for the middle alone."""
    who = web.principal()
    ticket = queries.find(who, number) if number is not None else None
    if ticket is not None:
        read_later(ticket)
    if ticket is not None and web.htmx() and web.target() == "main":
        return render_template("agents/_conversation.html", **conversation(ticket))
    key = lists.check_key(request.args.get("list") or (lists.default_key(who) if ticket is None else _list_of(ticket)), who)
    shown = list_values(key)
    if ticket is None:
        return render_template("agents/inbox.html", here="inbox", ticket=None, **shown)
    return render_template("agents/inbox.html", here="inbox", **shown, **conversation(ticket))


@bp.get("/inbox/list")
def ticket_list() -> str:
    """The list alone: refreshed, filtered, or its next page."""
    key = lists.check_key(request.args.get("list") or lists.default_key(web.principal()), web.principal())
    return render_template("agents/_list.html", **list_values(key))


@bp.post("/inbox/export")
@web.own_edge
def export_tickets() -> Response:
    """The list as it is narrowed, as CSV or Excel, for who may take lists out of the desk."""
    return hand_out(lambda: exporting.tickets(web.principal(), request.form.get("list", ""), _narrowed()))


@bp.get("/tickets/<int:number>/thread")
def thread(number: int) -> str:
    """The open thread, fetched again after a push."""
    ticket = queries.find(web.principal(), number)
    read_later(ticket)
    return render_template("agents/_thread.html", ticket=ticket, thread=queries.thread(ticket), scheduled=scheduled.of(ticket))


@bp.get("/tickets/<int:number>/head")
def head(number: int) -> str:
    """The head of the open thread."""
    return render_template("agents/_head.html", **conversation(queries.find(web.principal(), number)))


@bp.get("/tickets/<int:number>/colleagues")
def colleagues(number: int) -> str:
    """Who else is here."""
    ticket = queries.find(web.principal(), number)
    return render_template("agents/_colleagues.html", ticket=ticket, others=viewing.others(ticket.id, web.principal()))


@bp.get("/tickets/<int:number>/why")
def why(number: int) -> str:
    """Why did I get this, or why is it still waiting?"""
    ticket = queries.find(web.principal(), number)
    return render_template("agents/why.html", here="inbox", ticket=ticket, story=explaining.story(ticket))


@bp.get("/offers")
def open_offers() -> str:
    return render_template("agents/_offers.html", cards=screens.offer_cards(web.principal().user_id or 0))


@bp.get("/notifications")
def news() -> str:
    user_id = web.principal().user_id or 0
    return render_template("agents/notifications.html", here="notifications", news=notifications.latest(user_id, language=web.lang()))


@bp.get("/notifications/articles/<int:article_id>")
def open_article(article_id: int) -> Response:
    """The article that a notification is about; opening it reads the notification."""
    user_id = web.principal().user_id
    if user_id is not None:
        web.later(lambda: notifications.read(user_id, article_id=article_id))
    return web.see(url_for("kb_manage.edit", article_id=article_id, language=web.lang()))


@bp.get("/notifications/calls/<int:call_id>")
def open_call(call_id: int) -> Response:
    """The call that a notification is about; opening it reads the notification."""
    user_id = web.principal().user_id
    if user_id is not None:
        web.later(lambda: call_notices.read(user_id, call_id))
    return web.see(url_for("care.calls", whose=calling.where(web.principal(), call_id)) + f"#call-{call_id}")


@bp.get("/find")
def find() -> Response:
    """What Ctrl+K asks the server: tickets, customers and articles by words, tickets also by number."""
    words = request.args.get("q", "").strip()[:200]
    if len(words) < 2:
        return jsonify([])
    who = web.principal()
    found: list[dict[str, str]] = []
    for ticket in lists.page(who, "all", lists.Filters(q=words), limit=6).rows:
        found.append(
            {"name": f"#{ticket.number} {ticket.subject}", "kind": _("Ticket"), "url": url_for("agents.inbox", number=ticket.number)}
        )
    for one in crm_queries.page(who, crm_queries.Wanted(q=words), limit=5).rows:
        found.append({"name": one.contact.name, "kind": _("Customer"), "url": f"/customers/{one.contact.id}"})
    for article in search.suggest_articles(words, who, web.lang()):
        url = url_for("kb.article", language=article.language, slug=article.slug)
        found.append({"name": article.words, "kind": _("Article"), "url": url})
    return jsonify(found)


# --- what the pages show -------------------------------------------------------------------------------------------------


def list_values(key: str) -> dict[str, Any]:
    """Everything the list pane draws."""
    who = web.principal()
    filters = _narrowed()
    queues = agents_queries.queues_for(who)
    rooms = [f"agent:{who.user_id}", *(f"queue:{queue.id}" for queue in queues)]
    return {
        "key": key,
        "filters": filters,
        "page": lists.page(who, key, filters, cursor=request.args.get("cursor")),
        "queues": {queue.id: queue for queue in queues} if who.leads else lists.queues_by_id(),
        "own_queues": queues,
        "counts": {f"mine:{who.user_id}": lists.mine_count(who.user_id or 0), **{f"queue:{q.id}": lists.queue_count(q.id) for q in queues}},
        "rooms": rooms,
        "cards": screens.offer_cards(who.user_id or 0),
    }


def _narrowed() -> lists.Filters:
    """How the list is narrowed, in the address or in the form that takes it out."""
    asked = request.values
    return lists.Filters(
        q=asked.get("q", "").replace("\x00", "").strip()[:200],
        status=asked.get("status", ""),
        priority=asked.get("priority", ""),
        overdue=asked.get("overdue") == "1",
    )


def conversation(ticket: Ticket) -> dict[str, Any]:
    """Everything the middle and the customer beside it draw."""
    who = web.principal()
    session = db.session()
    user_id = who.user_id or 0
    return {
        "ticket": ticket,
        "queue": session.get_one(Queue, ticket.queue_id),
        "thread": queries.thread(ticket),
        "scheduled": scheduled.of(ticket),
        "signature": signatures.under(session.get(User, user_id), session.get_one(Inbox, ticket.inbox_id)),
        "draft": answering.draft_of(user_id, ticket.id),
        "others": viewing.others(ticket.id, who),
        "colleagues": agents_queries.colleagues(),
        "all_queues": list(session.scalars(select(Queue).where(Queue.active).order_by(Queue.name))),
        "statuses": [Status.OPEN, Status.PENDING, Status.ON_HOLD],
        "priorities": list(Priority),
        "customer": customer(ticket.requester),
        "answers": asking.answered(ticket),
        "topic": asking.topic_name(ticket),
        "may_correct": policy.may(who, "edit", ticket) and correcting.is_open(ticket),
        "link_holders": linking.holders(ticket),
    }


def customer(contact: Contact) -> dict[str, Any]:
    """The card beside the thread: who, how to reach them, how they feel, what else they asked."""
    session = db.session()
    contact, ids = contacts.canonical(contact), contacts.group(contact.id)
    access.noted([contact.id], "viewed", via="card")
    seen = (Ticket.requester_id.in_(ids), policy.visible(web.principal()))
    recent = select(Ticket).where(*seen).order_by(Ticket.last_message_at.desc()).limit(6)
    open_ones = select(Ticket).where(*seen, unsolved())
    return {
        "contact": contact,
        "may_open": crm_policy.may(web.principal(), "see", contact),
        "terms": [words for words in (contact.terms, contact.organization.terms if contact.organization else "") if words],
        "identities": list(session.scalars(select(Identity).where(Identity.contact_id.in_(ids)).order_by(Identity.id))),
        "figure": profile.satisfaction_of(contact) if contact.ratings_count else None,
        "recent": list(session.scalars(recent)),
        "open_count": lists.capped(open_ones),
        "timeline": timeline.latest(ids, limit=12),
    }


def read_later(ticket: Ticket) -> None:
    """Opening a ticket reads its news, after the response."""
    user_id, ticket_id = web.principal().user_id, ticket.id
    if user_id is not None:
        web.later(lambda: notifications.read(user_id, ticket_id=ticket_id))


def _list_of(ticket: Ticket) -> str:
    """The list to show beside a ticket opened by its address."""
    who = web.principal()
    if ticket.assignee_id == who.user_id and ticket.status not in (Status.SOLVED, Status.CLOSED):
        return f"mine:{who.user_id}"
    return lists.default_key(who)


@bp.app_context_processor
def _rail() -> dict[str, Any]:
    """What the rail of every colleague's page shows, fetched only if the page has one."""

    def rail() -> dict[str, Any]:
        if "rail" not in g:
            user_id = web.principal().user_id or 0
            g.rail = {"presence": agents_queries.presence_of(user_id), "news": notifications.unread_count(user_id)}
        return dict(g.rail)

    return {"rail": rail, "commands": _commands}


def _commands() -> list[dict[str, str]]:
    """Pages that Ctrl+K finds by either language's name."""
    places = [
        (_("Go to: Tickets"), "Tickets Обращения", "/inbox", "KeyG KeyI"),
        (_("Go to: Customers"), "Customers Клиенты", "/customers", "KeyG KeyC"),
        (_("Go to: Knowledge"), "Knowledge База знаний", "/kb/manage", "KeyG KeyK"),
        (_("Go to: News"), "News Уведомления", "/notifications", "KeyG KeyN"),
        (_("Go to: My profile"), "My profile Мой профиль", "/me", ""),
    ]
    if web.principal().leads:
        places.append((_("Go to: Wallboard"), "Wallboard Табло", "/wallboard", "KeyG KeyW"))
    if web.principal().role is Role.ADMIN:
        places.append((_("Go to: Settings"), "Settings Настройки", "/admin", ""))
    return [{"name": name, "also": also, "url": url, **({"key": key} if key else {})} for name, also, url, key in places]


def answer(*, toast: dict[str, Any] | None = None, ticket: Ticket, status: int = 200) -> Response:
    """After a deed: the conversation anew to the script (with a toast), its page to a plain form."""
    if not web.htmx():
        return web.see(url_for("agents.inbox", number=ticket.number))
    fresh = queries.by_id(ticket.id)
    made = make_response(render_template("agents/_conversation.html", **conversation(fresh)), status)
    if toast:
        made.headers["HX-Trigger"] = _json_header({"toast": toast})
    return made


def _json_header(value: dict[str, Any]) -> str:
    import json

    return json.dumps(value)  # ASCII: headers carry nothing else
