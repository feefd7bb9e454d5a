"""The topics that articles stand under: added, renamed in both languages, put into an order."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.errors import Conflict, Invalid
from helpdesk.events import record
from helpdesk.kb.changes import touch
from helpdesk.kb.models import Article, Category
from helpdesk.kb.slugs import slug_of

#: Icons to choose from; each stands in the page's sprite.
TOPIC_ICONS = {
    "alert-triangle": "alert-triangle",
    "arrow-back-up": "arrow-back-up",
    "book": "book",
    "brush": "brush",
    "building": "building",
    "coffee": "coffee",
    "credit-card": "credit-card",
    "device-laptop": "device-laptop",
    "droplet": "droplet",
    "help": "help",
    "lock": "lock",
    "package": "package",
    "receipt": "receipt",
    "refresh": "refresh",
    "settings": "settings",
    "shield-check": "shield-check",
    "tool": "tool",
    "truck-delivery": "truck-delivery",
    "user": "user",
    "world": "world",
}


def add(*, name_en: str, name_ru: str, icon: str = "book", position: int | None = None, by: Actor) -> Category:
    """A new topic, at the end unless `position` says otherwise. Raises Invalid without both names."""
    names = _names(name_en, name_ru)
    last = db.session().scalar(select(func.max(Category.position))) or 0
    category = Category(slug=_free_slug(names["name_en"]), icon=_icon(icon), position=last + 1 if position is None else position, **names)
    db.session().add(category)
    db.session().flush()
    record(SettingsChanged(by, f"category:{category.id}"))
    return category


def change(category: Category, *, name_en: str, name_ru: str, icon: str, position: int, by: Actor) -> Category:
    """Rename or move a topic; its address stays. The index learns the new names."""
    values: dict[str, Any] = {**_names(name_en, name_ru), "icon": _icon(icon), "position": position}
    renamed = (category.name_en, category.name_ru) != (values["name_en"], values["name_ru"])
    for name, value in values.items():
        setattr(category, name, value)
    db.session().flush()
    if renamed:
        for article_id in db.session().scalars(select(Article.id).where(Article.category_id == category.id)):
            touch(article_id)
    record(SettingsChanged(by, f"category:{category.id}"))
    return category


def remove(category: Category, *, by: Actor) -> None:
    """Take an empty topic away. Raises Conflict while articles stand under it."""
    if db.session().scalar(select(Article.id).where(Article.category_id == category.id).limit(1)) is not None:
        raise Conflict(_("There are articles under this topic. Move them first."))
    record(SettingsChanged(by, f"category:{category.id}"))
    db.session().delete(category)
    db.session().flush()


def _names(name_en: str, name_ru: str) -> dict[str, str]:
    names = {"name_en": " ".join(name_en.split())[:120], "name_ru": " ".join(name_ru.split())[:120]}
    missing = {field: _("A topic needs a name in both languages.") for field, name in names.items() if not name}
    if missing:
        raise Invalid(fields={**missing})
    return names


def _icon(name: str) -> str:
    return name if name in TOPIC_ICONS or re.fullmatch(r"[a-z0-9-]{1,40}", name) else "book"


def _free_slug(name: str) -> str:
    wanted = slug_of(name)[:70] or "topic"
    used = set(db.session().scalars(select(Category.slug).where(Category.slug.startswith(wanted, autoescape=True))))
    if wanted not in used:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(used) + 3) if f"{wanted}-{n}" not in used)
