"""What the browser tests share: somebody with a page open, and a stage for the pages' scripts. Each file brings its own running `desk`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hatch_build
from tests.browser.stage import Stage, served
from tests.running import RunningDesk


@pytest.fixture(scope="session")
def assets() -> None:
    """Scripts and styles as they are in the sources now."""
    hatch_build.build()


@pytest.fixture
def stage(assets: None, page_errors: Callable[[], list[str]]) -> Iterator[Stage]:
    """Nothing on it may make the browser's console complain: neither a script error nor a refusal by the policy."""
    with served() as made:
        yield made
        assert [line for line in page_errors() if "503" not in line and "WebSocket" not in line] == []


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
