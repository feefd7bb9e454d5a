"""Retention: who stays, what it would be worth if more did, why customers leave, and the programme's scorecard.

For who may see what customers are worth. The model's sliders are a plain form; a script only sends it sooner.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from helpdesk import clock, db, web
from helpdesk.agents.worth import nightly
from helpdesk.crm import corrections, money, policy, reasons, staying, worth, worth_words
from helpdesk.crm.retention import Model, project, what_if
from helpdesk.errors import Conflict, NotFound
from helpdesk.preferences import preferences

bp = Blueprint("worth", __name__)

#: The sliders: field, least, most, step.
SLIDERS = (
    ("customers", 0.0, 10_000_000.0, 1.0),
    ("acquired", 0.0, 10_000_000.0, 1.0),
    ("profit", -1_000_000.0, 1_000_000.0, 0.01),
    ("cost", 0.0, 1_000_000.0, 0.01),
    ("retention", 0.0, 100.0, 0.1),
    ("discount", 0.0, 100.0, 0.1),
    ("years", 1.0, 20.0, 1.0),
    ("points", -50.0, 50.0, 0.5),
)
#: What the model shows while the desk has no year to compare with; said so beside it.
EXAMPLE = Model(customers=1000, acquired=200, profit=100, cost=50, retention=0.8, discount=0.1, years=5)


@bp.before_request
def _who_may() -> None:
    web.require_staff()
    with db.read():  # who may is a preference, and the view's own transaction has not begun yet
        allowed = policy.may_see_value(web.principal())
    if not allowed:
        raise NotFound


@bp.context_processor
def _tabs() -> dict[str, Any]:
    return {"may_import": lambda: policy.may_import(web.principal())}


@bp.get("/retention")
def retention() -> str:
    """Cohorts, retention rate, the model, reasons for leaving and the scorecard."""
    now, said = clock.now(), preferences()
    known = {action.reason: (action, corrections.effect(action)) for action, _owner in reversed(corrections.listed())}
    return render_template(
        "crm/retention.html", here="customers", cohorts=staying.of_months(), rate=staying.rate(now),
        leavers=staying.leavers(now), actions=known, said=lambda key: reasons.said(key) if key else "",
        score=staying.scorecard(now, money.of_desk(said)), run=worth.newest(), words=worth_words.names(), **_model(),
    )  # fmt: skip


@bp.get("/retention/model")
def model() -> Response:
    """The model alone, as its sliders stand in the address."""
    return web.fragment("crm/_model.html", page="/retention", words=worth_words.names(), **_model())


@bp.post("/retention/computation")
def compute_now() -> Response:
    """Have the night's computation done now."""
    web.require_leads()
    try:
        nightly.want(by=web.current_actor())
        flash(_("It is being computed; look again in a few minutes."))
    except Conflict as wrong:
        flash(wrong.detail)
    return web.see("/retention")


def _model() -> dict[str, Any]:
    run = worth.run()
    own = staying.model_of(run)
    start = own or EXAMPLE
    n = int(run.model["retention"]["n"]) if run is not None and own is not None else 0
    asked = {name: _number(name, least, most) for name, least, most, _step in SLIDERS}
    points = asked.pop("points")
    points = 5.0 if points is None else points
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    for name in ("retention", "discount"):
        if name in given:
            given[name] /= 100
    wished = replace(start, **{**given, "years": int(given.get("years", start.years))})
    as_of = clock.now()
    better = replace(wished, retention=min(1.0, max(0.0, wished.retention + points / 100)))
    return {
        "model": wished, "points": points, "own": own is not None, "sliders": SLIDERS, "currency": preferences().currency,
        "now": project(wished, n=n, as_of=as_of), "then": project(better, n=n, as_of=as_of),
        "change": what_if(wished, retention_points=points, n=n, as_of=as_of),
    }  # fmt: skip


def _number(name: str, least: float, most: float) -> float | None:
    """A slider's value within its ends; what is no number is as if it were not there."""
    try:
        value = float(request.args.get(name, "").replace(",", "."))
    except ValueError:
        return None
    return min(most, max(least, value)) if value == value else None
