"""A customer with a browser and without scripts: opens pages, fills in the form that stands there, follows where it leads."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from helpdesk import db
from helpdesk.auth import Role
from helpdesk.crm.models import Contact
from helpdesk.tickets import linking
from helpdesk.tickets.models import Ticket
from tests import people

REQUEST = {
    "name": "Carol Jones",
    "email": "carol@customer.example",
    "subject": "The invoice is wrong",
    "body": "It says 20 instead of 10.\n\nPlease correct it.",
}


def token(client: FlaskClient, page: str = "/") -> str:
    """The CSRF token of the visitor's session."""
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(page).text)
    assert found
    return found.group(1)


def hidden(html: str, name: str) -> str:
    """A hidden field's value."""
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', html)
    assert found, f"no field {name}"
    return unescape(found.group(1))


def typed(html: str, name: str) -> str:
    """What stands in a text field."""
    area = re.search(rf'<textarea[^>]*name="{name}"[^>]*>\n?(.*?)</textarea>', html, re.DOTALL)
    if area:
        return unescape(area.group(1))
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', html)
    return unescape(found.group(1)) if found else ""


def form(client: FlaskClient, **values: Any) -> dict[str, Any]:
    """The request form as it is drawn, filled in."""
    page = client.get("/requests/new").text
    return {"csrf_token": hidden(page, "csrf_token"), "form_key": hidden(page, "form_key"), **REQUEST, **values}


def asks(client: FlaskClient, **values: Any) -> TestResponse:
    """Send the request form."""
    return client.post("/requests/new", data=form(client, **values))


def link_of(answer: TestResponse) -> str:
    """The ticket's page, from the redirect after the request form."""
    assert answer.status_code == 303, answer.text
    return str(answer.location).removesuffix("/sent")


def link_to(ticket: Ticket, contact: int) -> str:
    with db.read():
        return f"/t/{linking.token(ticket, contact)}"


def account(contact: int, *, name: str = "Carol Jones", email: str = "carol@customer.example") -> int:
    """A customer who signs in."""
    with db.transaction():
        return people.person(name, Role.CUSTOMER, email=email, contact_id=contact).id


def read(ticket_id: int) -> Ticket:
    with db.read() as session:
        return session.get_one(Ticket, ticket_id)


def contact(contact_id: int) -> Contact:
    with db.read() as session:
        return session.get_one(Contact, contact_id)


class _Dangers(HTMLParser):
    """What a browser would run or fetch: scripts and frames, handlers, odd addresses, pictures from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        ours = values.get("src", "").startswith("/static/") or values.get("type") == "application/json"
        if tag in ("iframe", "object", "embed", "base") or (tag == "script" and not ours):
            self.found.append(tag)
        if tag == "img" and not values.get("src", "").startswith("/"):
            self.found.append(f"img {values.get('src')}")
        for name, value in values.items():
            scheme = re.sub(r"[\\s\x00-\x20]", "", value.lower())
            if name.startswith("on") or (
                name in ("href", "src", "action", "formaction") and scheme.startswith(("javascript:", "data:text", "vbscript:"))
            ):
                self.found.append(f"{tag} {name}={value}")


def dangers(html: str) -> list[str]:
    """Everything in a page that somebody else's words could have put there to harm its reader."""
    parser = _Dangers()
    parser.feed(html)
    return parser.found
