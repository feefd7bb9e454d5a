"""Where colleagues write: the list of articles, the editor with its preview and the other language beside it, history, topics.

Agents write drafts, supervisors and admins publish (`policy.may`). Every page works without scripts; a refusal keeps what was written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import clock, db, files, pictures, web
from helpdesk.auth import require
from helpdesk.errors import Conflict, HelpdeskError, Invalid, NotFound, TooLarge
from helpdesk.kb import articles, policy, queries, render
from helpdesk.kb.models import Article, ArticleFile, Audience, Translation

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
    owner = request.args.get("owner", "")
    wanted = queries.Filter(
        words=request.args.get("q", "").strip()[:200],
        state=request.args.get("state", "") if request.args.get("state") in queries.STATES else "",
        language=request.args.get("language", "") if request.args.get("language") in articles.LANGUAGES else "",
        category_id=request.args.get("category", type=int),
        owner_id=web.principal().user_id if owner == "me" else request.args.get("owner", type=int),
    )
    after = web.uncursor(request.args.get("after"), datetime, int)
    rows = queries.listed(wanted, limit=PAGE, after=(after[0], after[1]) if after else None)
    page = web.paged(rows, PAGE, lambda row: (row.article.updated_at, row.article.id))
    kept: dict[str, Any] = {name: value for name, value in request.args.items() if name != "after" and value}
    html = render_template(
        "kb/manage.html",
        page=page,
        wanted=wanted,
        owner=owner,
        counts=queries.counts(),
        topics=queries.categories(),
        authors=queries.authors(),
        next_url=url_for("kb_manage.index", **kept, after=page.next) if page.next else "",
        first_url=url_for("kb_manage.index", **kept) if after else "",
    )
    return make_response(html)


# --- writing -----------------------------------------------------------------------------------------------------------------------------


@bp.get("/new")
def new() -> Response:
    """An empty editor, in the writer's language unless ?language= says otherwise."""
    language = request.args.get("language", web.lang())
    return _editor(None, language if language in articles.LANGUAGES else "en", {"title": request.args.get("title", "")[:300]})


@bp.post("/new")
def create() -> Response:
    """Begin an article with its first words."""
    language = request.form.get("language", "")
    language = language if language in articles.LANGUAGES else "en"
    deed, title, body = (request.form.get(name, "") for name in ("deed", "title", "body"))
    if deed == "preview":
        return _editor(None, language, request.form)
    try:
        with db.session().begin_nested():
            article = articles.create(by=web.current_actor(), category_id=_category_id())
            articles.save_draft(article, language, title=title, body=body, by=web.current_actor())
            if deed == "publish":
                _publish(article, language)
    except Invalid as wrong:
        return _editor(None, language, request.form, wrong=wrong)
    flash(_("Saved."))
    return web.see(url_for("kb_manage.edit", article_id=article.id, language=language))


@bp.get(f"/<int:article_id>/<{LANGUAGES}:language>")
def edit(article_id: int, language: str) -> Response:
    return _editor(queries.to_edit(article_id), language, {})


@bp.post(f"/<int:article_id>/<{LANGUAGES}:language>")
def save(article_id: int, language: str) -> Response:
    """Keep the draft; `deed` publish also publishes it, preview only shows it. Whoever was slower keeps their words and is told."""
    article = queries.to_edit(article_id)
    deed = request.form.get("deed", "")
    if deed == "preview":
        return _editor(article, language, request.form)
    title, body = request.form.get("title", ""), request.form.get("body", "")
    try:
        with db.session().begin_nested():
            articles.save_draft(article, language, title=title, body=body, by=web.current_actor(), seen=web.form_version())
            if deed == "publish":
                _publish(article, language)
    except (Invalid, Conflict) as wrong:
        return _editor(queries.to_edit(article_id), language, request.form, wrong=wrong)
    flash(_("Published.") if deed == "publish" else _("Saved."))
    return web.see(url_for("kb_manage.edit", article_id=article.id, language=language))


