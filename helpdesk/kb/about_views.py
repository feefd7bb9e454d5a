"""What is known about an article, and what becomes of it: topic, readers, owner, dates, review, withdrawal, its pictures and files."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import clock, db, files, pictures, web
from helpdesk.auth import require
from helpdesk.errors import Conflict, Invalid, TooLarge
from helpdesk.kb import about, approval, articles, policy, queries
from helpdesk.kb.authoring_views import LANGUAGES, bp, category_id, editor, named, related_part
from helpdesk.kb.models import Article, ArticleFile, Audience


@bp.post("/<int:article_id>/about")
def describe(article_id: int) -> Response:
    """Topic, audience, tags, owner and review date. For an article that readers see, whoever may publish decides."""
    article = queries.to_edit(article_id)
    if any(translation.published_revision is not None for translation in article.translations):
        require(policy.may(web.principal(), "publish"))
    language = request.form.get("language", "en")
    if request.form.get("deed") == "find":  # the button of pages without scripts
        return editor(article, language, {}, about=request.form)
    try:
        with db.session().begin_nested():
            audience = request.form.get("audience", "")
            if audience not in set(Audience):
                raise Invalid(fields={"audience": _("Please choose one of the list.")})
            about.describe(
                article,
                by=web.current_actor(),
                category_id=category_id(),
                audience=Audience(audience),
                organizations=_organizations(),
                tags=request.form.get("tags", "").split(","),
                owner_id=_owner_id(),
                review_at=_day("review_at"),
                review_days=web.number("review_days", least=1, most=3650) if request.form.get("review_days", "").strip() else None,
                related=named("related", request.form),
                seen=web.form_version(),
            )
            if (slug := request.form.get("slug", "").strip()) and articles.translation_of(article, language) is not None:
                about.readdress(article, language, slug, by=web.current_actor())
    except (Invalid, Conflict) as wrong:
        return editor(queries.to_edit(article_id), language, {}, wrong=wrong, about=request.form)
    flash(_("Saved."))
    return web.see(url_for("kb_manage.edit", article_id=article_id, language=language))


@bp.get(f"/<int:article_id>/<{LANGUAGES}:language>/related")
def find_related(article_id: int, language: str) -> Response:
    """Articles to place beside this one: those that are ticked, and those found by what is being typed."""
    return make_response(render_template("kb/_related.html", **related_part(queries.to_edit(article_id), language, request.args)))


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


@bp.post("/<int:article_id>/look")
def look_again(article_id: int) -> Response:
    """Somebody looked at the article, and it still holds: the next look is due as often as was set."""
    article = queries.to_edit(article_id)
    who = web.principal()
    require(policy.may(who, "publish") or article.owner_id == who.user_id)
    about.look_again(article, by=web.current_actor())
    flash(_("Noted: it still holds."))
    return web.see(_home_of(article))


# --- approval ----------------------------------------------------------------------------------------------------------------------------


@bp.post(f"/<int:article_id>/<{LANGUAGES}:language>/return")
def give_back(article_id: int, language: str) -> Response:
    """Return a draft to its author, with a reason."""
    require(policy.may(web.principal(), "publish"))
    article = queries.to_edit(article_id)
    try:
        with db.session().begin_nested():
            approval.give_back(article, language, note=request.form.get("returned_note", ""), by=web.current_actor())
    except Invalid as wrong:
        return editor(queries.to_edit(article_id), language, {}, wrong=wrong)
    flash(_("Returned to its author."))
    return web.see(url_for("kb_manage.edit", article_id=article_id, language=language))


@bp.post(f"/<int:article_id>/<{LANGUAGES}:language>/unscheduling")
def unschedule(article_id: int, language: str) -> Response:
    """Take a planned publication back."""
    require(policy.may(web.principal(), "publish"))
    approval.unschedule(queries.to_edit(article_id), language, by=web.current_actor())
    flash(_("The date is taken back. The draft stays."))
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
    kept: list[ArticleFile] = []
    too_large = ""
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
            kept.append(row)
    except TooLarge:
        with db.read():
            too_large = _("That is larger than %(n)s MB.", n=limit // 2**20)
    with db.read():
        if request.accept_mimetypes.best_match(("text/html", "application/json")) == "application/json":
            return make_response({"files": [_in_text(row) for row in kept], "trouble": too_large}, 413 if too_large else 201)
        if too_large:
            flash(too_large, "bad")
        return web.see(url_for("kb_manage.edit", article_id=article_id, language=language) + "#files")


def _in_text(file: ArticleFile) -> str:
    """How an article's text shows a picture, or offers a file."""
    words = file.name.replace("[", "(").replace("]", ")")
    return f"{'!' if file.content_type.startswith('image/') else ''}[{words}]({url_for('kb.picture', file_id=file.id)})"


# --- below --------------------------------------------------------------------------------------------------------------------------


def _home_of(article: Article) -> str:
    language = article.translations[0].language if article.translations else "en"
    return url_for("kb_manage.edit", article_id=article.id, language=language)


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
