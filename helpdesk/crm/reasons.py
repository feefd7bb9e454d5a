"""Why customers are dissatisfied, in words: the reasons that a survey offers, and those that returns give."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import get_locale
from flask_babel import lazy_gettext as _
from sqlalchemy import select

from helpdesk import db
from helpdesk.crm.care_models import SurveyDefinition
from helpdesk.errors import Words

#: By their stored words. A desk that writes its own surveys may offer others.
USUAL_REASONS: Mapping[str, Words] = {
    "slow": _("It took too long"),
    "unsolved": _("It is not solved"),
    "unclear": _("The answer was hard to understand"),
    "unfriendly": _("The tone"),
    "product": _("The product itself"),
    "price": _("The price"),
    "delivery": _("The delivery"),
    "other": _("Something else"),
}


def known() -> dict[str, str]:
    """Every reason a customer may have given, by its stored word, in the language of the moment."""
    lang = get_locale().language if get_locale() else "en"
    found = {key: str(words) for key, words in USUAL_REASONS.items()}
    for rows in db.session().scalars(select(SurveyDefinition.reasons)):
        for row in rows:
            found.setdefault(row["key"], row.get(lang) or row["en"])
    return found


def said(key: str) -> str:
    """A reason in words; one that nobody knows any more as it was stored."""
    return known().get(key, key)
