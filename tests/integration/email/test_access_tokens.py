"""Mail accounts that take no passwords: tokens are bought, kept while they last, and asked for only where that is safe."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from helpdesk import db, vault
from helpdesk.channels.email.imap import connection, oauth
from helpdesk.channels.email.imap.models import MailAccount
from helpdesk.errors import Invalid
from tests.desks import TestDesk
from tests.imap import ImapServer
from tests.integration.email.imap_accounts import account, fetch, kept, mails, trouble


class TokenServer:
    """A provider's token endpoint. `answer(form)` gives status and body."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.answer: Callable[[dict[str, list[str]]], tuple[int, dict[str, object]]] = lambda _form: (400, {"error": "invalid_grant"})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                outer.forms.append(form)
                status, body = outer.answer(form)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_args: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def token_server() -> Iterator[TokenServer]:
    connection.forget_tokens()
    made = TokenServer()
    yield made
    made.http.shutdown()
    made.http.server_close()
    connection.forget_tokens()


def oauth_account(desk: TestDesk, server: ImapServer, tokens: TokenServer) -> int:
    return account(
        desk, server, password="", sign_in="oauth", token_url=f"http://127.0.0.1:{tokens.port}/token", client_id="desk",
        client_secret="client-canary", refresh_token="refresh-1", scope="mail",
    )  # fmt: skip


def test_a_token_is_bought_kept_while_it_lasts_and_bought_anew(desk: TestDesk, server: ImapServer, token_server: TokenServer) -> None:
    token_server.answer = lambda _form: (200, {"access_token": "access-1", "expires_in": 3600})
    server.deliver(mails(1)[0])
    account_id = oauth_account(desk, server, token_server)
    assert fetch(account_id).new == 1
    fetch(account_id)
    assert len(token_server.forms) == 1
    assert token_server.forms[0] == {
        "grant_type": ["refresh_token"], "client_id": ["desk"], "client_secret": ["client-canary"], "refresh_token": ["refresh-1"],
        "scope": ["mail"],
    }  # fmt: skip
    server.token = "access-2"  # the provider forgot the first one
    token_server.answer = lambda _form: (200, {"access_token": "access-2", "expires_in": 3600, "refresh_token": "refresh-2"})
    assert trouble(account_id).sentence == connection.BAD_TOKEN
    fetch(account_id)
    with db.read() as session:
        assert vault.unseal(session.get_one(MailAccount, account_id).refresh_token) == "refresh-2"


def test_a_refused_refresh_token_is_told_in_the_providers_words(desk: TestDesk, server: ImapServer, token_server: TokenServer) -> None:
    token_server.answer = lambda _form: (400, {"error": "invalid_grant", "error_description": "refresh-1 has expired"})
    account_id = oauth_account(desk, server, token_server)
    assert trouble(account_id).sentence == oauth.TOKEN_REFUSED
    told = kept(account_id).trouble
    assert "invalid_grant" in told and "refresh-1" not in told and "client-canary" not in told


def test_tokens_are_only_asked_for_over_https_or_on_this_machine(desk: TestDesk, server: ImapServer) -> None:
    for url in ("http://provider.example/token", "ftp://x", "", "https://"):
        with pytest.raises(Invalid) as refused:
            account(desk, server, sign_in="oauth", token_url=url, client_id="x", refresh_token="y")
        assert set(refused.value.fields) == {"token_url"}
