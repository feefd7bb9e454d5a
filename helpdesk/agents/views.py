"""The agent's workspace: list, thread, customer beside it."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("agents", __name__)
