"""What every test can ask for. Servers and the browser come from tests/servers.py."""

from __future__ import annotations

import gc
from itertools import chain, islice
from pathlib import Path

import pytest
from hypothesis import settings

from helpdesk.cli import LOOKS

pytest_plugins = ["tests.servers", "tests.desks"]

gc.set_threshold(*LOOKS)

#: How long one example takes says how busy the machine is.
settings.register_profile("desk", settings.default, deadline=None)
settings.load_profile("desk")

#: Where tests start servers, processes and browsers: few to a file, each of them long.
LONG = {"browser", "faults", "corpus", "demo"}
BETWEEN = 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of long tests early, short ones between them: at the end no worker is left alone with a long file."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    long = [path for path, tests in files.items() if LONG & set(path.parts) or any(test.get_closest_marker("slow") for test in tests)]
    short = iter([path for path in files if path not in long])
    order = list(chain.from_iterable([path, *islice(short, BETWEEN)] for path in long))
    items[:] = [test for path in [*order, *short] for test in files[path]]
