"""What an article said before: its published revisions, compared word by word and taken up again."""

from __future__ import annotations

from flask import Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.errors import NotFound
from helpdesk.kb import articles, policy, queries
from helpdesk.kb.authoring_views import LANGUAGES, bp
from helpdesk.kb.comparing import compared
from helpdesk.kb.models import Article, Translation


@bp.get(f"/<int:article_id>/<{LANGUAGES}:language>/history")
def history(article_id: int, language: str) -> Response:
    """Every published revision, and two of them (or one and the draft) word by word: the newest words and those before, unless told."""
    article = queries.to_edit(article_id)
    translation = _translation(article, language)
    revisions = queries.revisions(translation)
    texts = {0: (translation.draft_title, translation.draft_body)} | {one.number: (one.title, one.body) for one, _by in revisions}
    numbers = [one.number for one, _by in revisions]
    is_edited = not numbers or texts[0] != texts[numbers[0]]
    new = request.args.get("new", 0 if is_edited else numbers[0], type=int)
    before = next((number for number in numbers if not new or number < new), new)
    old = request.args.get("old", before, type=int)
    if old not in texts or new not in texts:
        raise NotFound
    title = compared(texts[old][0], texts[new][0])
    lines = compared(texts[old][1], texts[new][1])
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


def _translation(article: Article, language: str) -> Translation:
    found = next((t for t in article.translations if t.language == language), None)
    if found is None:
        raise NotFound
    return found
