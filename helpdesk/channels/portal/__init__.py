"""The customer's door: home, request form, one ticket by signed link, rating; for those who sign in, their own and their company's tickets.

Pages are plain forms; scripts only improve them. The knowledge base's pages live in `kb` and share this door's frame.
"""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("portal", __name__)
