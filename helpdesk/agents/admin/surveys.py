"""Surveys: what customers are asked, after what, and in which words."""

from __future__ import annotations

from flask import Response, flash, request
from flask_babel import gettext as _
from sqlalchemy import func, select

from helpdesk import db, web
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, page, seen, whole
from helpdesk.crm import asking
from helpdesk.crm.care_models import SurveyDefinition
from helpdesk.crm.satisfaction import SCALES, Question
from helpdesk.errors import HelpdeskError
from helpdesk.tickets.models import Queue, Survey


@bp.get("/surveys", endpoint="surveys")
def listed() -> Response:
    """The desk's surveys, with how many were sent and answered."""
    rows = db.session().execute(select(Survey.definition_id, func.count(), func.count(Survey.answered_at)).group_by(Survey.definition_id))
    counts = {definition_id: (sent, answered) for definition_id, sent, answered in rows}
    return page("admin/surveys.html", definitions=asking.listed(), counts=counts, queues=_queues(), QUESTION=_kinds())


@bp.get("/surveys/new")
def new_survey() -> Response:
    return _form(None)


@bp.post("/surveys")
def add_survey() -> Response:
    try:
        asking.add(_shape(), by=web.current_actor())
    except REFUSALS as wrong:
        return _form(None, wrong)
    flash(_("Saved."))
    return web.see("/admin/surveys")


@bp.get("/surveys/<int:survey_id>")
def survey(survey_id: int) -> Response:
    return _form(find(SurveyDefinition, survey_id))


@bp.post("/surveys/<int:survey_id>")
def change_survey(survey_id: int) -> Response:
    definition = find(SurveyDefinition, survey_id)
    try:
        asking.change(definition, _shape(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _form(definition, wrong)
    flash(_("Saved."))
    return web.see("/admin/surveys")


def _shape() -> asking.Shape:
    """The survey as the form says it. The leading question comes first; the others follow in their usual order."""
    chosen = [kind for kind in request.form.getlist("ask") if kind in {question.value for question in Question}]
    leading = request.form.get("leading", "")
    kinds = sorted(set(chosen), key=lambda kind: (kind != leading, list(Question).index(Question(kind))))
    lines = [line.partition("|") for line in request.form.get("reasons", "").splitlines() if line.strip()]
    return asking.Shape(
        name=request.form.get("name", ""),
        occasion=request.form.get("occasion", ""),
        queue_id=whole("queue") or None,
        delay_min=whole("delay_min", -1),
        every_days=whole("every_days", -1),
        remind_days=whole("remind_days", -1),
        questions=[(kind, request.form.get(f"{kind}-en", ""), request.form.get(f"{kind}-ru", "")) for kind in kinds],
        reasons=[(" ".join(en.split()), " ".join(ru.split())) for en, _bar, ru in lines],
        active=request.form.get("active") == "1",
    )


def _form(definition: SurveyDefinition | None, wrong: HelpdeskError | None = None) -> Response:
    return page(
        "admin/survey.html",
        wrong,
        definition=definition,
        queues=_queues(),
        QUESTION=_kinds(),
        usual={kind.value: str(words) for kind, words in asking.USUAL_WORDS.items()},
        scales={kind.value: scale for kind, scale in SCALES.items()},
        asked={row["kind"]: row for row in definition.questions} if definition is not None else {"csat": {"kind": "csat"}},
        reasons="\n".join(f"{row['en']} | {row['ru']}" for row in definition.reasons) if definition is not None else "",
    )


def _queues() -> list[Queue]:
    return list(db.session().scalars(select(Queue).where(Queue.active).order_by(Queue.name)))


def _kinds() -> dict[str, str]:
    return {"csat": _("Satisfaction"), "nps": _("Recommendation"), "ces": _("Ease")}
