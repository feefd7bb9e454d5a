"""The customers' words as people read them, in their language."""

from __future__ import annotations

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from helpdesk.crm.models import Interaction
from helpdesk.crm.satisfaction import PRIOR_WEIGHT

#: What the timeline tells of, in the order of its filter.
KINDS = {
    "message": _("Messages"),
    "call": _("Calls"),
    "meeting": _("Meetings"),
    "letter": _("Letters"),
    "visit": _("Visits"),
    "rating": _("Ratings"),
    "order": _("Orders"),
}
#: One of each.
KIND = {
    "message": _("Message"),
    "call": _("Call"),
    "meeting": _("Meeting"),
    "letter": _("Letter"),
    "visit": _("Visit"),
    "rating": _("Rating"),
    "order": _("Order"),
}
KIND_ICONS = {
    "message": "mail",
    "call": "phone",
    "meeting": "users",
    "letter": "mail-opened",
    "visit": "building",
    "rating": "star",
    "order": "shopping-cart",
}
LANGUAGE = {"en": _("English"), "ru": _("Russian")}
ORGANIZATION = {"client": _("Client"), "partner": _("Partner"), "supplier": _("Supplier"), "competitor": _("Competitor")}
ORDER = {"paid": _("Paid"), "shipped": _("Shipped"), "returned": _("Returned"), "open": _("Open")}
#: The formulas behind derived figures, by their stable names, in symbols that need no language.
FORMULAS = {"satisfaction.score": f"(Σ wᵢ·sᵢ + {PRIOR_WEIGHT}·μ) ÷ (Σ wᵢ + {PRIOR_WEIGHT})"}


def title(entry: Interaction) -> str:
    """One line of the timeline in the reader's language."""
    match entry.kind:
        case "message":
            return entry.title
        case "rating":
            return str(gettext("Rated %(score)s", score=entry.title))
        case "order":
            return str(gettext("Order %(title)s", title=entry.title))
        case _:
            kind = str(KIND.get(entry.kind, entry.kind))
            return f"{kind}: {entry.title}" if entry.title else kind
