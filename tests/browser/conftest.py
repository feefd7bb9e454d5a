"""What the browser tests share: somebody with a page open. Each file brings its own running `desk`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.running import RunningDesk


@pytest.fixture
def person(chromium: Any, desk: RunningDesk) -> Iterator[Callable[..., Any]]:
    """Opens a page as somebody, in a browser context of their own."""
    contexts: list[Any] = []

    def opens(path: str, user: int | None = None, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", **options)
        contexts.append(context)
        if user is not None:
            context.add_cookies([desk.cookie(user)])
        page = context.new_page()
        page.goto(desk.base + path)
        return page

    yield opens
    for context in contexts:
        context.close()
