"""Screens where administrators shape the portal: topics of the request form with their fields, notices, and how it looks.

For administrators; everybody else gets the 404 of a page that is not there.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents.admin import tabs

bp = Blueprint("portal_setup", __name__, url_prefix="/admin/portal")


@bp.before_request
def _admins_only() -> None:
    web.require_admin()


@bp.get("")
def start() -> Response:
    return web.see("/admin/portal/topics")


@bp.context_processor
def _words() -> dict[str, Any]:
    return {"admin_tabs": tabs, "portal_tabs": _portal_tabs}


def _portal_tabs() -> list[tuple[str, str]]:
    return [
        ("/admin/portal/topics", _("Request form")),
        ("/admin/portal/notices", _("Notices")),
        ("/admin/portal/look", _("Look and words")),
    ]


# The views hang themselves on `bp`.
from helpdesk.channels.portal.setup import look, notices, topics  # noqa: E402

__all__ = ["bp", "look", "notices", "topics"]
