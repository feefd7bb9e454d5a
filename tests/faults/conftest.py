"""What the tests that kill share: servers that start at once, and a voice for what takes minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.forge import Forge

EVERY_S = 10.0


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    made = Forge()
    yield made
    made.close()


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[Callable[[], str]], None]:
    """Tell how far a soak is, every ten seconds at most, past pytest's capturing; what costs a look is asked only then."""
    long = request.node.get_closest_marker("soak") is not None
    capturing = request.config.pluginmanager.getplugin("capturemanager")
    begun = last = time.monotonic()

    def tell(how_far: Callable[[], str]) -> None:
        nonlocal last
        now = time.monotonic()
        if not long or now - last < EVERY_S:
            return
        last = now
        with capturing.global_and_fixture_disabled():
            print(f"\n  {now - begun:5.0f} s: {how_far()}", end="", flush=True)

    return tell
