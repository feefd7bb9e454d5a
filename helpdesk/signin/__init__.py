"""How a person comes in and goes: sign-in, sign-out, links by mail (sign-in, reset, invitation), one's own profile, language and theme.

The views stand on Flask-Security's hashing and sessions but not on its own pages: those commit by themselves, and their mailed link
signs in on GET, so that a mail scanner spends it. Whatever hashes a password has its own edge: no transaction spans it.
"""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("signin", __name__)

# The views hang themselves on `bp`.
from helpdesk.signin import by_mail, doors, looks, me  # noqa: E402

__all__ = ["bp", "by_mail", "doors", "looks", "me"]
