"""What an error of PostgreSQL says in our logs: its kind and the names of what it hit, never a value.

The server quotes rows in the detail of a message ("Key (value)=(anna@example.com) already exists") and input in the message itself.
`hide_parameters` keeps back only what SQLAlchemy adds; this keeps back the server's words, before anything can write them anywhere.
"""

from __future__ import annotations

import re

from sqlalchemy.engine import ExceptionContext

#: Errors about data (SQLSTATE class 22) quote what was sent; those of other classes quote names of tables and constraints.
ABOUT_DATA = "22"


def withhold_values(context: ExceptionContext) -> None:
    """Shorten the server's words, in the driver's error and in SQLAlchemy's about it. A listener for `handle_error`."""
    told = context.original_exception
    whole = str(told)
    kept = harmless(whole, getattr(told, "sqlstate", None) or "")
    if kept == whole:
        return
    told.args = (kept, *told.args[1:])
    outer = context.sqlalchemy_exception
    if outer is not None and outer.args:
        outer.args = (str(outer.args[0]).replace(whole, kept), *outer.args[1:])


def harmless(words: str, sqlstate: str = "") -> str:
    """The first line of a server's message, without what stands in quotation marks if it is about data."""
    first = words.partition("\n")[0]
    return re.sub(r'".*"', '"…"', first) if sqlstate.startswith(ABOUT_DATA) else first
