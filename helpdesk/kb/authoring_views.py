"""Where colleagues write: the list of articles, the editor with its preview and the other language beside it, history, topics.

Agents write drafts, supervisors and admins publish (`policy.may`). Every page works without scripts; a refusal keeps what was written.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import to_utc
from werkzeug.datastructures import MultiDict

from helpdesk import db, web
from helpdesk.auth import require
from helpdesk.errors import Conflict, HelpdeskError, Invalid
from helpdesk.kb import approval, articles, policy, queries, render, search, templates
from helpdesk.kb.about import MOST_RELATED, organizations_of, related_to
from helpdesk.kb.comparing import Line, compared
from helpdesk.kb.models import Article, Translation

bp = Blueprint("kb_manage", __name__, url_prefix="/kb/manage")

PAGE = 40
LANGUAGES = "any(en, ru)"


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()
    require(policy.may(web.principal(), "draft"))


@bp.get("")
def index() -> Response:
    """Articles with their state, the last edited first."""
    shown = wanted(request.args)
    after = web.uncursor(request.args.get("after"), datetime, int)
    rows = queries.listed(shown, limit=PAGE, after=(after[0], after[1]) if after else None)
    page = web.paged(rows, PAGE, lambda row: (row.article.updated_at, row.article.id))
    kept: dict[str, Any] = {name: value for name, value in request.args.items() if name != "after" and value}
    html = render_template(
        "kb/manage.html",
        page=page,
        wanted=shown,
        owner=request.args.get("owner", ""),
        kept=kept,
        may_publish=policy.may(web.principal(), "publish"),
        counts=queries.counts(),
        topics=queries.categories(),
        authors=queries.authors(),
        next_url=url_for("kb_manage.index", **kept, after=page.next) if page.next else "",
        first_url=url_for("kb_manage.index", **kept) if after else "",
    )
    return make_response(html)


def wanted(given: MultiDict[str, str]) -> queries.Filter:
    """What the list is narrowed to, by an address or a form; what means nothing is left out."""
    owner = given.get("owner", "")
    return queries.Filter(
        words=given.get("q", "").strip()[:200],
        state=given.get("state", "") if given.get("state") in queries.STATES else "",
        language=given.get("language", "") if given.get("language") in articles.LANGUAGES else "",
        category_id=given.get("category", type=int),
        owner_id=web.principal().user_id if owner == "me" else given.get("owner", type=int),
    )


# --- writing -----------------------------------------------------------------------------------------------------------------------------


@bp.get("/new")
def new() -> Response:
    """An editor, empty or begun by ?template=, in the writer's language unless ?language= says otherwise."""
    language = request.args.get("language", web.lang())
    language = language if language in articles.LANGUAGES else "en"
    begun: dict[str, Any] = {"title": request.args.get("title", "")[:300]}
    if request.args.get("template", "").isdecimal():
        template = templates.find(int(request.args["template"]))
        begun = {"title": begun["title"] or template.title, "body": template.body, "category": template.category_id or ""}
    return editor(None, language, begun)


@bp.post("/new")
def create() -> Response:
    """Begin an article with its first words."""
    language = request.form.get("language", "")
    language = language if language in articles.LANGUAGES else "en"
    deed, title, body = (request.form.get(name, "") for name in ("deed", "title", "body"))
    if deed == "preview":
        return editor(None, language, request.form)
    try:
        with db.session().begin_nested():
            article = articles.create(by=web.current_actor(), category_id=category_id())
            articles.save_draft(article, language, title=title, body=body, by=web.current_actor())
            said = _go_on(article, language, deed)
    except Invalid as wrong:
        return editor(None, language, request.form, wrong=wrong)
    flash(said)
    return web.see(url_for("kb_manage.edit", article_id=article.id, language=language))


@bp.get(f"/<int:article_id>/<{LANGUAGES}:language>")
def edit(article_id: int, language: str) -> Response:
    """The editor; with ?beside=1 the other language stands beside it."""
    return editor(queries.to_edit(article_id), language, {})


@bp.post(f"/<int:article_id>/<{LANGUAGES}:language>")
def save(article_id: int, language: str) -> Response:
    """Keep the draft; `deed` publish also publishes it, schedule plans that, review asks for it, preview only shows the text.

    Whoever was slower keeps their words and is told.
    """
    article = queries.to_edit(article_id)
    deed = request.form.get("deed", "")
    if deed == "preview":
        return editor(article, language, request.form)
    title, body = request.form.get("title", ""), request.form.get("body", "")
    try:
        with db.session().begin_nested():
            articles.save_draft(article, language, title=title, body=body, by=web.current_actor(), seen=web.form_version())
            said = _go_on(article, language, deed)
    except (Invalid, Conflict) as wrong:
        return editor(queries.to_edit(article_id), language, request.form, wrong=wrong)
    flash(said)
    return web.see(url_for("kb_manage.edit", article_id=article.id, language=language, beside=request.form.get("beside") or None))


