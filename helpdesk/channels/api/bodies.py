"""A request's query and JSON, read and checked before any transaction begins: neither a slow upload nor a fault may hold one.

JSON is read by pydantic itself: it refuses half characters and numbers without end, which would fail later in the database. Files
travel as multipart/form-data with the JSON in the part `json` and each file in a part `files`.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

from flask import request
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from helpdesk.channels.api import schemas
from helpdesk.errors import HelpdeskError, Invalid
from helpdesk.tickets.intake import NewFile

M = TypeVar("M", bound=BaseModel)

LONGEST_JSON = 2 * 2**20


class Unreadable(HelpdeskError):
    """The request is no JSON, or a header cannot be understood."""

    status, code, title = 400, "unreadable", _("This request cannot be read")


def asked(schema: type[M]) -> M:
    """The query as its schema. A parameter may be repeated where the schema wants a list. Raises Invalid naming the parameter."""
    values: dict[str, object] = {}
    for name, given in request.args.lists():
        field = schema.model_fields.get(name)
        many = field is not None and "list" in str(field.annotation)
        values[name] = given if many else given[0]
        if not many and len(given) > 1:
            raise Invalid(fields={name: _("Give this only once.")})
    try:
        return schema.model_validate(values)
    except ValidationError as wrong:
        raise Invalid(fields=schemas.faults(wrong)) from None


def sent(schema: type[M], *, with_files: bool = False) -> M:
    """The body as its schema. Raises Invalid naming the field, Unreadable for what is no JSON, 415 for another media type."""
    try:
        return schema.model_validate_json(_json(with_files))
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise Unreadable(_("The body is not JSON: %(why)s", why=str(errors[0].get("ctx", {}).get("error", "")))) from None
        raise Invalid(fields=schemas.faults(wrong)) from None


def _json(with_files: bool) -> bytes:
    if request.mimetype == "application/json":
        body = request.get_data(cache=True)
    elif with_files and request.mimetype == "multipart/form-data":
        given = request.form.getlist("json")
        if len(given) != 1 or set(request.form) - {"json"} or set(request.files) - {"files"}:
            raise Invalid(fields={"json": _("Send one part named json, and the files in parts named files.")})
        body = given[0].encode(errors="replace")
    else:
        known = "application/json" + (" / multipart/form-data" if with_files else "")
        raise UnsupportedMediaType(gettext("Send the body as %(types)s.", types=known))
    if len(body) > LONGEST_JSON:
        raise Invalid(fields={"body": _("This is longer than a message can be. Attach it as a file.")})
    return body


def fingerprint(kept: tuple[NewFile, ...]) -> str:
    """What was asked, as a hash: the same request sent again has the same, whatever boundary separates its parts."""
    digest = hashlib.sha256(f"{request.method} {request.full_path}\n".encode())
    digest.update(
        request.form.get("json", "").encode(errors="replace") if request.mimetype == "multipart/form-data" else request.get_data(cache=True)
    )
    for file in kept:
        digest.update(f"\n{file.stored.sha256} {file.name}".encode())
    return digest.hexdigest()


def seen_version() -> int | None:
    """The version in If-Match, `"3"` or `*` (any); None without the header. Raises Unreadable."""
    word = request.headers.get("If-Match", "*").strip()
    if word == "*":
        return None
    digits = word.strip('"')
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise Unreadable(_('If-Match takes a version in quotes, such as "3".'))
    return int(digits)
