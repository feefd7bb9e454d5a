"""What the customers' forms share: sent twice they count once, programs that fill in everything are stopped, no refusal loses a word."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from flask import request
from flask_babel import gettext as _
from flask_wtf.csrf import validate_csrf
from sqlalchemy import select
from wtforms.validators import ValidationError

from helpdesk import db
from helpdesk.errors import Invalid
from helpdesk.tickets.models import SavedForm, Ticket

V = TypeVar("V", bound=Callable[..., Any])

#: A field that people do not see and programs love to fill in.
TRAP = "website"


def own_check(view: V) -> V:
    """Mark a view that checks the form's session itself (`same_session`), to keep the text of a form whose session has ended."""
    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def same_session() -> None:
    """Raise Invalid when the form comes from another session than the page was drawn in."""
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        raise Invalid(_("This page had been open for so long that we want to be sure it was you. Please press the button again.")) from None


def no_program() -> None:
    """Raise Invalid when the field that nobody sees was filled in."""
    if request.form.get(TRAP):
        raise Invalid(_("Something filled in a field that people do not see. It is empty now; please press the button again."))


def new_key() -> str:
    """A fresh form's key."""
    return secrets.token_urlsafe(16)


def fingerprint(*parts: object) -> str:
    """What this form says, with its key: the same form sent again has the same; one that was edited after going back has another."""
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()


def made_before(mark: str) -> Ticket | None:
    """The ticket that an earlier sending of the same form made."""
    return db.session().scalar(select(Ticket).join(SavedForm, SavedForm.ticket_id == Ticket.id).where(SavedForm.form_key == mark))


def remember(mark: str, ticket: Ticket) -> None:
    """Note what a form made. Raises IntegrityError when the same form is being handled twice at once: the other one won."""
    db.session().add(SavedForm(form_key=mark, ticket_id=ticket.id))
    db.session().flush()
