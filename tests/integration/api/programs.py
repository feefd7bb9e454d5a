"""Programs that use the API in somebody's name: a client that shows a token with each request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.agents import tokens
from helpdesk.auth import Role, User
from tests import people
from tests.desks import TestDesk

BASE = "/api/v1"


@dataclass
class Program:
    """Requests with one token. Paths are given without /api/v1."""

    client: FlaskClient
    secret: str
    token_id: int

    def get(self, path: str, **values: Any) -> TestResponse:
        return self._send("get", path, values)

    def post(self, path: str, json: Any = None, **values: Any) -> TestResponse:
        return self._send("post", path, {"json": json, **values})

    def patch(self, path: str, json: Any, **values: Any) -> TestResponse:
        return self._send("patch", path, {"json": json, **values})

    def _send(self, method: str, path: str, values: dict[str, Any]) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.secret}", **values.pop("headers", {})}
        if values.get("data") is not None:
            values.pop("json", None)
        found: TestResponse = getattr(self.client, method)(BASE + path, headers=headers, **values)
        return found


def program(desk: TestDesk, user: int, *scopes: str) -> Program:
    """A program of this person's, with all scopes unless some are given."""
    with db.transaction() as session:
        owner = session.get_one(User, user)
        token, secret = tokens.issue(owner, "Program", scopes or tuple(tokens.SCOPES), valid=None, by=Actor("user", user))
    return Program(desk.client(), secret, token.id)


def customer(contact: int, name: str) -> int:
    """An account for a customer, so that they can have a token; their user id."""
    with db.transaction():
        return people.person(name, Role.CUSTOMER, contact_id=contact).id


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL that the block runs itself; what a commit before it still draws for open screens runs in another thread."""
    heard: list[str] = []
    here = threading.get_ident()

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() == here:
            heard.append(statement)

    event.listen(db.engine(), "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(db.engine(), "before_cursor_execute", hear)
