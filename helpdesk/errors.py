"""Refusals a person deserves to read. A verb raises one, the edge renders it as a page, a problem document or a reply.

An error's `title` names what happened in the reader's language; `detail` says what to do about it. Nothing in either may come
from a secret, an SQL text or a stack.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

Words: TypeAlias = str | LazyString


class HelpdeskError(Exception):
    """Base of all expected refusals: `status` is HTTP's, `code` a stable word for programs."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"
    title: ClassVar[Words] = _("That did not work")

    def __init__(self, detail: Words = "", **facts: object) -> None:
        super().__init__(str(detail) if isinstance(detail, str) else self.code)
        self.detail = detail
        self.facts = facts


class Invalid(HelpdeskError):
    """What was sent cannot be used. `fields` maps a field's name to what is wrong with it."""

    status, code, title = 422, "invalid", _("Please check what you entered")

    def __init__(self, detail: Words = "", *, fields: dict[str, Words] | None = None) -> None:
        super().__init__(detail)
        self.fields = fields or {}


class NotFound(HelpdeskError):
    """Missing, or not for this person: both look the same from outside."""

    status, code, title = 404, "not_found", _("There is nothing here")


class Forbidden(HelpdeskError):
    """The person may see the thing but not do this to it."""

    status, code, title = 403, "forbidden", _("You may not do that")


class NotSignedIn(HelpdeskError):
    status, code, title = 401, "not_signed_in", _("Please sign in")


class Conflict(HelpdeskError):
    """Somebody was faster, or the thing is in a state that does not allow it."""

    status, code, title = 409, "conflict", _("Somebody was faster")


class StaleTicket(Conflict):
    code, title = "stale", _("The ticket has changed meanwhile")


class Gone(HelpdeskError):
    """A link that has expired, was revoked or was used."""

    status, code, title = 410, "gone", _("This link no longer works")


class TooLarge(HelpdeskError):
    status, code, title = 413, "too_large", _("That is too large")


class TooMany(HelpdeskError):
    """Asked too often; `retry_after` in seconds."""

    status, code, title = 429, "too_many", _("Too many tries")

    def __init__(self, detail: Words = "", *, retry_after: int = 60) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(HelpdeskError):
    """Something the desk depends on does not answer: the database, the disk, the object store."""

    status, code, title = 503, "unavailable", _("The desk cannot do this right now")


class SettingsError(Exception):
    """A setting that cannot be used. Holds every fault found, each saying what is wrong and what would be right."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
