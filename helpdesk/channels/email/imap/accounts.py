"""Mail accounts as an administrator sets them up: checked, kept with their secrets sealed, opened again as a `Login`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, delete, or_, select

from helpdesk import clock, db, vault, versions
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.channels.email.imap.models import Afterwards, Feeding, MailAccount, MailFolder, SignIn, Tls
from helpdesk.errors import Invalid, Words
from helpdesk.events import record
from helpdesk.tickets.models import Channel, Inbox

MAX_FOLDERS = 20
EVERY_S = (10, 86400)
DEFAULT_PORT = {Tls.IMPLICIT: 993, Tls.STARTTLS: 143, Tls.NONE: 143}


@dataclass(frozen=True)
class Shape:
    """Everything an administrator says about an account. A secret of None keeps the one there is. `folders`: one name a line.

    `also`: further inboxes that it feeds.
    """

    host: str
    username: str
    port: int = 0
    tls: str = Tls.IMPLICIT
    sign_in: str = SignIn.PASSWORD
    password: str | None = None
    token_url: str = ""
    client_id: str = ""
    client_secret: str | None = None
    refresh_token: str | None = None
    scope: str = ""
    folders: str = "INBOX"
    afterwards: str = Afterwards.MARK
    move_to: str = ""
    idle: bool = True
    every_s: int = 60
    active: bool = True
    also: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Login:
    """What it takes to open an account; plain values with the secrets in the clear, for use outside transactions. Never logged."""

    host: str
    port: int
    tls: Tls
    username: str
    sign_in: SignIn
    password: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    scope: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(word for word in (self.password, self.client_secret, self.refresh_token) if word)

    def __repr__(self) -> str:
        return f"Login({self.username} at {self.host}:{self.port})"


def add(inbox: Inbox, shape: Shape, *, by: Actor) -> MailAccount:
    """Fetch one more account into an inbox. Raises Invalid."""
    account = MailAccount(inbox_id=inbox.id, **_columns(inbox, shape, None))
    account.next_at = clock.now()
    db.session().add(account)
    db.session().flush()
    _feed(account, shape.also)
    record(SettingsChanged(by, what=f"mail_account:{account.id}"))
    return account


def edit(account: MailAccount, shape: Shape, *, seen: int | None, by: Actor) -> MailAccount:
    """Change an account; it is tried again at once. Folders that are no longer named are forgotten. Raises Stale, Invalid."""
    inbox = db.session().get_one(Inbox, account.inbox_id)
    moved = (account.host.lower(), account.username) != (shape.host.strip().lower(), shape.username.strip())
    versions.change(account, seen, **_columns(inbox, shape, account), next_at=clock.now(), failures=0, trouble="")
    _feed(account, shape.also)
    folders = delete(MailFolder).where(MailFolder.account_id == account.id)
    db.session().execute(folders if moved else folders.where(MailFolder.folder.not_in(account.folders)))
    record(SettingsChanged(by, what=f"mail_account:{account.id}"))
    return account


def remove(account: MailAccount, *, by: Actor) -> None:
    """Fetch it no more. What was taken in stays, and nothing changes on the server."""
    session = db.session()
    for table in (MailFolder, Feeding):
        session.execute(delete(table).where(table.account_id == account.id))
    session.execute(delete(MailAccount).where(MailAccount.id == account.id))
    record(SettingsChanged(by, what=f"mail_account:{account.id}"))


def try_soon(account: MailAccount) -> None:
    """Let whoever fetches look at once."""
    account.next_at = clock.now()


def login_of(account: MailAccount) -> Login:
    """The account as it can be opened. Raises Unavailable when a secret was sealed with a key this desk no longer has."""
    return Login(
        account.host, account.port, account.tls, account.username, account.sign_in, vault.unseal(account.password), account.token_url,
        account.client_id, vault.unseal(account.client_secret), vault.unseal(account.refresh_token), account.scope,
    )  # fmt: skip


def of_inbox(inbox_id: int) -> list[tuple[MailAccount, Inbox]]:
    """The accounts that are fetched for an inbox, each with its main inbox: this one or another."""
    found = select(MailAccount, Inbox).join(Inbox, Inbox.id == MailAccount.inbox_id).where(feeds(inbox_id)).order_by(MailAccount.id)
    return [(account, main) for account, main in db.session().execute(found)]


def feeds(inbox_id: int) -> ColumnElement[bool]:
    """Whether an account is fetched for this inbox, as its main one or as a further one."""
    return or_(MailAccount.inbox_id == inbox_id, MailAccount.id.in_(select(Feeding.account_id).where(Feeding.inbox_id == inbox_id)))


def also_fed(account_id: int) -> frozenset[int]:
    """The further inboxes that an account feeds."""
    return frozenset(db.session().scalars(select(Feeding.inbox_id).where(Feeding.account_id == account_id)))


def could_feed(inbox: Inbox, fed: Collection[int] = ()) -> list[Inbox]:
    """The inboxes that an account of this one may feed besides: e-mail, with an address, not switched off; and those that it feeds."""
    others = select(Inbox).where(Inbox.channel == Channel.EMAIL, Inbox.address.is_not(None), Inbox.id != inbox.id)
    return list(db.session().scalars(others.where(or_(Inbox.active, Inbox.id.in_(fed))).order_by(Inbox.name, Inbox.id)))


def _feed(account: MailAccount, also: Collection[int]) -> None:
    """Let an account feed these inboxes besides, and no others."""
    session = db.session()
    fed = also_fed(account.id)
    session.execute(delete(Feeding).where(Feeding.account_id == account.id, Feeding.inbox_id.not_in(also)))
    session.add_all(Feeding(account_id=account.id, inbox_id=inbox_id) for inbox_id in sorted(set(also) - fed))
    session.flush()


# --- checking ------------------------------------------------------------------------------------------------------------


def _columns(inbox: Inbox, shape: Shape, owner: MailAccount | None) -> dict[str, object]:
    """The shape as columns. Raises Invalid with every fault at once."""
    faults: dict[str, Words] = {}
    if inbox.channel is not Channel.EMAIL:
        raise Invalid(_("Only e-mail inboxes fetch mail."))
    host, username = shape.host.strip().lower(), shape.username.strip()
    if not host or len(host) > 255 or any(sign.isspace() or sign in "/:@" for sign in host):
        faults["host"] = _("This is not a server's name such as imap.example.com.")
    if not username or len(username) > 320 or not username.isprintable():
        faults["username"] = _("Please fill this in.")
    chosen: dict[str, object] = {}
    for name, kind in (("tls", Tls), ("sign_in", SignIn), ("afterwards", Afterwards)):
        if getattr(shape, name) in list(kind):
            chosen[name] = kind(getattr(shape, name))
        else:
            faults[name] = _("Please choose one of the list.")
    if not 0 <= shape.port <= 65535:
        faults["port"] = _("A port is a number from 1 to 65535.")
    if not EVERY_S[0] <= shape.every_s <= EVERY_S[1]:
        faults["every_s"] = _("Please enter a number from %(low)s to %(high)s.", low=EVERY_S[0], high=EVERY_S[1])
    folders = list(dict.fromkeys(line.strip() for line in shape.folders.splitlines() if line.strip()))
    if not 0 < len(folders) <= MAX_FOLDERS or any(len(folder) > 255 or not folder.isprintable() for folder in folders):
        faults["folders"] = _("Name one to %(n)s folders, one a line.", n=MAX_FOLDERS)
    move_to = shape.move_to.strip()
    if chosen.get("afterwards") is Afterwards.MOVE and (not move_to or len(move_to) > 255 or move_to in folders):
        faults["move_to"] = _("Name the folder that fetched mail is moved to; it cannot be one that is fetched.")
    fed = also_fed(owner.id) if owner is not None else frozenset()
    if shape.also - {other.id for other in could_feed(inbox, fed)}:
        faults["also"] = _("Please choose one of the list.")
    secrets = _secrets(shape, owner, faults)
    if chosen.get("sign_in") is SignIn.OAUTH:
        if not _safe_url(shape.token_url.strip()):
            faults["token_url"] = _("This is not an https:// address.")
        if not shape.client_id.strip():
            faults["client_id"] = _("Please fill this in.")
        if not secrets["refresh_token"]:
            faults["refresh_token"] = _("Please fill this in.")
    elif chosen.get("sign_in") is SignIn.PASSWORD and not secrets["password"]:
        faults["password"] = _("Please fill this in.")
    if faults:
        raise Invalid(fields=faults)
    return {
        **chosen, **secrets, "host": host, "username": username, "port": shape.port or DEFAULT_PORT[Tls(shape.tls)],
        "token_url": shape.token_url.strip()[:500], "client_id": shape.client_id.strip()[:300], "scope": shape.scope.strip()[:500],
        "folders": folders, "move_to": move_to, "idle": shape.idle, "every_s": shape.every_s, "active": shape.active,
    }  # fmt: skip


def _secrets(shape: Shape, owner: MailAccount | None, faults: dict[str, Words]) -> dict[str, str]:
    """The three secrets sealed, each new one or the one there is. A changed server or user name needs its secret anew, so that nobody
    can have a password they do not know sent to a server of their own."""
    elsewhere = owner is not None and (owner.host, owner.username, owner.token_url) != (
        shape.host.strip().lower(), shape.username.strip(), shape.token_url.strip(),
    )  # fmt: skip
    sealed: dict[str, str] = {}
    for name in ("password", "client_secret", "refresh_token"):
        typed = getattr(shape, name)
        if typed and len(typed) > 5000:
            faults[name] = _("This is too long.")
        elif typed:
            sealed[name] = vault.seal(typed)
        else:
            sealed[name] = "" if owner is None or elsewhere else getattr(owner, name)
        sealed.setdefault(name, "")
    return sealed


def _safe_url(url: str) -> bool:
    """https anywhere, http only to this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname) and len(url) <= 500
    try:
        return parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