@bp.post("/preview")
@web.own_edge
def preview() -> Response:
    """What the text will look like; nothing is kept."""
    with db.read():
        return make_response(render_template("kb/_preview.html", html=render.html(request.form.get("body", "")[: articles.LONGEST_BODY])))


def _publish(article: Article, language: str) -> None:
    require(policy.may(web.principal(), "publish"))
    articles.publish(article, language, by=web.current_actor(), note=request.form.get("note", ""), minor=bool(request.form.get("minor")))


# --- an article as a whole ---------------------------------------------------------------------------------------------------------------


@bp.post("/<int:article_id>/about")
def describe(article_id: int) -> Response:
    """Topic, audience, tags, owner and review date. For an article that readers see, whoever may publish decides."""
    article = queries.to_edit(article_id)
    if any(translation.published_revision is not None for translation in article.translations):
        require(policy.may(web.principal(), "publish"))
    language = request.form.get("language", "en")
    try:
        with db.session().begin_nested():
            audience = request.form.get("audience", "")
            if audience not in set(Audience):
                raise Invalid(fields={"audience": _("Please choose one of the list.")})
            articles.describe(
                article,
                by=web.current_actor(),
                category_id=_category_id(),
                audience=Audience(audience),
                organizations=_organizations(),
                tags=request.form.get("tags", "").split(","),
                owner_id=_owner_id(),
                review_at=_day("review_at"),
                seen=web.form_version(),
            )
            if (slug := request.form.get("slug", "").strip()) and articles.translation_of(article, language) is not None:
                articles.readdress(article, language, slug, by=web.current_actor())
    except (Invalid, Conflict) as wrong:
        return _editor(queries.to_edit(article_id), language, {}, wrong=wrong, about=request.form)
    flash(_("Saved."))
    return web.see(url_for("kb_manage.edit", article_id=article_id, language=language))


@bp.post("/<int:article_id>/withdrawal")
def withdraw(article_id: int) -> Response:
    """Take an article from its readers."""
    require(policy.may(web.principal(), "publish"))
    article = queries.to_edit(article_id)
    articles.withdraw(article, by=web.current_actor())
    flash(_("Nobody sees this article any more. Publishing it again brings it back."))
    return web.see(_home_of(article))


@bp.post("/<int:article_id>/discard")
def discard(article_id: int) -> Response:
    """Throw a draft away that never was published."""
    articles.discard(queries.to_edit(article_id), by=web.current_actor())
    flash(_("The draft is gone."))
    return web.see(url_for("kb_manage.index"))


@bp.post(f"/<int:article_id>/<{LANGUAGES}:language>/confirmation")
def confirm(article_id: int, language: str) -> Response:
    """The translation still agrees with the other language."""
    require(policy.may(web.principal(), "publish"))
    articles.confirm(queries.to_edit(article_id), language, by=web.current_actor())
    flash(_("Noted: the translation is up to date."))
    return web.see(url_for("kb_manage.edit", article_id=article_id, language=language))


# --- history -----------------------------------------------------------------------------------------------------------------------------


@bp.get(f"/<int:article_id>/<{LANGUAGES}:language>/history")
def history(article_id: int, language: str) -> Response:
    """Every published revision, and two of them (or one and the draft) line by line."""
    article = queries.to_edit(article_id)
    translation = _translation(article, language)
    revisions = queries.revisions(translation)
    texts = {0: (translation.draft_title, translation.draft_body)} | {one.number: (one.title, one.body) for one, _by in revisions}
    new = request.args.get("new", 0, type=int)
    old = request.args.get("old", revisions[0][0].number if revisions else 0, type=int)
    if old not in texts or new not in texts:
        raise NotFound
    title = queries.compared(texts[old][0], texts[new][0])
    lines = queries.compared(texts[old][1], texts[new][1])
    html = render_template(
        "kb/history.html",
        article=article,
        translation=translation,
        language=language,
        revisions=revisions,
        old=old,
        new=new,
        title_lines=title,
        lines=lines,
        may_publish=policy.may(web.principal(), "publish"),
    )
    return make_response(html)


