"""Who may read, write and publish articles: asked by pages, search, REST and the workspace alike.

Everybody reads public articles, customers also those for their organization, colleagues all. Agents write drafts; supervisors and
admins publish, because what is published speaks for the company.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, and_, exists, false, or_, true

from helpdesk.auth import Principal
from helpdesk.kb.models import Article, ArticleOrganization, Audience

Deed = Literal["draft", "publish"]
READ_SCOPE, WRITE_SCOPE = "articles:read", "articles:write"

PUBLIC, AGENTS = "public", "agents"


def may(who: Principal, deed: Deed) -> bool:
    """Whether `who` may write drafts, or publish, withdraw and restore. What they may read is `readable`."""
    if who.scopes is not None and WRITE_SCOPE not in who.scopes:
        return False
    return who.leads if deed == "publish" else who.staff


def readable(who: Principal) -> ColumnElement[bool]:
    """Whether `who` may read an article that is published, as a condition on Article: permissions are part of the query."""
    if who.scopes is not None and not who.scopes & {READ_SCOPE, WRITE_SCOPE}:
        return false()
    if who.staff:
        return true()
    public = Article.audience == Audience.PUBLIC
    if not who.member_of:
        return public
    for_them = exists().where(ArticleOrganization.article_id == Article.id, ArticleOrganization.organization_id.in_(who.member_of))
    return or_(public, and_(Article.audience == Audience.ORGANIZATIONS, for_them))


def terms(who: Principal) -> frozenset[str]:
    """The same for the index: the audience terms that `who` carries. What it lets through is checked against `readable` again."""
    if who.scopes is not None and not who.scopes & {READ_SCOPE, WRITE_SCOPE}:
        return frozenset()
    if who.staff:
        return frozenset({PUBLIC, AGENTS})
    return frozenset({PUBLIC, *(organization(id) for id in who.member_of)})


def audience_terms(article: Article, organizations: list[int]) -> tuple[str, ...]:
    """The terms an article's entry in the index carries; `organizations` are the ids it is meant for."""
    if article.audience is Audience.PUBLIC:
        return (PUBLIC,)
    if article.audience is Audience.AGENTS:
        return (AGENTS,)
    return (AGENTS, *(organization(id) for id in organizations))


def organization(id: int) -> str:
    return f"org:{id}"
