"""Signing in and out, invitations and resets."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("signin", __name__)
