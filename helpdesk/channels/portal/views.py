"""The customer's pages: home, request form, ticket by signed link, rating."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("portal", __name__)