@bp.post(f"/<int:article_id>/<{LANGUAGES}:language>/restoration")
def restore(article_id: int, language: str) -> Response:
    """Take an earlier revision's words as the draft."""
    article = queries.to_edit(article_id)
    number = web.number("number", least=1, most=10**9)
    articles.restore(article, language, number, by=web.current_actor(), seen=web.form_version())
    flash(_("Revision %(number)s is the draft now. Publish it to show it.", number=number))
    return web.see(url_for("kb_manage.edit", article_id=article_id, language=language))


# --- pictures and files ------------------------------------------------------------------------------------------------------------------


@bp.post("/<int:article_id>/files")
@web.own_edge
def add_files(article_id: int) -> Response:
    """Keep pictures and files for an article; the editor then offers them for the text."""
    language = request.form.get("language", "en")
    with db.read():
        article = queries.to_edit(article_id)
    limit = web.settings().max_upload_bytes
    try:
        for upload in web.uploads():
            head = upload.stream.read(16)
            upload.stream.seek(0)
            stored = files.store().put(upload.stream, limit=limit)  # type: ignore[arg-type]
            kind = pictures.kind_of(head) or "application/octet-stream"
            name = (upload.filename or "file").replace("\\", "/").rsplit("/", 1)[-1]
            with db.transaction() as session:
                row = ArticleFile(
                    article_id=article.id,
                    object_key=stored.key,
                    name=" ".join(name.split())[:255] or "file",
                    content_type=kind,
                    size=stored.size,
                    sha256=stored.sha256,
                    added_at=clock.now(),
                )
                session.add(row)
    except TooLarge:
        with db.read():
            flash(_("That is larger than %(n)s MB.", n=limit // 2**20), "bad")
    with db.read():
        return web.see(url_for("kb_manage.edit", article_id=article_id, language=language) + "#files")


# --- below -------------------------------------------------------------------------------------------------------------------------------


def _editor(article: Article | None, language: str, typed: Any, *, wrong: HelpdeskError | None = None, about: Any = None) -> Response:
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
        chosen=articles.organizations_of(article) if article else [],
        files=queries.files_of(article.id) if article else [],
        verdicts=queries.latest_verdicts(article.id) if article else [],
    )
    return make_response(html, wrong.status if wrong is not None else 200)


def _translation(article: Article, language: str) -> Translation:
    found = next((t for t in article.translations if t.language == language), None)
    if found is None:
        raise NotFound
    return found


def _home_of(article: Article) -> str:
    language = article.translations[0].language if article.translations else "en"
    return url_for("kb_manage.edit", article_id=article.id, language=language)


def _category_id() -> int | None:
    wanted = request.form.get("category", "")
    if not wanted:
        return None
    if not any(str(category.id) == wanted for category in queries.categories()):
        raise Invalid(fields={"category": _("Please choose one of the list.")})
    return int(wanted)


def _owner_id() -> int | None:
    wanted = request.form.get("owner", "")
    if not wanted:
        return None
    if not any(str(author.id) == wanted for author in queries.authors()):
        raise Invalid(fields={"owner": _("Please choose one of the list.")})
    return int(wanted)


def _organizations() -> list[int]:
    known = {id for id, _name in queries.organizations()}
    return [int(word) for word in request.form.getlist("organizations") if word.isdecimal() and int(word) in known]


def _day(name: str) -> datetime | None:
    wanted = request.form.get(name, "").strip()
    if not wanted:
        return None
    try:
        return datetime.strptime(wanted, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(fields={name: _("Please give a day, such as 2026-12-31.")}) from None
