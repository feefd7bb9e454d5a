"""Keys for programs: a person makes one, chooses what it may do, sees its secret once, and takes it back. The REST API asks here
whose key it was shown.

A token acts with its owner's rights narrowed to its scopes, as they are at that moment: a changed role, a left queue or a
deactivated owner counts at the next request.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta

from flask_babel import lazy_gettext as _
from sqlalchemy import bindparam, select, update

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents.queries import principal_of
from helpdesk.auth import ApiToken, Principal, User, hashed
from helpdesk.catalog import TokenIssued, TokenRevoked
from helpdesk.errors import Invalid, NotFound, NotSignedIn, Words
from helpdesk.events import record

#: What a token can be allowed, in the words of the page that makes it.
SCOPES: dict[str, Words] = {
    "tickets:read": _("Read tickets, messages, files and ratings"),
    "tickets:write": _("Open and change tickets, write messages"),
    "contacts:read": _("Read customers"),
    "contacts:write": _("Add and change customers"),
    "articles:read": _("Read articles"),
    "articles:write": _("Write and publish articles"),
}
MOST_LIVE = 50
LONGEST_NAME = 120
#: How exact "last used" is: a write per request would be a transaction for each read.
USED_EVERY = timedelta(minutes=1)


#: Made once: every request of every program asks it.
_BY_SECRET = select(ApiToken, User).join(User, User.id == ApiToken.user_id).where(ApiToken.hashed == bindparam("hashed"))


class BadToken(NotSignedIn):
    """No token, or one that is unknown, expired, revoked or whose owner has left: the same answer for all of them."""

    code, title = "bad_token", _("A valid API token is needed")


def issue(user: User, name: str, scopes: Collection[str], *, valid: timedelta | None, by: Actor) -> tuple[ApiToken, str]:
    """Make a token for `user`; the secret is returned here and nowhere again. `valid` None: until it is revoked.

    Raises Invalid without a name, without or with unknown scopes, or with too many tokens already.
    """
    name = " ".join(name.split())[:LONGEST_NAME]
    faults: dict[str, Words] = {}
    if not name:
        faults["name"] = _("Say what it is for, so that you recognise it later.")
    if not scopes or not set(scopes) <= set(SCOPES):
        faults["scopes"] = _("Choose what it may do.")
    if sum(live(token) for token in tokens_of(user.id)) >= MOST_LIVE:
        faults["name"] = _("You have %(n)s tokens. Revoke one that you no longer need.", n=MOST_LIVE)
    if faults:
        raise Invalid(fields=faults)
    prefix = secrets.token_hex(4)
    secret = f"hd_{prefix}_{secrets.token_urlsafe(32)}"
    token = ApiToken(
        user_id=user.id,
        name=name,
        prefix=prefix,
        hashed=hashed(secret),
        scopes=sorted(set(scopes)),
        created_at=clock.now(),
        expires_at=clock.now() + valid if valid else None,
    )
    db.session().add(token)
    db.session().flush()
    record(TokenIssued(user.id, token.id, by))
    return token, secret


def revoke(token: ApiToken, *, by: Actor) -> None:
    """The token stops working at once; revoking twice changes nothing."""
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        record(TokenRevoked(token.user_id, token.id, by))


def tokens_of(user_id: int) -> list[ApiToken]:
    """A person's tokens, newest first, those that ended included."""
    return list(db.session().scalars(select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc())))


def token_of(user_id: int, token_id: int) -> ApiToken:
    """One of a person's own tokens. Raises NotFound, also for somebody else's."""
    token = db.session().scalar(select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == user_id))
    if token is None:
        raise NotFound
    return token


def live(token: ApiToken) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > clock.now())


def shown(secret: str) -> tuple[ApiToken, Principal]:
    """Whose key a program shows, and what it may. Raises BadToken."""
    if not secret.startswith("hd_") or len(secret) > 100:
        raise BadToken
    found = db.session().execute(_BY_SECRET, {"hashed": hashed(secret)}).first()
    if found is None or not live(found[0]) or not found[1].active:
        raise BadToken(_("This token is unknown, has expired or was revoked."))
    token, user = found
    actor = Actor("token", token.id, via="api", owner=user.id)
    return token, principal_of(user, scopes=frozenset(token.scopes), actor=actor)


def stale(token: ApiToken) -> bool:
    """Whether "last used" is old enough to be written anew."""
    return token.last_used_at is None or clock.now() - token.last_used_at >= USED_EVERY


def used(token_id: int) -> None:
    """Note that a token was used just now."""
    db.session().execute(
        update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.now()), execution_options={"synchronize_session": False}
    )