@bp.put(f"/<int:article_id>/<{LANGUAGES}:language>/draft")
def keep_draft(article_id: int, language: str) -> Response:
    """Keep what is being written, while it is being written; answers with the version that the next save has seen."""
    article = queries.to_edit(article_id)
    title, body = request.form.get("title", ""), request.form.get("body", "")
    try:
        articles.save_draft(article, language, title=title, body=body, by=web.current_actor(), seen=web.form_version())
    except (Invalid, Conflict) as wrong:
        words = wrong.detail if isinstance(wrong, Conflict) else next(iter(wrong.fields.values()))
        return make_response({"trouble": str(words)}, wrong.status)
    return make_response({"version": article.version})


@bp.post("/preview")
@web.own_edge
def preview() -> Response:
    """What the text will look like; nothing is kept."""
    with db.read():
        return make_response(render_template("kb/_preview.html", html=render.html(request.form.get("body", "")[: articles.LONGEST_BODY])))


def _go_on(article: Article, language: str, deed: str) -> str:
    """What follows the saving of a draft; the words that say so."""
    by, note = web.current_actor(), request.form.get("note", "")
    if deed == "publish":
        require(policy.may(web.principal(), "publish"))
        articles.publish(article, language, by=by, note=note, minor=bool(request.form.get("minor")))
        return str(_("Published."))
    if deed == "schedule":
        require(policy.may(web.principal(), "publish"))
        approval.schedule(article, language, _moment("publish_at"), by=by, note=note)
        return str(_("Planned: it will appear at that time by itself."))
    if deed == "review":
        approval.send_for_review(article, language, by=by)
        return str(_("Sent for review."))
    return str(_("Saved."))


# --- below -------------------------------------------------------------------------------------------------------------------------------


def editor(article: Article | None, language: str, typed: Any, *, wrong: HelpdeskError | None = None, about: Any = None) -> Response:
    """The editor for one language, with the other beside it. `typed` is what was sent and must not be lost."""
    mine = next((t for t in article.translations if t.language == language), None) if article else None
    other = next((t for t in article.translations if t.language != language), None) if article else None
    errors = {name: str(words) for name, words in wrong.fields.items()} if isinstance(wrong, Invalid) else {}
    trouble = str(wrong.detail) if wrong is not None and not errors else ""
    title = typed.get("title", mine.draft_title if mine else "")
    body = typed.get("body", mine.draft_body if mine else "")
    html = render_template(
        "kb/edit.html",
        article=article,
        language=language,
        other_language="ru" if language == "en" else "en",
        mine=mine,
        other=other,
        title_typed=title,
        body_typed=body,
        typed=typed,
        about=about or {},
        errors=errors,
        trouble=trouble,
        stale=isinstance(wrong, Conflict),
        html=render.html(body),
        outdated=bool(article and mine and articles.outdated(mine, article.translations)),
        unpublished=mine is not None and (mine.draft_title, mine.draft_body) != (mine.title, mine.body),
        may_publish=policy.may(web.principal(), "publish"),
        topics=queries.categories(),
        authors=queries.authors(),
        organizations=queries.organizations(),
        chosen=[int(id) for id in about.getlist("organizations") if id.isdecimal()]
        if about
        else organizations_of(article)
        if article
        else [],
        **(related_part(article, language, about or MultiDict()) if article else {}),
        said=_said_since(mine, other) if mine and other else [],
        beside=bool(other and request.values.get("beside")),
        templates=[] if article else templates.listed(language),
        files=queries.files_of(article.id) if article else [],
        verdicts=queries.latest_verdicts(article.id) if article else [],
    )
    return make_response(html, wrong.status if wrong is not None else 200)


def category_id() -> int | None:
    wanted = request.form.get("category", "")
    if not wanted:
        return None
    if not any(str(category.id) == wanted for category in queries.categories()):
        raise Invalid(fields={"category": _("Please choose one of the list.")})
    return int(wanted)


def related_part(article: Article, language: str, sent: MultiDict[str, str]) -> dict[str, Any]:
    """What `kb/_related.html` draws: articles placed beside this one, as they stand or as they were sent, and those found by words."""
    ids = named("related", sent)
    ids = related_to(article) if ids is None else ids
    titles = queries.titles(ids, language)
    words = sent.get("related_words", "").strip()[:200]
    found = search.suggest_articles(words, web.principal(), language, limit=MOST_RELATED) if words else []
    return {
        "related": [(id, titles[id]) for id in ids if id in titles],
        "related_words": words,
        "found": [one for one in found if one.article_id not in {article.id, *ids}],
    }


def named(name: str, sent: MultiDict[str, str]) -> list[int] | None:
    """Articles by their numbers, as a list of fields or as words; None when the form does not speak of them."""
    if name not in sent:
        return None
    return [int(word) for words in sent.getlist(name) for word in re.findall(r"\d{1,18}", words)]


def _said_since(mine: Translation, other: Translation) -> list[Line]:
    """What the other language says differently since this one was published or confirmed."""
    if mine.checked_at is None or other.published_revision is None:
        return []
    before = queries.said_until(other, mine.checked_at)
    return compared(before.body if before else "", other.body)


def _moment(name: str) -> datetime:
    """A moment on the reader's clock, as a date field with time sends it."""
    try:
        moment: datetime = to_utc(datetime.fromisoformat(request.form.get(name, "").strip()))
    except ValueError:
        raise Invalid(fields={name: _("Please choose a day and a time.")}) from None
    return moment.replace(tzinfo=UTC)
