"""Access tokens for accounts that take no passwords (RFC 6749, 6): a refresh token buys one, for about an hour. Never in a transaction."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

from helpdesk.channels.email.imap.accounts import Login
from helpdesk.channels.email.imap.trouble import AccountTrouble

PATIENCE_S = 15.0
_MOST = 65536

TOKEN_SERVER_AWAY = "The server that gives access tokens does not answer."
TOKEN_REFUSED = "The provider gives no access token: the refresh token or the client was not accepted. Enter a new refresh token."


@dataclass(frozen=True)
class Token:
    """`lasts_s`: seconds from now. `refresh_token`: the one to use from now on; some providers give a new one each time."""

    access: str
    lasts_s: float
    refresh_token: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Secrets go where the administrator said, and nowhere else."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def refresh(login: Login) -> Token:
    """A fresh access token. Raises AccountTrouble with the provider's words."""
    form = {"grant_type": "refresh_token", "client_id": login.client_id, "refresh_token": login.refresh_token}
    if login.client_secret:
        form["client_secret"] = login.client_secret
    if login.scope:
        form["scope"] = login.scope
    request = urllib.request.Request(login.token_url, urllib.parse.urlencode(form).encode(), {"Accept": "application/json"})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=PATIENCE_S) as answer:
            said = _object(answer.read(_MOST))
    except urllib.error.HTTPError as wrong:
        with wrong:
            words = _object(wrong.read(_MOST))
        why = " ".join(str(words.get(name, "")) for name in ("error", "error_description"))
        raise AccountTrouble(TOKEN_REFUSED if wrong.code in (400, 401, 403) else TOKEN_SERVER_AWAY, f"{wrong.code} {why}") from None
    except (OSError, HTTPException) as wrong:
        raise AccountTrouble(TOKEN_SERVER_AWAY, str(getattr(wrong, "reason", wrong))) from None
    access = said.get("access_token")
    if not isinstance(access, str) or not access or not access.isprintable():
        raise AccountTrouble(TOKEN_SERVER_AWAY, "no access_token in the answer")
    lasts = said.get("expires_in")
    renewed = said.get("refresh_token")
    return Token(
        access,
        float(lasts) if isinstance(lasts, int | float | str) and str(lasts).replace(".", "", 1).isdigit() else 600.0,
        renewed if isinstance(renewed, str) and 0 < len(renewed) <= 5000 else login.refresh_token,
    )


def _object(raw: bytes) -> dict[str, object]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
