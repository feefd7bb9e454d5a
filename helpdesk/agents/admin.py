"""Screens where administrators set up people, queues, skills and inboxes."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("admin", __name__)
