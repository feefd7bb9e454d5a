"""Skills: one page with all of them; one that is used says where before it goes."""

from __future__ import annotations

from flask import Response, flash, request
from flask_babel import gettext as _

from helpdesk import web
from helpdesk.agents import skills
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, page, seen
from helpdesk.agents.models import Skill
from helpdesk.errors import HelpdeskError


@bp.get("/skills", endpoint="skills")
def listed() -> Response:
    return _list_page()


@bp.post("/skills")
def add_skill() -> Response:
    try:
        skills.add(request.form.get("name", ""), by=web.current_actor())
    except REFUSALS as wrong:
        return _list_page(wrong)
    flash(_("Saved."))
    return web.see("/admin/skills")


@bp.get("/skills/<int:skill_id>")
def skill(skill_id: int) -> Response:
    return _skill_page(find(Skill, skill_id))


@bp.post("/skills/<int:skill_id>")
def rename_skill(skill_id: int) -> Response:
    skill = find(Skill, skill_id)
    try:
        skills.rename(skill, request.form.get("name", ""), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _skill_page(skill, wrong)
    flash(_("Saved."))
    return web.see("/admin/skills")


@bp.post("/skills/<int:skill_id>/removal")
def remove_skill(skill_id: int) -> Response:
    """Remove it; one in use only when the person has read where, and said "everywhere"."""
    skill = find(Skill, skill_id)
    try:
        skills.remove(skill, everywhere=request.form.get("everywhere") == "1", by=web.current_actor())
    except REFUSALS as wrong:
        return _skill_page(skill, wrong)
    flash(_("The skill is removed."))
    return web.see("/admin/skills")


def _list_page(wrong: HelpdeskError | None = None) -> Response:
    return page("admin/skills.html", wrong, skills=skills.listed())


def _skill_page(skill: Skill, wrong: HelpdeskError | None = None) -> Response:
    return page("admin/skill.html", wrong, skill=skill, use=skills.use_of(skill))
