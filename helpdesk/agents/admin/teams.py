"""Teams: one page with all of them, and one for each."""

from __future__ import annotations

from flask import Response, flash, request
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents import people, teams
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, ids, page, seen
from helpdesk.agents.models import Team
from helpdesk.errors import HelpdeskError


@bp.get("/teams", endpoint="teams")
def listed() -> Response:
    return _list_page()


@bp.post("/teams")
def add_team() -> Response:
    try:
        team = teams.add(request.form.get("name", ""), by=web.current_actor())
    except REFUSALS as wrong:
        return _list_page(wrong)
    return web.see(f"/admin/teams/{team.id}")


@bp.get("/teams/<int:team_id>")
def team(team_id: int) -> Response:
    return _team_page(find(Team, team_id))


@bp.post("/teams/<int:team_id>")
def change_team(team_id: int) -> Response:
    team = find(Team, team_id)
    try:
        teams.edit(team, name=request.form.get("name", ""), members=ids("members"), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _team_page(team, wrong)
    flash(_("Saved."))
    return web.see("/admin/teams")


@bp.get("/teams/<int:team_id>/removal")
def team_removal(team_id: int) -> Response:
    team = find(Team, team_id)
    return page("admin/remove_team.html", team=team, people=len(teams.members_of(team)), tickets=teams.tickets_of(team))


@bp.post("/teams/<int:team_id>/removal")
def remove_team(team_id: int) -> Response:
    teams.remove(find(Team, team_id), by=web.current_actor())
    flash(_("The team is dissolved."))
    return web.see("/admin/teams")


def _list_page(wrong: HelpdeskError | None = None) -> Response:
    return page("admin/teams.html", wrong, teams=teams.listed())


def _team_page(team: Team, wrong: HelpdeskError | None = None) -> Response:
    chosen = ids("members") if wrong is not None else set(teams.members_of(team))
    return page("admin/team.html", wrong, team=team, chosen=chosen, people=people.everybody(also=chosen))
