"""The customers' words as people read them, in their language."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import format_datetime, gettext
from flask_babel import lazy_gettext as _

from helpdesk.crm import fields, identities
from helpdesk.crm.models import Interaction
from helpdesk.crm.satisfaction import PRIOR_WEIGHT
from helpdesk.errors import Words

#: What the timeline tells of, in the order of its filter.
KINDS = {
    "message": _("Messages"),
    "call": _("Calls"),
    "meeting": _("Meetings"),
    "letter": _("Letters"),
    "visit": _("Visits"),
    "rating": _("Ratings"),
    "order": _("Orders"),
    "offer": _("Competitors' offers"),
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
    "offer": _("Competitor's offer"),
}
KIND_ICONS = {
    "message": "mail",
    "call": "phone",
    "meeting": "users",
    "letter": "mail-opened",
    "visit": "building",
    "rating": "star",
    "order": "shopping-cart",
    "offer": "tags",
}
#: Fields whose changes are remembered.
FIELDS: dict[str, Words] = {
    "name": _("Name"),
    "language": _("Language"),
    "time_zone": _("Time zone"),
    "preferred_channel": _("Preferred channel"),
    "reach_from": _("Reach from"),
    "reach_until": _("Reach until"),
    "lifecycle": _("Stage"),
    "owner_id": _("Owner"),
    "organization_id": _("Organization"),
    "tags": _("Tags"),
    "terms": _("Individual terms"),
    "survey_allowed": _("May be asked how it was"),
    "last_survey_at": _("Last asked how it was"),
    "acquired_at": _("Customer since"),
    "checked_at": _("Confirmed"),
    "identities": _("Addresses"),
    "membership": _("Part in an organization"),
    "tier": _("Tier"),
    "kind": _("Kind"),
    "domain": _("Mail domain"),
}
#: What a tier is called on a name: those the figures give, and those people give by hand; another's own word stands as it is.
TIERS = {
    "vip": "VIP", "gold": _("gold"), "silver": _("silver"), "key": _("key"), "regular": _("regular"), "occasional": _("occasional"),
    "single": _("bought once"),
}  # fmt: skip
#: From first contact to loyal.
LIFECYCLE = {
    "lead": _("First contact"),
    "customer": _("Customer"),
    "regular": _("Regular customer"),
    "loyal": _("Loyal customer"),
    "former": _("Former customer"),
}
CHANNEL = {
    "email": _("E-mail"), "phone": _("Phone"), "chat": _("Chat"), "portal": _("Portal"), "messenger": _("Messenger"), "letter": _("Letter"),
}  # fmt: skip
#: Why two customers may be one.
REASONS = {
    "email": _("the same mailbox"),
    "phone": _("the same phone number"),
    "shared_phone": _("a phone number that several people share"),
    "messenger": _("the same messenger account"),
    "external": _("the same id in another system"),
    "name": _("the same name"),
    "organization": _("the same organization or mail domain"),
    "local_part": _("the same name before the @"),
}
#: Channels by which entries of the timeline came.
WAYS: dict[str, Words] = {**CHANNEL, "meeting": _("Meeting"), "visit": _("Visit"), "shop": _("Shop"), "rating": _("Rating")}
IDENTITY = {"email": _("E-mail"), "phone": _("Phone"), "messenger": _("Messenger"), "external": _("Id in another system")}
#: Why nobody could say whose a contact was, and why one is dropped.
WHY = {"unknown": _("nobody has this address"), "several": _("several people have this address")}
DROPPED = {"spam": _("spam"), "mistake": _("a wrong number"), "private": _("private")}
LANGUAGE = {"en": _("English"), "ru": _("Russian")}
ORGANIZATION = {"client": _("Client"), "partner": _("Partner"), "supplier": _("Supplier"), "competitor": _("Competitor")}
ORDER = {"paid": _("Paid"), "shipped": _("Shipped"), "returned": _("Returned"), "open": _("Open"), "cancelled": _("Cancelled")}
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


def field(name: str, subject: str = "contact") -> Words:
    """A field's name as people read it; a field of the desk's own has the label that was given to it."""
    if name.startswith("custom."):
        return fields.label(subject, name[7:])
    return FIELDS.get(name, name)


def value(name: str, held: Any, subject: str = "contact") -> str:
    """A field's value as people read it."""
    if held in (None, "", []):
        return "—"
    if name.startswith("custom."):
        return fields.shown(subject, name[7:], held)
    if isinstance(held, dict) and "value_norm" in held:
        return identities.said(held)
    if isinstance(held, bool):
        return str(_("yes") if held else _("no"))
    if isinstance(held, list):
        return ", ".join(str(one) for one in held)
    if name.endswith("_at") and isinstance(held, str):
        return str(format_datetime(datetime.fromisoformat(held), "short"))
    table = {"language": LANGUAGE, "lifecycle": LIFECYCLE, "preferred_channel": CHANNEL, "kind": ORGANIZATION}.get(name, {})
    return str(table.get(str(held), held))


TEMPLATE_WORDS = {"TIERS": TIERS}
