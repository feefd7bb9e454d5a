"""Mail's ledgers for administrators: arrivals, quarantine, outgoing."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("email", __name__)
