"""Screens where administrators set the desk up: people, teams, skills, queues, inboxes, preferences, failed work, and who did what.

Closed unless opened: everything here is for administrators, but for the few pages of `OPEN_TO_SUPERVISORS`, which supervisors may read.
Customers and agents get the 404 of a page that is not there.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents.words import queue_name

bp = Blueprint("admin", __name__, url_prefix="/admin")

#: What supervisors may look at: who works where, and what it takes.
OPEN_TO_SUPERVISORS = frozenset(
    ("admin.start", "admin.people", "admin.person", "admin.teams", "admin.skills", "admin.queues", "admin.queue", "admin.reordering_state")
)  # fmt: skip


@bp.before_request
def _closed_unless_opened() -> None:
    if request.endpoint in OPEN_TO_SUPERVISORS and request.method in ("GET", "HEAD"):
        web.require_leads()
    else:
        web.require_admin()


@bp.get("")
def start() -> Response:
    return web.see("/admin/people")


@bp.context_processor
def _words() -> dict[str, Any]:
    """`named(queues)` and `plain(people)`: pairs of id and name for boxes and selects."""
    return {
        "admin_tabs": tabs,
        "named": lambda queues: [(queue.id, queue_name(queue)) for queue in queues],
        "plain": lambda rows: [(row.id, row.name) for row in rows],
    }


def tabs() -> list[tuple[str, str]]:
    """The screens this person may open: [(path, words)]. The mail ledger is the e-mail door's own page."""
    places = [("/admin/people", _("People")), ("/admin/teams", _("Teams")), ("/admin/skills", _("Skills")), ("/admin/queues", _("Queues"))]
    places.append(("/admin/mail", _("Mail")))
    if web.principal().admin:
        places += [("/admin/inboxes", _("Inboxes")), ("/admin/portal", _("Portal")), ("/admin/preferences", _("Preferences"))]
        places.append(("/admin/customers", _("Customers")))
        places.append(("/admin/retention", _("How long data is kept")))
        places.append(("/admin/interrupts", _("Interruptions")))
        places += [("/admin/hours", _("Opening hours")), ("/admin/dispositions", _("Wrap-up codes"))]
        places.append(("/admin/surveys", _("Surveys")))
        places += [("/admin/jobs", _("Failed work")), ("/admin/events", _("Who did what"))]
    return places


# The views hang themselves on `bp`.
from helpdesk.agents.admin import audit, dispositions, hours, inboxes, jobs, people, preferences, queues, skills, teams  # noqa: E402
from helpdesk.agents.admin import customers as customers  # noqa: E402
from helpdesk.agents.admin import interrupts as interrupts  # noqa: E402
from helpdesk.agents.admin import retention as retention  # noqa: E402
from helpdesk.agents.admin import surveys as surveys  # noqa: E402

__all__ = ["audit", "bp", "dispositions", "hours", "inboxes", "jobs", "people", "preferences", "queues", "skills", "teams"]
