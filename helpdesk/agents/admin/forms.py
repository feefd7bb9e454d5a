"""What the setting-up screens share: finding the row, reading the form, and showing it again, with what was typed, when it was refused."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Response, make_response, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext

from helpdesk import db, web
from helpdesk.agents.models import CHANNELS
from helpdesk.db import Base
from helpdesk.errors import Conflict, HelpdeskError, Invalid, NotFound, Words

T = TypeVar("T", bound=Base)

#: Refusals that a form answers itself, so that nothing typed is lost.
REFUSALS = (Invalid, Conflict)


def find(table: type[T], row_id: int) -> T:
    """The row, or the same 404 as for one that never was."""
    row = db.session().get(table, row_id)
    if row is None:
        raise NotFound
    return row


def seen() -> int:
    """The version that the person saw; a form without one has seen nothing, and is stale."""
    version = web.form_version()
    return -1 if version is None else version


def page(template: str, wrong: HelpdeskError | None = None, **values: Any) -> Response:
    """A page, or the same page again after a refusal: `errors` by field, `trouble` in one sentence, `form` as it was sent."""
    errors = wrong.fields if isinstance(wrong, Invalid) else {}
    trouble = "" if wrong is None else str(wrong.detail) or (_("Please check what you entered.") if errors else str(wrong.title))
    form = request.form if request.method == "POST" else {}
    html = render_template(template, here="admin", errors=errors, trouble=trouble, form=form, **values)
    return make_response(html, wrong.status if wrong is not None else 200)


def saved_and_follows(waiting: int) -> Words:
    """What is said after a change that work in line follows: how much of it waits."""
    if not waiting:
        return _("Saved.")
    return ngettext(
        "Saved. %(num)s piece of work that waits follows at once.", "Saved. %(num)s pieces of work that wait follow at once.", waiting
    )


def whole(name: str, default: int = 0) -> int:
    """A whole number of the form; what is none becomes one that no verb accepts, so that the verb says what is right."""
    text = request.form.get(name, "").strip()
    if not text:
        return default
    return int(text) if text.lstrip("-").isdigit() and len(text) < 10 else -1


def ids(name: str) -> set[int]:
    """The chosen rows of a group of boxes."""
    return {int(word) for word in request.form.getlist(name) if word.isdigit() and len(word) < 10}


def beside() -> dict[str, list[str]]:
    """The boxes of the table of interruptions: {channel in hand: channels that may come beside it}."""
    return {held: request.form.getlist(f"beside-{held}") for held in CHANNELS}


def levels(prefix: str) -> dict[int, int]:
    """{skill id: level} from fields named `prefix-<id>`; an empty level means the skill is not meant."""
    found = {}
    for name, word in request.form.items():
        skill = name.removeprefix(prefix + "-")
        if name != skill and skill.isdigit() and len(skill) < 10 and word.strip():
            found[int(skill)] = int(word) if word.isdigit() and len(word) < 3 else 0
    return found
