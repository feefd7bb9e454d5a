"""People: the list, invitations, one person's page, deactivation with what becomes of their work."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, request
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select

from helpdesk import db, live, web
from helpdesk.agents import people, skills, teams
from helpdesk.agents.admin import bp
from helpdesk.agents.admin.forms import REFUSALS, find, ids, levels, page, seen, whole
from helpdesk.agents.models import LIVE, TICKET
from helpdesk.auth import STAFF, Role, User
from helpdesk.errors import HelpdeskError, Invalid
from helpdesk.signin.by_mail import link_for
from helpdesk.tickets import inboxes
from helpdesk.tickets.models import Queue

STATES = ("", "invited", "deactivated", "all")


@bp.get("/people", endpoint="people")
def listed() -> Response:
    text = request.args.get("q", "").strip()[:100]
    role = request.args.get("role", "")
    role = role if role in set(Role) else ""
    state = request.args.get("state", "")
    state = state if state in STATES else ""
    after = web.uncursor(request.args.get("after"), str, int)
    shown = web.paged(people.found(text, role=role, state=state, after=after), web.PAGE, lambda one: (one.name, one.id))
    return page(
        "admin/people.html", people=shown, text=text, role=role, state=state, queues_of=people.queues_of([one.id for one in shown.rows])
    )


@bp.get("/people/new")
def new_person() -> Response:
    return _invite_page()


@bp.post("/people")
def invite() -> Response:
    """Invite a colleague. Without a mail server the link is shown, once, to be passed on."""
    mail = inboxes.can_send(web.settings().smtp_url)
    language = request.form.get("language", "")
    try:
        user = people.invite(
            request.form.get("email", ""),
            request.form.get("name", ""),
            _role(),
            _place(),
            language=language if language in live.LANGUAGES else "",
            mail=mail,
            by=web.current_actor(),
        )
    except REFUSALS as wrong:
        return _invite_page(wrong)
    if mail:
        flash(_("The invitation to %(email)s is on its way.", email=user.email))
        return web.see(f"/admin/people/{user.id}")
    return _show_link(user, "invite")


@bp.get("/people/<int:user_id>")
def person(user_id: int) -> Response:
    return _person_page(find(User, user_id))


@bp.post("/people/<int:user_id>")
def change_person(user_id: int) -> Response:
    user = find(User, user_id)
    try:
        place = _place() if user.role in STAFF else None
        people.edit(
            user, name=request.form.get("name", ""), email=request.form.get("email", ""), place=place, seen=seen(), by=web.current_actor()
        )
    except REFUSALS as wrong:
        return _person_page(user, wrong)
    load, over = people.beyond(user)
    said = [_("Saved.")]
    if over:
        said.append(_("%(name)s has %(load)s in hand now, more than that. They keep it, and get nothing new until there is room.",
                      name=user.name, load=load))  # fmt: skip
    flash(" ".join(said))
    return web.see(f"/admin/people/{user.id}")


@bp.post("/people/<int:user_id>/role")
def change_role(user_id: int) -> Response:
    user = find(User, user_id)
    try:
        people.set_role(user, _role(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _person_page(user, wrong)
    flash(_("Saved."))
    return web.see(f"/admin/people/{user.id}")


@bp.post("/people/<int:user_id>/link")
def send_link(user_id: int) -> Response:
    """A link to choose a password: an invitation before the first sign-in, a reset later."""
    user = find(User, user_id)
    purpose = "reset" if user.password else "invite"
    try:
        if inboxes.can_send(web.settings().smtp_url):
            people.send_link(user, purpose, by=web.current_actor())
            flash(_("A link is on its way to %(email)s.", email=user.email))
            return web.see(f"/admin/people/{user.id}")
        if not user.active:
            raise Invalid(_("%(name)s is deactivated.", name=user.name))
    except REFUSALS as wrong:
        return _person_page(user, wrong)
    return _show_link(user, purpose)


@bp.get("/people/<int:user_id>/deactivation")
def deactivation(user_id: int) -> Response:
    """What will happen, before it does."""
    user = find(User, user_id)
    return page("admin/deactivate_person.html", user=user, held=people.held_by(user))


@bp.post("/people/<int:user_id>/deactivation")
def deactivate(user_id: int) -> Response:
    user = find(User, user_id)
    try:
        held = people.deactivate(user, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _person_page(user, wrong)
    said = [_("%(name)s can no longer sign in.", name=user.name)]
    if held.total:
        said.append(ngettext("%(num)s ticket waits in its queue again.", "%(num)s tickets wait in their queues again.", held.total))
    if held.offers:
        said.append(ngettext("%(num)s offer was withdrawn.", "%(num)s offers were withdrawn.", held.offers))
    flash(" ".join(said))
    return web.see(f"/admin/people/{user.id}")


@bp.post("/people/<int:user_id>/activation")
def activate(user_id: int) -> Response:
    user = find(User, user_id)
    try:
        people.reactivate(user, seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _person_page(user, wrong)
    flash(_("%(name)s can sign in again.", name=user.name))
    return web.see(f"/admin/people/{user.id}")


def _show_link(user: User, purpose: str) -> Response:
    """The only moment at which anybody can read it: only its hash is kept."""
    answer = page("admin/link.html", user=user, purpose=purpose, link=link_for(user, purpose))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _invite_page(wrong: HelpdeskError | None = None) -> Response:
    typed = _place() if wrong is not None else people.Place()
    mail = inboxes.can_send(web.settings().smtp_url)
    return page("admin/invite.html", wrong, place=typed, mail=mail, **_choices())


def _person_page(user: User, wrong: HelpdeskError | None = None) -> Response:
    typed = wrong is not None and "name" in request.form
    place = _place() if typed else people.place_of(user)
    return page("admin/person.html", wrong, user=user, place=place, typed=typed, **_choices())


def _choices() -> dict[str, Any]:
    return {
        "teams": [team for team, _names in teams.listed()],
        "queues": list(db.session().scalars(select(Queue).where(Queue.active).order_by(Queue.name))),
        "skills": [skill for skill, _count in skills.listed()],
    }


def _place() -> people.Place:
    usual = people.Place()
    return people.Place(
        ids("teams"), ids("queues"), levels("skill"), whole("capacity", usual.capacity), whole("live_capacity", usual.live_capacity),
        caps=_by_channel("cap"), weights=_by_channel("weight"),
    )  # fmt: skip


def _by_channel(prefix: str) -> dict[str, int]:
    """{channel: number} from fields named `prefix-<channel>`; an empty one is not meant."""
    filled = (channel for channel in (TICKET, *LIVE) if request.form.get(f"{prefix}-{channel}", "").strip())
    return {channel: whole(f"{prefix}-{channel}") for channel in filled}


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        raise Invalid(fields={"role": _("Please choose one of the list.")}) from None
