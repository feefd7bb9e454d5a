"""An inbox's mail accounts on its page: how each fares, its settings, a test that says what failed, and whose judgement is believed.

For administrators; everybody else gets the 404 of a page that is not there. A secret is never shown again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint, Response, flash, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from markupsafe import Markup

from helpdesk import clock, db, web
from helpdesk.agents.admin import tabs
from helpdesk.agents.admin.forms import REFUSALS, find, ids, page, seen, whole
from helpdesk.agents.admin.inboxes import PANELS
from helpdesk.channels.email import trusted
from helpdesk.channels.email.imap import accounts, connection, fetching
from helpdesk.channels.email.imap.models import Afterwards, MailAccount, SignIn, Tls
from helpdesk.channels.email.imap.trouble import AccountTrouble
from helpdesk.channels.email.words import reason
from helpdesk.errors import HelpdeskError, NotFound, Unavailable
from helpdesk.tickets.models import Channel, Inbox

bp = Blueprint("mail_accounts", __name__, url_prefix="/admin/inboxes/<int:inbox_id>")

TLS = [
    (Tls.IMPLICIT, lazy_gettext("TLS from the start (port 993)")),
    (Tls.STARTTLS, lazy_gettext("STARTTLS (port 143)")),
    (Tls.NONE, lazy_gettext("None: only inside one's own house")),
]
SIGN_IN = [
    (SignIn.PASSWORD, lazy_gettext("A password or an app password")),
    (SignIn.OAUTH, lazy_gettext("OAuth2 (Google, Microsoft)")),
]
AFTERWARDS = [
    (Afterwards.MARK, lazy_gettext("Stays there, marked as read")),
    (Afterwards.MOVE, lazy_gettext("Is moved to another folder")),
    (Afterwards.DELETE, lazy_gettext("Is deleted there")),
]
_OPTIONS: dict[str, Sequence[tuple[str, object]]] = {"TLS": TLS, "SIGN_IN": SIGN_IN, "AFTERWARDS": AFTERWARDS}
_SECRETS_UNREADABLE = lazy_gettext("Its password cannot be read any more; enter it again.")


@bp.before_request
def _admins_only() -> None:
    web.require_admin()


@bp.get("/accounts/new")
def new(inbox_id: int) -> Response:
    return _page(_inbox(inbox_id), None)


@bp.post("/accounts")
def add(inbox_id: int) -> Response:
    inbox = _inbox(inbox_id)
    try:
        account = accounts.add(inbox, _shape(), by=web.current_actor())
    except REFUSALS as wrong:
        return _page(inbox, None, wrong)
    flash(_("Saved."))
    return web.see(_path(account))


@bp.get("/accounts/<int:account_id>")
def one(inbox_id: int, account_id: int) -> Response:
    return _page(_inbox(inbox_id), _account(inbox_id, account_id))


@bp.post("/accounts/<int:account_id>")
def change(inbox_id: int, account_id: int) -> Response:
    inbox, account = _inbox(inbox_id), _account(inbox_id, account_id)
    try:
        accounts.edit(account, _shape(), seen=seen(), by=web.current_actor())
    except REFUSALS as wrong:
        return _page(inbox, account, wrong)
    flash(_("Saved."))
    return web.see(_path(account))


@bp.post("/accounts/<int:account_id>/test")
@web.own_edge
def test(inbox_id: int, account_id: int) -> Response:
    """Sign in and look into each folder, changing nothing. Says what exactly failed. The network waits outside transactions."""
    with db.read():
        _inbox(inbox_id), _account(inbox_id, account_id)
    result: dict[str, int] | str
    try:
        plan = fetching.plan(account_id, 0)
        try:
            result = connection.try_out(
                plan.login, plan.folders, plan.afterwards, plan.move_to,
                renewed=lambda login, token: fetching.keep_token(login, token, account_id),
            )  # fmt: skip
        except AccountTrouble as wrong:
            result = wrong.told(plan.login.secrets)
    except Unavailable:
        result = str(_SECRETS_UNREADABLE)
    with db.read():
        return _page(_inbox(inbox_id), _account(inbox_id, account_id), tried=result)


@bp.post("/accounts/<int:account_id>/round")
def fetch_now(inbox_id: int, account_id: int) -> Response:
    account = _account(inbox_id, account_id)
    accounts.try_soon(account)
    flash(_("It is fetched in a moment. Look here again."))
    return web.see(_path(account))


@bp.get("/accounts/<int:account_id>/removal")
def removal(inbox_id: int, account_id: int) -> Response:
    return page("admin/remove_mail_account.html", inbox=_inbox(inbox_id), account=_account(inbox_id, account_id), admin_tabs=tabs)


@bp.post("/accounts/<int:account_id>/removal")
def remove(inbox_id: int, account_id: int) -> Response:
    accounts.remove(_account(inbox_id, account_id), by=web.current_actor())
    flash(_("The account is no longer fetched."))
    return web.see(f"/admin/inboxes/{inbox_id}")


@bp.post("/trust")
def trust(inbox_id: int) -> Response:
    try:
        trusted.trust(_inbox(inbox_id), request.form.get("authserv_id", ""), by=web.current_actor())
    except REFUSALS as wrong:
        flash(str(next(iter(getattr(wrong, "fields", {}).values()), wrong.detail)), "bad")
    else:
        flash(_("Saved."))
    return web.see(f"/admin/inboxes/{inbox_id}")


def panel(inbox: Inbox) -> str:
    """The part of an inbox's page that is about fetching."""
    if inbox.channel is not Channel.EMAIL:
        return ""
    html = render_template(
        "admin/_mail_accounts.html",
        inbox=inbox,
        accounts=accounts.of_inbox(inbox.id),
        trusted=trusted.authserv_id(inbox.id),
        reason=reason,
        state=state,
    )
    return Markup(html)


