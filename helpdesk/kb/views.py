"""Knowledge base pages for readers: what there is, search and suggestions, an article, whether it helped; and what search engines read."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for

from helpdesk import files, limits, web
from helpdesk.auth import ANONYMOUS
from helpdesk.errors import NotFound
from helpdesk.kb import articles, feedback, front, log, policy, queries, render, search
from helpdesk.kb.models import Article, Category, Translation

bp = Blueprint("kb", __name__)

MOST_RESULTS = 10
EACH_PAGE = 200
#: How many of the articles a browser has judged are remembered in its session, so that a second opinion replaces the first.
REMEMBERED = 20


@bp.get("/kb")
def index() -> Response:
    """Everything the reader may read in their language, by category."""
    return make_response(render_template("kb/index.html", shelves=front.front(web.principal(), web.lang()).shelves))


@bp.get("/kb/topics/<slug>")
def topic(slug: str) -> Response:
    """One category, by title."""
    category = next((one for one in queries.categories() if one.slug == slug), None)
    if category is None:
        raise NotFound
    position = web.uncursor(request.args.get("after"), str, int)
    after = (position[0], position[1]) if position else None
    rows = queries.in_category(web.principal(), web.lang(), category, limit=EACH_PAGE, after=after)
    page = web.paged(rows, EACH_PAGE, lambda card: (card.title, card.article_id))
    next_url = url_for("kb.topic", slug=slug, after=page.next) if page.next else ""
    first_url = url_for("kb.topic", slug=slug) if after else ""
    return make_response(render_template("kb/topic.html", category=category, page=page, next_url=next_url, first_url=first_url))


@bp.get("/kb/search")
def find() -> Response:
    """Results for ?q=, narrowed by ?in= (a language) and ?topic=. Without a result: other ways to an answer."""
    asked = request.args.get("q", "")[:2000].replace("\x00", "")
    who, language = web.principal(), web.lang()
    only = request.args.get("in", "")
    only = only if only in articles.LANGUAGES else ""
    topics = queries.categories()
    chosen = next((one.slug for one in topics if one.slug == request.args.get("topic")), "")
    found = None
    if asked.strip():
        found = search.find_articles(
            asked,
            who,
            language,
            "portal",
            limit=MOST_RESULTS,
            only_language=only or None,
            category=chosen or None,
            visitor="" if who.staff else visitor(),
        )
    useful = [] if found and found.articles else front.front(who, language).useful
    html = render_template("kb/search.html", asked=asked, found=found, only=only, topics=topics, chosen=chosen, useful=useful)
    return make_response(html)


@bp.get("/kb/suggest")
def suggest() -> Response:
    """What could be meant by what is being typed: a list to hang under the field, or JSON for who asks for that."""
    typed = request.args.get("q", "")[:200]
    found = search.suggest_articles(typed, web.principal(), web.lang()) if len(typed.strip()) >= 2 else []
    if request.accept_mimetypes.best_match(("text/html", "application/json")) == "application/json":
        items = [{"title": one.words, "language": one.language, "url": _url(one.language, one.slug)} for one in found]
        return make_response({"items": items})
    return make_response(render_template("kb/_suggest.html", found=found, typed=typed))


@bp.get("/kb/<any(en, ru):language>/<slug>")
def article(language: str, slug: str) -> Response:
    """An article; a former address leads to the present one. ?s= is the search it was found by."""
    who = web.principal()
    try:
        shown = queries.to_read(who, language, slug)
    except NotFound:
        if moved := queries.moved_to(who, language, slug):
            return make_response(redirect(_url(language, moved), 301))
        raise
    key = log.usable_key(request.args.get("s", ""))
    web.later(lambda: log.read(shown.article_id, key))
    related = search.related_articles(shown, who)
    html = render_template(
        "kb/article.html",
        article=shown.article,
        shown=shown,
        html=render.html(shown.body),
        headings=render.headings(shown.body),
        description=render.first_words(shown.body),
        languages=published_languages(shown.article),
        related=related,
        key=key,
        verdict=_verdict(shown.article_id),
        may_edit=policy.may(who, "draft"),
    )
    return make_response(html)


@bp.post("/kb/<any(en, ru):language>/<slug>/feedback")
def judge(language: str, slug: str) -> Response:
    """Keep whether it helped, and why not. Nobody signs in for this; the same browser's second opinion replaces its first."""
    limits.within("feedback", "60 per hour")
    who = web.principal()
    shown = queries.to_read(who, language, slug)
    helpful = request.form.get("helpful") == "yes"
    known: dict[str, list[Any]] = dict(session.get("judged", {}))
    earlier = known.pop(str(shown.article_id), None)
    verdict = feedback.judge(
        shown.article,
        language,
        helpful,
        by=web.current_actor(),
        reason=web.text("reason", longest=feedback.LONGEST_REASON),
        contact_id=who.contact_id,
        earlier_id=earlier[0] if earlier else None,
    )
    known[str(shown.article_id)] = [verdict.id, helpful]
    session["judged"] = dict(list(known.items())[-REMEMBERED:])
    key = log.usable_key(request.form.get("s", ""))
    if key:
        log.told(key, shown.article_id, helpful)
    values = {"shown": shown, "verdict": helpful, "key": key, "reason": verdict.reason}
    return web.fragment("kb/_helped.html", page=f"{_url(language, slug)}{f'?s={key}' if key else ''}#helped", **values)


