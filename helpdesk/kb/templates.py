"""Article templates: what articles of one kind begin with. Whoever may publish keeps them; every author may begin with one."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.errors import Invalid, NotFound
from helpdesk.events import record
from helpdesk.kb.articles import LANGUAGES, LONGEST_BODY, LONGEST_TITLE
from helpdesk.kb.models import ArticleTemplate

LONGEST_NAME = 120


def keep(
    known: ArticleTemplate | None, *, name: str, language: str, title: str, body: str, category_id: int | None = None, by: Actor
) -> ArticleTemplate:
    """A new template, or other words of a known one. Raises Invalid without name or text, or when the name is taken."""
    values: dict[str, Any] = {
        "name": " ".join(name.replace("\x00", "").split()),
        "language": language,
        "title": " ".join(title.replace("\x00", "").split()),
        "body": body.replace("\x00", "").replace("\r\n", "\n").strip(),
        "category_id": category_id,
    }
    wrong: dict[str, Any] = {}
    for field, longest in (("name", LONGEST_NAME), ("title", LONGEST_TITLE), ("body", LONGEST_BODY)):
        if len(values[field]) > longest:
            wrong[field] = _("Please shorten this to %(n)s characters.", n=longest)
    if not values["name"]:
        wrong["name"] = _("A template needs a name.")
    if not values["body"]:
        wrong["body"] = _("A template needs a text.")
    if language not in LANGUAGES:
        wrong["language"] = _("This language is not known here.")
    if wrong:
        raise Invalid(fields=wrong)
    template = known or ArticleTemplate()
    try:
        with db.session().begin_nested():
            for field, value in values.items():
                setattr(template, field, value)
            template.changed_at = clock.now()
            db.session().add(template)
            db.session().flush()
    except IntegrityError as taken:
        raise Invalid(fields={"name": _("Another template of this language has this name.")}) from taken
    record(SettingsChanged(by, f"article_template:{template.id}"))
    return template


def remove(template: ArticleTemplate, *, by: Actor) -> None:
    """Articles that began with it stay as they are."""
    record(SettingsChanged(by, f"article_template:{template.id}"))
    db.session().delete(template)
    db.session().flush()


def listed(language: str = "") -> list[ArticleTemplate]:
    """Every template, or those of one language, by name."""
    found = select(ArticleTemplate).order_by(ArticleTemplate.language, ArticleTemplate.name)
    return list(db.session().scalars(found.where(ArticleTemplate.language == language) if language else found))


def find(id: int) -> ArticleTemplate:
    """Raises NotFound."""
    template = db.session().get(ArticleTemplate, id)
    if template is None:
        raise NotFound
    return template
