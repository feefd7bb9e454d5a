"""Between tickets and articles: a solved ticket becomes a draft, replies tell which articles help, search learns how customers write."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select

from helpdesk import db, web
from helpdesk.actor import Actor
from helpdesk.catalog import AgentReplied, TicketSolved
from helpdesk.events import reaction
from helpdesk.kb import articles, teaching
from helpdesk.kb.models import Article, ArticleUse, FormerAddress, Translation
from helpdesk.kb.text import words
from helpdesk.tickets import queries
from helpdesk.tickets.models import DeliveryState, Message, MessageKind, Ticket

#: What the words are learnt from: the newest messages, and how much of each; a word counts when so many customers wrote it.
MESSAGES_READ, LETTERS_READ, WRITTEN_BY = 3_000, 2_000, 3
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


@reaction(AgentReplied, lane="io", name="knowledge.articles_used")
def note_articles_named(fact: AgentReplied) -> None:
    """Remember which articles an agent's reply names by their address."""
    message = db.session().get_one(Message, fact.message_id)
    note_articles_sent(message, _named_in(f"{message.html}\n{message.text}"))


def note_articles_sent(message: Message, article_ids: Iterable[int]) -> None:
    """Remember that a reply sent these articles, as links or as text; what is no article counts for nothing."""
    session = db.session()
    for article_id in session.scalars(select(Article.id).where(Article.id.in_(set(article_ids))).order_by(Article.id)).all():
        if session.get(ArticleUse, (message.id, article_id)) is None:
            session.add(ArticleUse(message_id=message.id, article_id=article_id, ticket_id=message.ticket_id, at=message.at))


@reaction(TicketSolved, lane="heavy", delay=timedelta(hours=6), key=lambda fact: "words", name="knowledge.words")
def learn_words(fact: TicketSolved) -> None:
    """Teach search the words that several customers write, so that it does not take them for slips. At most every six hours.

    A name or an address of one customer is not among them: a word counts when three customers used it.
    """
    session = db.session()
    newest = (
        select(Message.contact_id, Message.text)
        .where(Message.kind == MessageKind.INBOUND, Message.contact_id.is_not(None))
        .order_by(Message.id.desc())
        .limit(MESSAGES_READ)
    )
    by_word: dict[str, set[int]] = defaultdict(set)
    for contact_id, text in session.execute(newest):
        for word in set(words(text[:LETTERS_READ])):
            if len(word) >= 4 and word.isalpha() and len(by_word[word]) < WRITTEN_BY:
                by_word[word].add(contact_id or 0)
    teaching.know(word for word, writers in by_word.items() if len(writers) >= WRITTEN_BY)


def _named_in(text: str) -> set[int]:
    """The articles whose addresses stand in a text, former addresses included."""
    base = re.escape(web.settings().base_url.rstrip("/"))
    named = set(re.findall(rf"{base}/kb/(en|ru)/([a-z0-9-]{{1,160}})", text))
    found: set[int] = set()
    for language, slug in named:
        for table in (Translation, FormerAddress):
            found |= set(db.session().scalars(select(table.article_id).where(table.language == language, table.slug == slug)))
    return found


def _body(asked: str, replies: list[str]) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in asked.strip().splitlines())
    return "\n\n".join(part for part in (quoted, *(reply.strip() for reply in replies)) if part)[: articles.LONGEST_BODY]
