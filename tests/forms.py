"""A person with a browser and no scripts: opens pages, fills their forms, presses their buttons. Carries the form's token along."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.desks import TestDesk

TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')


class Browser:
    """Pages of a desk as one person sees them; anonymous without a user."""

    def __init__(self, desk: TestDesk, user: int | None = None) -> None:
        self.client: FlaskClient = desk.client(user)

    def open(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def send(self, path: str, *, page: str = "/sign-in", **fields: Any) -> TestResponse:
        """Press a button: post the fields with the token of `page` (any page of this browser has the same)."""
        return self.client.post(path, data={"csrf_token": self.token(page), **fields})

    def save(self, page: str, *, to: str = "", **fields: Any) -> TestResponse:
        """Open a page, change some fields of its form and send it all: what stands in the form is kept, as a browser would."""
        html = self.open(page).text
        action = to or page
        form = next(part for part in re.findall(r"<form.*?</form>", html, re.DOTALL) if f'action="{action}"' in part)
        data: dict[str, Any] = dict(_fields(form))
        data.update(fields)
        return self.client.post(action, data={name: value for name, value in data.items() if value is not None})

    def token(self, page: str = "/sign-in") -> str:
        found = TOKEN.search(self.client.get(page, follow_redirects=True).text)
        assert found, f"{page} carries no token"
        return found[1]


def _fields(form: str) -> list[tuple[str, Any]]:
    """What a browser would send of this form: {name: value or list of values}."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = _attribute(tag, "name"), _attribute(tag, "value")
        if name and not (re.search(r'type="(checkbox|radio)"', tag) and " checked" not in tag):
            found.setdefault(name, []).append(value)
    for name, inner in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found.setdefault(name, []).append(inner.lstrip("\n"))
    for select, inner in re.findall(r"(<select[^>]*>)(.*?)</select>", form, re.DOTALL):
        options = re.findall(r'<option value="([^"]*)"( selected)?', inner)
        chosen = [value for value, selected in options if selected] or [value for value, _selected in options[:1]]
        found.setdefault(_attribute(select, "name"), []).extend(chosen)
    return [(name, values[0] if len(values) == 1 else values) for name, values in found.items()]


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1].replace("&amp;", "&").replace("&#34;", '"').replace("&#39;", "'") if found else ""
