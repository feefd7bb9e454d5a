"""The supervisor's wallboard: waiting, longest wait, first replies, breaches, satisfaction, agents by state."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("wallboard", __name__)
