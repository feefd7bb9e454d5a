"""The customer's page for colleagues."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("crm", __name__)