PANELS.append(panel)


def state(account: MailAccount, at: datetime | None = None) -> tuple[str, str]:
    """How an account fares: (word, tone)."""
    if not account.active:
        return _("Off"), ""
    if account.trouble:
        return _("Cannot be fetched"), "bad"
    if account.fetched_at is None:
        return _("Not fetched yet"), "warn"
    late = (at or clock.now()) - account.fetched_at
    return (_("Fetched"), "ok") if late.total_seconds() < max(account.every_s, 60) * 5 else (_("Not fetched for some time"), "warn")


def _inbox(inbox_id: int) -> Inbox:
    inbox = find(Inbox, inbox_id)
    if inbox.channel is not Channel.EMAIL:
        raise NotFound
    return inbox


def _account(inbox_id: int, account_id: int) -> MailAccount:
    account = find(MailAccount, account_id)
    if account.inbox_id != inbox_id:
        raise NotFound
    return account


def _path(account: MailAccount) -> str:
    return f"/admin/inboxes/{account.inbox_id}/accounts/{account.id}"


def _shape() -> accounts.Shape:
    form = request.form
    return accounts.Shape(
        host=form.get("host", ""), username=form.get("username", ""), port=whole("port"), tls=form.get("tls", ""),
        sign_in=form.get("sign_in", ""), password=form.get("password") or None, token_url=form.get("token_url", ""),
        client_id=form.get("client_id", ""), client_secret=form.get("client_secret") or None,
        refresh_token=form.get("refresh_token", "").strip() or None, scope=form.get("scope", ""), folders=form.get("folders", ""),
        afterwards=form.get("afterwards", ""), move_to=form.get("move_to", ""), idle=form.get("idle") == "1",
        every_s=whole("every_s", 60), active=form.get("active") == "1", also=frozenset(ids("also")),
    )  # fmt: skip


def _page(
    inbox: Inbox, account: MailAccount | None, wrong: HelpdeskError | None = None, *, tried: dict[str, int] | str | None = None
) -> Response:
    fed = accounts.also_fed(account.id) if account is not None else frozenset()
    return page(
        "admin/mail_account.html", wrong, inbox=inbox, account=account, tried=tried, reason=reason, state=state, admin_tabs=tabs,
        others=[(other.id, _named(other)) for other in accounts.could_feed(inbox, fed)], fed=ids("also") if wrong is not None else fed,
        **{name: [(key, str(words)) for key, words in options] for name, options in _OPTIONS.items()},
    )  # fmt: skip


def _named(inbox: Inbox) -> str:
    shown = f"{inbox.name} <{inbox.address}>"
    return shown if inbox.active else _("%(inbox)s (switched off)", inbox=shown)
