"""The API's page and the page of tokens in a real browser: made, copied, tried, under the desk's own content security policy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from tests import people
from tests.axe import violations
from tests.desks import TestDesk
from tests.servers import free_port

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("engine", ["sqlite"], indirect=True)]


@pytest.fixture
def address(desk: TestDesk, assets: None) -> Iterator[str]:
    """The desk, served."""
    port = free_port()
    url = f"http://localhost:{port}"
    desk.app.config["HELPDESK"] = replace(desk.settings, base_url=url)
    server = make_server("127.0.0.1", port, desk.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield url
    server.shutdown()
    thread.join(5)


def sign_in(desk: TestDesk, page: Page, address: str, user: int) -> None:
    client = desk.client(user)
    cookie = client.get_cookie("desk")
    assert cookie is not None
    page.context.add_cookies([{"name": "desk", "value": cookie.value, "url": address}])


def test_alice_makes_a_token_and_tries_calls_with_it(desk: TestDesk, page: Page, address: str) -> None:
    people.writes(desk.people.carol, inbox=desk.people.mail, subject="Wrong invoice")
    troubles: list[str] = []
    # This stage serves pages alone, so the live script's attempts at a socket fail.
    page.on("console", lambda line: troubles.append(line.text) if line.type == "error" and "WebSocket" not in line.text else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    sign_in(desk, page, address, desk.people.alice)
    page.goto(f"{address}/settings/tokens")
    assert violations(page) == []
    page.get_by_label("Name").fill("Try-out")
    page.get_by_label("Open and change tickets, write messages").check()
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("#secret").inner_text()
    assert secret.startswith("hd_")

    page.goto(f"{address}/api/v1/docs")
    assert violations(page) == []
    page.get_by_label("Your token").fill(secret)
    listing = page.locator("#tickets_tickets")
    listing.locator("> summary").click()
    listing.get_by_label("limit").fill("1")
    listing.get_by_role("button", name="Try it").click()
    expect(listing.locator("output")).to_contain_text("200")
    assert json.loads(listing.locator(".answer").inner_text())["items"][0]["subject"] == "Wrong invoice"

    opening = page.locator("#tickets_open_ticket")
    opening.locator("> summary").click()
    wish = {"requester": {"id": desk.people.carol}, "subject": "From the page", "body": "Hello", "inbox_id": desk.people.mail}
    opening.get_by_label("Body").fill(json.dumps(wish))
    opening.get_by_label("Idempotency-Key").fill("once")
    opening.get_by_role("button", name="Try it").click()
    expect(opening.locator("output")).to_contain_text("201")
    expect(opening.locator(".answer")).to_contain_text("location: " + address)
    opening.get_by_role("button", name="Try it").click()
    expect(opening.locator(".answer")).to_contain_text("idempotency-replayed: true")
    assert troubles == []
    assert violations(page) == []


def test_without_a_token_the_page_shows_the_refusal_and_the_session_helps_nobody(desk: TestDesk, page: Page, address: str) -> None:
    sign_in(desk, page, address, desk.people.dana)
    page.goto(f"{address}/api/v1/docs")
    me = page.locator("#desk_me")
    me.locator("> summary").click()
    me.get_by_role("button", name="Try it").click()
    expect(me.locator("output")).to_contain_text("401")
    assert json.loads(me.locator(".answer").inner_text())["code"] == "bad_token"
