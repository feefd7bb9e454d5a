"""Files of a ticket's messages, for those who may see the ticket."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("tickets", __name__)
