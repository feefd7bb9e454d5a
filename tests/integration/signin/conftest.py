"""Cheap password hashes for the tests that need many: the same algorithm, with the least of everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from passlib.context import CryptContext

from helpdesk import passwords
from tests.desks import TestDesk


@pytest.fixture(autouse=True)
def cheap_hashes(request: pytest.FixtureRequest, desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if "slow" not in request.keywords:
        cheap = CryptContext(schemes=["argon2"], argon2__memory_cost=64, argon2__rounds=1, argon2__parallelism=1)
        monkeypatch.setattr(desk.app.extensions["security"], "pwd_context", cheap)
    passwords._dummy.cache_clear()
    yield
    passwords._dummy.cache_clear()