@bp.get("/kb/files/<int:file_id>")
def picture(file_id: int) -> Response:
    """A picture or file of an article, for whoever may read it."""
    file = queries.picture(web.principal(), file_id)
    answer = make_response(files.store().read(file.object_key))
    shown = file.content_type.startswith("image/")  # only pictures were given such a type (`authoring`)
    answer.headers["Content-Type"] = file.content_type if shown else "application/octet-stream"
    answer.headers["Content-Disposition"] = f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(file.name)}"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer


# --- for search engines --------------------------------------------------------------------------------------------------------------


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    """The start, the topics and public articles, each in its languages."""
    shelves = front.front(ANONYMOUS, "en").shelves + front.front(ANONYMOUS, "ru").shelves
    topics = sorted({shelf.category.slug for shelf in shelves if shelf.category is not None})
    places: list[tuple[str, dict[str, str]]] = [("portal.home", {}), ("kb.index", {}), *(("kb.topic", {"slug": slug}) for slug in topics)]
    pages = [{language: web.absolute(where, **values, lang=language) for language in articles.LANGUAGES} for where, values in places]
    html = render_template("kb/sitemap.xml", pages=pages, articles=queries.for_everybody().values(), address=_absolute)
    answer = make_response(html)
    answer.headers["Content-Type"] = "application/xml; charset=utf-8"
    return answer


@bp.get("/robots.txt")
def robots() -> Response:
    """Articles may be indexed, people's pages may not."""
    closed = (
        "/t/",
        "/rate/",
        "/my",
        "/requests/",
        "/links",
        "/sign-in",
        "/inbox",
        "/admin",
        "/api/",
        "/kb/search",
        "/kb/suggest",
        "/kb/manage",
    )
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed), f"Sitemap: {web.absolute('kb.sitemap')}"]
    answer = make_response("\n".join(lines) + "\n")
    answer.headers["Content-Type"] = "text/plain; charset=utf-8"
    return answer


def visitor() -> str:
    """A random word that joins this browser's searches until it is closed; it says nothing about who that is."""
    known: str = session.get("visitor", "")
    if not known:
        known = session["visitor"] = log.new_key()
    return known


# --- what templates ask --------------------------------------------------------------------------------------------------------------


def published_languages(of: Article) -> list[Translation]:
    """The languages an article can be read in."""
    return [translation for translation in of.translations if translation.published_revision is not None]


def category_name(category: Category | None) -> str:
    """A category's name in the reader's language."""
    if category is None:
        return ""
    return category.name_ru if web.lang() == "ru" else category.name_en


def _url(language: str, slug: str) -> str:
    return url_for("kb.article", language=language, slug=slug)


def _absolute(shown: Translation | queries.Card) -> str:
    return web.absolute("kb.article", language=shown.language, slug=shown.slug)


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"category_name": category_name, "article_url": _url, "article_address": _absolute, "page_address": page_address}


def page_address(language: str) -> str:
    """The present page's address in one language, for search engines; without a language, the one that asks the browser."""
    kept = {name: request.args[name] for name in ("after",) if name in request.args}
    values: dict[str, Any] = {**(request.view_args or {}), **kept, **({"lang": language} if language else {})}
    return web.absolute(request.endpoint or "portal.home", **values)


def _verdict(article_id: int) -> bool | None:
    """What this browser said of the article before."""
    said = session.get("judged", {}).get(str(article_id))
    return bool(said[1]) if said else None
