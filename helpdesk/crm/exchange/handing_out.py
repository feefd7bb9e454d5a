"""A list as the answer to a request: who may have it, that it left, and the file itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Response, request, stream_with_context

from helpdesk import clock, db, web
from helpdesk.catalog import ListExported
from helpdesk.crm import policy
from helpdesk.crm.exchange import exporting
from helpdesk.errors import NotFound
from helpdesk.events import record


def hand_out(sheet_of: Callable[[], exporting.Sheet]) -> Response:
    """A list as CSV or Excel, as the form says; that it left, and how many rows, is recorded before its first byte.

    For views with an edge of their own. Raises NotFound for who may not take lists out of the desk.
    """
    with db.read():
        if not policy.may_export(web.principal()):
            raise NotFound
    sheet = sheet_of()
    number = sum(1 for _row in sheet.rows())
    with db.transaction():
        record(ListExported(sheet.name, number, web.current_actor()))
    return as_file(sheet, "xlsx" if request.form.get("format") == "xlsx" else "csv")


def as_file(sheet: exporting.Sheet, kind: str) -> Response:
    """The file, written row by row while it is sent."""
    made = exporting.as_xlsx(sheet) if kind == "xlsx" else exporting.as_csv(sheet)
    answer = Response(stream_with_context(made), mimetype=exporting.FORMATS[kind].split(";")[0])
    name = re.sub(r"[^a-z0-9-]", "", sheet.name)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{clock.now():%Y-%m-%d}.{kind}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer
