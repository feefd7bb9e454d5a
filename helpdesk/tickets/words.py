"""The tickets' words as people read them, in their language, and the small functions templates use to say them."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup, escape

from helpdesk.tickets.models import Channel, DeliveryState, Priority, Status, Ticket

STATUS = {
    Status.NEW: _("New"),
    Status.OPEN: _("Open"),
    Status.PENDING: _("Waiting for customer"),
    Status.ON_HOLD: _("On hold"),
    Status.SOLVED: _("Solved"),
    Status.CLOSED: _("Closed"),
}
PRIORITY = {Priority.LOW: _("Low"), Priority.NORMAL: _("Normal"), Priority.HIGH: _("High"), Priority.URGENT: _("Urgent")}
CHANNEL = {
    Channel.EMAIL: _("E-mail"),
    Channel.PORTAL: _("Portal"),
    Channel.API: _("API"),
    Channel.CHAT: _("Chat"),
    Channel.PHONE: _("Phone"),
}
CHANNEL_ICONS = {
    Channel.EMAIL: "mail",
    Channel.PORTAL: "world",
    Channel.API: "code",
    Channel.CHAT: "message-circle",
    Channel.PHONE: "phone",
}
DELIVERY = {
    DeliveryState.NONE: "",
    DeliveryState.WAITING: _("Leaving soon"),
    DeliveryState.SENT: _("Sent"),
    DeliveryState.FAILED: _("Not delivered"),
    DeliveryState.WITHDRAWN: _("Taken back"),
}


def paragraphs(text: str) -> Markup:
    """Plain text as paragraphs and line breaks, escaped."""
    blocks = [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]
    return Markup("").join(
        Markup("<p>{}</p>").format(Markup("<br>").join(escape(line) for line in block.strip("\n").split("\n"))) for block in blocks
    )


def size(count: int) -> str:
    """A file's size in the largest whole unit."""
    if count < 1024:
        return str(gettext("%(n)s B", n=count))
    if count < 1024 * 1024:
        return str(gettext("%(n)s kB", n=count // 1024))
    return str(gettext("%(n)s MB", n=f"{count / 1024 / 1024:.1f}"))


def who_acts_next(ticket: Ticket) -> str:
    """For the customer, in plain words: what state, and whose turn."""
    if ticket.status is Status.SOLVED:
        return str(gettext("We believe this is solved. If it is not, just write again."))
    if ticket.status is Status.CLOSED:
        return str(gettext("This request is closed."))
    if ticket.status is Status.PENDING:
        return str(gettext("We are waiting for your answer."))
    if ticket.status is Status.ON_HOLD:
        return str(gettext("We are waiting for somebody else and will come back to you."))
    return str(gettext("It is our turn: an agent will answer you."))


def kept_words(text: str) -> str:
    """What the database keeps in English: our sentence, such as a mail's warning, in the reader's language, others' words as they are."""
    sentence, line_end, rest = text.partition("\n")
    return (str(gettext(sentence)) if sentence else "") + line_end + rest


def sender_words(checks: dict[str, Any]) -> tuple[str, str, str]:
    """What is known of a mail's sender: a few words, their tone, and the whole story; three times nothing when nobody looked."""
    if not checks:
        return "", "", ""
    seal = {"smime": "S/MIME", "pgp": "PGP"}.get(str(checks.get("signed")))
    signed = str(gettext("The mail bears a signature (%(kind)s), which was not checked.", kind=seal)) if seal else ""
    if not checks.get("by"):
        return str(gettext("Signed, not checked")), "", signed
    results = ", ".join(f"{name.upper()} {checks[name]}" for name in ("spf", "dkim", "dmarc") if checks.get(name)) or str(
        gettext("no results")
    )
    by = str(gettext("the desk itself")) if checks.get("by") == "desk" else str(checks.get("by", ""))
    words, tone, story = {
        "proven": (gettext("Sender confirmed"), "ok", gettext("The sender's domain vouches for this mail")),
        "failed": (gettext("Sender may be forged"), "bad", gettext("The sender's domain does not vouch for this mail")),
    }.get(str(checks.get("verdict")), (gettext("Sender not confirmed"), "", gettext("Nobody vouches for the sender of this mail")))
    whole = str(gettext("%(story)s (%(results)s; checked by %(by)s).", story=story, results=results, by=by))
    return str(words), tone, f"{whole} {signed}".strip()


def tickets_count(number: int) -> str:
    return str(ngettext("%(num)s ticket", "%(num)s tickets", number))


TEMPLATE_WORDS: dict[str, Any] = {
    "STATUS": STATUS,
    "PRIORITY": PRIORITY,
    "CHANNEL": CHANNEL,
    "CHANNEL_ICONS": CHANNEL_ICONS,
    "DELIVERY": DELIVERY,
    "paragraphs": paragraphs,
    "size": size,
    "kept_words": kept_words,
    "sender_words": sender_words,
    "who_acts_next": who_acts_next,
}
