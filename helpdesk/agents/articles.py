"""Articles for whoever answers: found by words, or for the ticket at hand; sent as a link or as text, in the customer's language.

A link is offered only to what the customer may open. That an article was sent is noted with the reply (`tickets.knowledge`).
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from sqlalchemy import Select, select

from helpdesk import db, web
from helpdesk.errors import NotFound
from helpdesk.kb import policy as kb_policy
from helpdesk.kb import render, search
from helpdesk.kb.models import Article, ArticleOrganization, Audience, Translation
from helpdesk.tickets import queries
from helpdesk.tickets.models import MessageKind, Ticket

bp = Blueprint("sending", __name__)

MOST = 6
#: Letters of a ticket that stand for its question.
READ = 600


@dataclass(frozen=True)
class Sendable:
    """An article as it can be sent to one ticket's customer. `link` is empty for what the customer may not open."""

    article_id: int
    language: str
    title: str
    slug: str
    link: str


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.get("/tickets/<int:number>/articles")
def articles_for(number: int) -> Response:
    """Articles for ?q=, or without words for what the ticket asks; ?key= joins the searches of one composer."""
    ticket = queries.find(web.principal(), number)
    words = request.args.get("q", "").strip()[:500]
    found = _sendable(ticket, words, request.args.get("key", ""))
    return make_response(render_template("agents/_articles.html", ticket=ticket, words=words, found=found))


@bp.get("/tickets/<int:number>/articles/<int:article_id>/<any(en, ru):language>")
def article_text(number: int, article_id: int, language: str) -> Response:
    """An article's words as a mail can carry them."""
    queries.find(web.principal(), number)
    shown = db.session().scalar(_readable().where(Translation.article_id == article_id, Translation.language == language))
    if shown is None:
        raise NotFound
    return jsonify({"text": f"{shown.title}\n\n{render.plain(shown.body, web.settings().base_url)}"})


def language_of(ticket: Ticket) -> str:
    """The language to answer in: the ticket's, else the customer's, else the agent's own."""
    wishes = (ticket.language, ticket.requester.language, web.lang())
    return next((wish[:2] for wish in wishes if wish[:2] in ("en", "ru")), "en")


def _sendable(ticket: Ticket, words: str, key: str) -> list[Sendable]:
    language, who = language_of(ticket), web.principal()
    if words:
        found = search.find_articles(words, who, language, "workspace", limit=MOST, key=key).articles
    else:
        found = tuple(search.articles_about(_question(ticket), who, language, limit=MOST))
    ids = [one.article_id for one in found]
    rows = db.session().scalars(_readable().where(Translation.article_id.in_(ids)).order_by(Translation.language == language)).all()
    best = {row.article_id: row for row in rows}  # in the customer's language where there is one
    open_to_them = _open_to(ticket, ids)
    return [
        Sendable(
            id, best[id].language, best[id].title, best[id].slug,
            web.absolute("kb.article", language=best[id].language, slug=best[id].slug) if id in open_to_them else "",
        )
        for id in ids if id in best
    ]  # fmt: skip


def _question(ticket: Ticket) -> str:
    first = next((one.text for one in queries.messages(ticket, public=True) if one.kind is MessageKind.INBOUND), "")
    return f"{ticket.subject}\n{first[:READ]}"


def _open_to(ticket: Ticket, ids: list[int]) -> set[int]:
    """Those of these articles that the ticket's customer may open."""
    theirs = select(ArticleOrganization.article_id).where(ArticleOrganization.organization_id == ticket.organization_id)
    for_them = (Article.audience == Audience.PUBLIC) | ((Article.audience == Audience.ORGANIZATIONS) & Article.id.in_(theirs))
    return set(db.session().scalars(select(Article.id).where(Article.id.in_(ids), for_them)))


def _readable() -> Select[Translation]:
    shown = (Translation.published_revision.is_not(None), Article.withdrawn_at.is_(None), kb_policy.readable(web.principal()))
    return select(Translation).join(Article, Article.id == Translation.article_id).where(*shown)
