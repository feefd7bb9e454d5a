"""What is done about how customers feel: calls that are owed, reasons for dissatisfaction, corrective actions and what they changed.

Every colleague makes calls; the pictures over all customers, and what is changed because of them, are for those who lead.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, make_response, render_template, request, url_for
from flask_babel import format_date
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from helpdesk import clock, db, web
from helpdesk.auth import STAFF, User
from helpdesk.crm import beside, calling, corrections, feelings, forms, policy, queries, reasons, worth, worth_words
from helpdesk.crm.care_models import CallBack, CorrectiveAction
from helpdesk.crm.models import Contact, IdentityKind
from helpdesk.errors import HelpdeskError, Invalid, NotFound

bp = Blueprint("care", __name__)

WHOSE = ("mine", "all", "done")


@bp.before_request
def _colleagues_only() -> None:
    web.require_staff()


@bp.context_processor
def _words() -> dict[str, Any]:
    return {"words": worth_words.names(), "OUTCOME": _outcomes(), "may_import": lambda: policy.may_import(web.principal())}


# --- calls ---------------------------------------------------------------------------------------------------------------


@bp.get("/calls")
def calls() -> Response:
    """Calls to make, the most urgent first; mine and those that nobody has, everybody's, or those that were made."""
    return _calls()


@bp.post("/calls/<int:call_id>/outcome")
def settle_call(call_id: int) -> Response:
    """What came of a call."""
    call = _call(call_id)
    try:
        calling.settle(call, request.form.get("outcome", ""), request.form.get("note", ""), by=web.current_actor())
    except forms.REFUSALS as wrong:
        return _calls(wrong, call_id)
    flash(_("Noted."))
    return web.see(web.back(url_for("care.calls")))


@bp.post("/calls/<int:call_id>/owner")
def give_call(call_id: int) -> Response:
    """Take a call, or, for those who lead, give it to somebody."""
    call, who = _call(call_id), web.principal()
    user_id = forms.whole(request.form.get("user", ""))
    if user_id != who.user_id and not who.leads:
        raise NotFound
    try:
        calling.give(call, user_id, by=web.current_actor())
    except forms.REFUSALS as wrong:
        return _calls(wrong, call_id)
    flash(_("Saved."))
    return web.see(web.back(url_for("care.calls")))


# --- how they feel ---------------------------------------------------------------------------------------------------------


@bp.get("/satisfaction")
def satisfaction() -> Response:
    """The figures month by month, reasons for dissatisfaction, what is done about them, promoters and the restless."""
    return _satisfaction()


@bp.get("/satisfaction/reason")
def reason() -> str:
    """What is behind a reason: the ratings that name it, with their tickets."""
    web.require_leads()
    who, key = web.principal(), request.args.get("reason", "").replace("\x00", "")[:60]
    page = feelings.behind(who, key, cursor=request.args.get("cursor"))
    numbers = beside.ticket_numbers(who, {rating.ticket_id for rating, _contact in page.rows if rating.ticket_id})
    users = queries.names({rating.user_id for rating, _contact in page.rows if rating.user_id})
    return render_template("crm/reason.html", here="customers", key=key, said=_said(key), page=page, numbers=numbers, users=users)


@bp.post("/satisfaction/actions")
def plan_action() -> Response:
    """Plan a change because of a reason."""
    web.require_leads()
    try:
        corrections.plan(
            reason=request.form.get("reason", ""), title=request.form.get("title", ""), text=request.form.get("text", ""),
            owner_id=forms.whole(request.form.get("owner", "")), due_at=forms.moment("due_at"), by=web.current_actor(),
        )  # fmt: skip
    except forms.REFUSALS as wrong:
        return _satisfaction(wrong)
    flash(_("Saved."))
    return web.see(url_for("care.satisfaction") + "#actions")


@bp.post("/satisfaction/actions/<int:action_id>")
def settle_action(action_id: int) -> Response:
    """The change holds from now on, or is given up."""
    web.require_leads()
    action = db.session().get(CorrectiveAction, action_id)
    if action is None:
        raise NotFound
    settle = {"in_force": corrections.put_in_force, "drop": corrections.drop}.get(request.form.get("do", ""))
    if settle is None:
        raise Invalid(_("Choose one of these."))
    version = web.form_version()
    try:
        settle(action, seen=-1 if version is None else version, by=web.current_actor())
    except forms.REFUSALS as wrong:
        return _satisfaction(wrong)
    flash(_("Saved."))
    return web.see(url_for("care.satisfaction") + "#actions")


# --- below -----------------------------------------------------------------------------------------------------------------


def _calls(wrong: HelpdeskError | None = None, call_id: int | None = None) -> Response:
    who = web.principal()
    whose = request.args.get("whose", "") if request.args.get("whose") in WHOSE else "mine"
    page = calling.owed(who, whose=whose, cursor=request.args.get("cursor"))
    numbers = beside.ticket_numbers(who, {one.call.ticket_id for one in page.rows if one.call.ticket_id})
    reach = queries.identities({one.contact.id for one in page.rows})
    phones = {one.contact_id: one.value for one in reversed(reach) if one.kind is IdentityKind.PHONE}
    mails = {one.contact_id: one.value for one in reversed(reach) if one.kind is IdentityKind.EMAIL}
    html = render_template(
        "crm/calls.html", here="customers", whose=whose, page=page, numbers=numbers, phones=phones, mails=mails, colleagues=_colleagues(),
        now=clock.now(), said=_said, wrong=wrong, wrong_id=call_id, **_refused(wrong),
    )  # fmt: skip
    return make_response(html, wrong.status if wrong is not None else 200)


def _satisfaction(wrong: HelpdeskError | None = None) -> Response:
    web.require_leads()
    who = web.principal()
    named, bad = feelings.reasons(who)
    months = feelings.months(who)
    nps = [None if month.nps is None else round(month.nps) for month in months]
    html = render_template(
        "crm/satisfaction.html", here="customers", months=months, named=named, bad=bad, said=_said, reasons=reasons.known(),
        actions=[(action, owner, corrections.effect(action)) for action, owner in corrections.listed()], me=who.user_id, wrong=wrong,
        promoters=feelings.promoters(who), restless=feelings.restless(who), rule=worth.restless,
        people=[(user.id, user.name) for user in _colleagues()], labels=[format_date(month.first, "LLL") for month in months], nps=nps,
        csat=[None if month.csat is None else round(100 * month.csat) for month in months],
        lowest=min((n for n in nps if n is not None), default=0), **_refused(wrong),
    )  # fmt: skip
    return make_response(html, wrong.status if wrong is not None else 200)


def _refused(wrong: HelpdeskError | None) -> dict[str, Any]:
    """What was typed, and what is wrong with it."""
    return {"form": request.form if wrong is not None else {}, "errors": wrong.fields if isinstance(wrong, Invalid) else {}}


def _call(call_id: int) -> CallBack:
    """The call, if this person may see whose it is. Raises NotFound."""
    found = select(CallBack).join(Contact, Contact.id == CallBack.contact_id)
    call = db.session().scalar(found.where(CallBack.id == call_id, policy.visible(web.principal()), Contact.erased_at.is_(None)))
    if call is None:
        raise NotFound
    return call


def _colleagues() -> list[User]:
    return list(db.session().scalars(select(User).where(User.active, User.role.in_(STAFF)).order_by(User.name)))


def _said(key: str) -> str:
    return reasons.said(key) if key else _("no reason given")


def _outcomes() -> dict[str, str]:
    return {
        "reached": _("reached"),
        "made_good": _("reached, and made good"),
        "not_reached": _("not reached"),
        "dropped": _("not needed any more"),
    }
