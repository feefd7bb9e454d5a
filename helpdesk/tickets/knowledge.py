"""From a solved ticket to an article: what was asked and what helped become a draft, for an author to make general."""

from __future__ import annotations

import re

from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb import articles
from helpdesk.kb.models import Article
from helpdesk.tickets import queries
from helpdesk.tickets.models import DeliveryState, MessageKind, Ticket

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def draft_article(ticket: Ticket, *, by: Actor) -> tuple[Article, str]:
    """The draft of an article about this ticket and its language; a ticket has one, so asking again finds it.

    Nobody but authors sees it before it is published: names and numbers of the customer are theirs to take out.
    """
    session = db.session()
    known = session.scalar(select(Article).where(Article.source_ticket_id == ticket.id).order_by(Article.id).limit(1))
    if known is not None:
        return known, next((one.language for one in articles.translations(known)), articles.LANGUAGES[0])
    public = [message for message in queries.messages(ticket, public=True) if message.delivery is not DeliveryState.WITHDRAWN]
    asked = next((message.text for message in public if message.kind is MessageKind.INBOUND), "")
    replies = [message.text for message in public if message.kind is MessageKind.REPLY and message.text.strip()]
    language = "ru" if _CYRILLIC.search(ticket.subject + asked) else "en"
    article = articles.create(by=by, source_ticket_id=ticket.id)
    articles.save_draft(article, language, title=ticket.subject[: articles.LONGEST_TITLE], body=_body(asked, replies), by=by)
    return article, language


def _body(asked: str, replies: list[str]) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in asked.strip().splitlines())
    return "\n\n".join(part for part in (quoted, *(reply.strip() for reply in replies)) if part)[: articles.LONGEST_BODY]
