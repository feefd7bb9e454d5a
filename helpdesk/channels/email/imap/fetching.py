"""One round through an account: every mail that is new becomes an arrival, durable first; only then is it marked, moved or deleted.

Per folder, `last_uid` moves forward once a batch is safe here and dealt with there. Cut anywhere, the next round begins behind the last
whole batch: what was stored already is known by its bytes and not doubled (`arrivals.store`), what was not is still on the server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update

from helpdesk import clock, db, vault
from helpdesk.channels.email import arrivals, inboxes
from helpdesk.channels.email.imap import accounts, connection, oauth, sorting
from helpdesk.channels.email.imap.accounts import Login
from helpdesk.channels.email.imap.connection import Connection
from helpdesk.channels.email.imap.models import Afterwards, MailAccount, MailFolder
from helpdesk.channels.email.imap.trouble import AccountTrouble
from helpdesk.errors import NotFound, Unavailable
from helpdesk.tickets.models import Inbox

#: Mails stored before they are dealt with on the server: as many may be fetched twice after a cut.
BATCH = 10
#: After a change of UIDVALIDITY what people have read is looked at as far back as this before the last whole round.
LOOK_BACK = timedelta(days=2)
#: A mail that the server would not hand over is asked for in so many rounds, then left where it is.
STUCK_TRIES = 5

NOT_HANDED_OVER = "The server would not hand over a mail."


@dataclass(frozen=True)
class Plan:
    """An account as it was when the round began; plain values. `also`: further inboxes that it feeds."""

    account_id: int
    version: int
    inbox_id: int
    box: str
    login: Login
    folders: tuple[str, ...]
    afterwards: Afterwards
    move_to: str
    idle: bool
    every_s: int
    most_bytes: int
    also: frozenset[int] = frozenset()


@dataclass
class Round:
    """What a round brought: `new` mails, `known` ones that had been stored before, `left` on the server because they are too large."""

    new: int = 0
    known: int = 0
    left: int = 0


def plan(account_id: int, most_bytes: int) -> Plan:
    """What to do with an account. Raises NotFound, and Unavailable when its secrets cannot be read any more."""
    with db.read() as session:
        account = session.get(MailAccount, account_id)
        inbox = session.get(Inbox, account.inbox_id) if account is not None else None
        if account is None or inbox is None:
            raise NotFound
        return Plan(
            account.id, account.version, inbox.id, (inbox.address or f"inbox {inbox.id}")[:320], accounts.login_of(account),
            tuple(account.folders), account.afterwards, account.move_to, account.idle, account.every_s, most_bytes,
            accounts.also_fed(account.id),
        )  # fmt: skip


def run(plan: Plan, link: Connection, *, go_on: Callable[[], bool] = lambda: True) -> Round:
    """One round through all folders. Raises AccountTrouble, and Unavailable when disk or database are away; nothing is lost by either.

    `go_on` is asked between batches: false ends the round early, the next one continues.
    """
    made = Round()
    for folder in plan.folders:
        _folder(plan, link, folder, made, go_on)
    return made


def keep_token(login: Login, token: str, account_id: int) -> None:
    """The provider replaced the refresh token: the old one may be worth nothing from now on."""
    with db.transaction() as session:
        account = session.get(MailAccount, account_id)
        if account is not None and vault.unseal(account.refresh_token) == login.refresh_token:
            account.refresh_token = vault.seal(token)


def succeeded(plan: Plan, made: Round) -> None:
    """Write down a whole round."""
    with db.transaction() as session:
        now = clock.now()
        session.execute(
            update(MailAccount)
            .where(MailAccount.id == plan.account_id)
            .values(
                tried_at=now, fetched_at=now, next_at=now + timedelta(seconds=plan.every_s), failures=0, trouble="",
                taken=MailAccount.taken + made.new, left_behind=MailAccount.left_behind + made.left,
            )
        )  # fmt: skip


def failed(account_id: int, told: str, *, secrets_wrong: bool = False) -> None:
    """Write down why a round failed, and when the next is due: soon at first, then ever later.

    A refused sign-in waits longer: providers lock accounts that knock too often.
    """
    with db.transaction() as session:
        account = session.get(MailAccount, account_id, with_for_update=True, populate_existing=True)
        if account is None:
            return
        account.failures += 1
        first_s, most_s = (120, 3600) if secrets_wrong else (15, 900)
        account.tried_at = clock.now()
        account.next_at = account.tried_at + timedelta(seconds=min(first_s * 2 ** min(account.failures - 1, 10), most_s))
        account.trouble = told[:1000]


def once(account_id: int, most_bytes: int) -> Round:
    """Open the account, make one round, write down how it went. Raises AccountTrouble, Unavailable."""
    secrets: tuple[str, ...] = ()
    try:
        work = plan(account_id, most_bytes)
        secrets = work.login.secrets
        link = connection.connect(work.login, renewed=lambda login, token: keep_token(login, token, account_id))
        try:
            made = run(work, link)
        finally:
            link.close()
    except AccountTrouble as wrong:
        failed(account_id, wrong.told(secrets), secrets_wrong=is_about_secrets(wrong))
        raise
    except Unavailable as wrong:
        failed(account_id, str(wrong))
        raise
    succeeded(work, made)
    return made


def is_about_secrets(wrong: AccountTrouble) -> bool:
    return wrong.sentence in (connection.BAD_LOGIN, connection.BAD_TOKEN, oauth.TOKEN_REFUSED)


# --- one folder ----------------------------------------------------------------------------------------------------------


def _folder(plan: Plan, link: Connection, folder: str, made: Round, go_on: Callable[[], bool]) -> None:
    validity = link.select(folder)
    place = _place(plan, folder)
    known = place is not None and place.uidvalidity == validity
    last = place.last_uid if place is not None and known else 0
    if not known:
        # What comes after this number is new, and left to the next round; until all that is to be taken now is safe, nothing moves forward.
        newest = max(link.search("ALL"), default=0)
        wanted = [uid for uid in _wanted(plan, link, last, known=False, fetched_before=place is not None) if uid <= newest]
        for batch in _batches(wanted):
            if not go_on():
                return
            _take(plan, link, folder, validity, batch, made)
        _advance(plan, folder, validity, newest)
        return
    wanted = _wanted(plan, link, last, known=True, fetched_before=True)
    for batch in _batches(wanted):
        if not go_on():
            return
        reached = _take(plan, link, folder, validity, batch, made)
        _advance(plan, folder, validity, reached)


def _wanted(plan: Plan, link: Connection, last: int, *, known: bool, fetched_before: bool) -> list[int]:
    """UIDs to take in. At first contact what nobody has read yet; when the server numbered its mails anew, also what is recent."""
    if known:
        return [uid for uid in link.search(f"UID {last + 1}:*") if uid > last]  # "*" alone names the last mail, however old
    if not fetched_before:
        return link.search("UNSEEN")
    with db.read() as session:
        account = session.get(MailAccount, plan.account_id)
        since = ((account.fetched_at if account is not None else None) or clock.now()) - LOOK_BACK
    return sorted({*link.search("UNSEEN"), *link.search(f"SINCE {_imap_date(since.day, since.month, since.year)}")})


def _take(plan: Plan, link: Connection, folder: str, validity: int, uids: list[int], made: Round) -> int:
    """Store these mails and deal with them on the server; the highest UID that needs no more looking at."""
    sizes = link.sizes(uids)
    doors = _doors(plan)
    safe: list[int] = []
    for uid in uids:
        if uid not in sizes:
            continue  # removed by somebody meanwhile
        if sizes[uid] > plan.most_bytes:
            made.left += 1
            continue
        raw = link.raw(uid)
        if raw is None:
            if uid not in link.sizes([uid]) or _gave_up(plan, folder, validity, uid, made):
                continue
            raise AccountTrouble(NOT_HANDED_OVER, f"{folder}, UID {uid}")
        inbox_id = sorting.choose(doors, plan.inbox_id, raw) if doors is not None else plan.inbox_id
        _arrival, new = arrivals.store(raw, box=plan.box, inbox_id=inbox_id, sender="", recipients=[])
        safe.append(uid)
        made.new += new
        made.known += not new
    link.finish(safe, plan.afterwards, plan.move_to)
    return uids[-1]


def _doors(plan: Plan) -> inboxes.Doors | None:
    """The inboxes that the account feeds, as they are called now; None when there is only one. Their box stays the main one's: the same
    mail is known again whichever of them it went to.
    """
    if not plan.also:
        return None
    with db.read():
        return inboxes.doors().among({plan.inbox_id, *plan.also})


def _gave_up(plan: Plan, folder: str, validity: int, uid: int, made: Round) -> bool:
    """Count a try at a mail that the server does not hand over; true once it was asked for often enough."""
    with db.transaction() as session:
        place = session.get(MailFolder, (plan.account_id, folder), with_for_update=True, populate_existing=True)
        if place is None:
            place = MailFolder(account_id=plan.account_id, folder=folder, uidvalidity=validity, last_uid=0, stuck_tries=0)
            session.add(place)
        place.stuck_tries = place.stuck_tries + 1 if place.stuck_uid == uid else 1
        place.stuck_uid = uid
        over = place.stuck_tries >= STUCK_TRIES
    made.left += over
    return over


def _place(plan: Plan, folder: str) -> MailFolder | None:
    with db.read() as session:
        return session.get(MailFolder, (plan.account_id, folder))


def _advance(plan: Plan, folder: str, validity: int, uid: int) -> None:
    """Never backwards under the same numbering: two processes may have fetched at once."""
    with db.transaction() as session:
        if session.get(MailAccount, plan.account_id) is None:
            return
        place = session.get(MailFolder, (plan.account_id, folder), with_for_update=True, populate_existing=True)
        if place is None:
            session.add(MailFolder(account_id=plan.account_id, folder=folder, uidvalidity=validity, last_uid=uid))
        elif place.uidvalidity != validity:
            place.uidvalidity, place.last_uid = validity, uid
        else:
            place.last_uid = max(place.last_uid, uid)


def _batches(uids: list[int]) -> list[list[int]]:
    return [uids[at : at + BATCH] for at in range(0, len(uids), BATCH)]


def _imap_date(day: int, month: int, year: int) -> str:
    """As RFC 3501 writes it, whatever the locale."""
    return f"{day}-{'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()[month - 1]}-{year}"
