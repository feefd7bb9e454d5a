"""Knowledge base pages for readers: search, article, feedback."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("kb", __name__)
