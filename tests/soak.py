"""Every test that takes minutes, one after the other, each in a process of its own and for a bounded time; a summary ends it.

    python -m tests.soak [WORDS]     WORDS as for `pytest -k`

A test that fails, hangs or takes its process down does not keep the others from running. What a test notes with `record_property` is its
figures. Ends with 1 when anything failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
#: For a test that names no time of its own; of many cases one may take so long.
USUAL_S = 900
EACH_S = 60
#: What starting and tearing down may take beside the tests' own times.
BESIDE_S = 180


@dataclass
class Group:
    """The cases of one test function, run together."""

    name: str
    cases: int = 0
    bound_s: float = BESIDE_S
    outcome: str = ""
    took_s: float = 0.0
    figures: list[str] = field(default_factory=list)


class Collector:
    """pytest's plugin that only notes what there is."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name = item.nodeid.partition("[")[0]
            group = self.groups.setdefault(name, Group(name))
            own = item.get_closest_marker("timeout")
            group.cases += 1
            group.bound_s += float(own.args[0]) if own is not None else EACH_S if group.cases > 1 else USUAL_S


def main() -> None:
    words = ["-k", " ".join(sys.argv[1:])] if sys.argv[1:] else []
    found = Collector()
    pytest.main(["--collect-only", "-qq", "--no-summary", "-m", "soak", *words], plugins=[found])
    groups = list(found.groups.values())
    for number, group in enumerate(groups, 1):
        print(f"\n== {number} of {len(groups)}: {group.name} ({group.cases}, at most {group.bound_s / 60:.0f} min)", flush=True)
        run(group, words)
        print(f"\n   {group.outcome} after {group.took_s:.0f} s", flush=True)
    print("\n== Summary")
    for group in groups:
        print(f"{group.outcome:>16}  {group.took_s:6.0f} s  {group.name}")
        for line in group.figures:
            print(f"{'':>28}{line}")
    failed = [group for group in groups if not group.outcome.endswith("passed")]
    print(f"\n{len(groups) - len(failed)} of {len(groups)} passed, in {sum(group.took_s for group in groups) / 60:.0f} min.", flush=True)
    sys.exit(1 if failed or not groups else 0)


def run(group: Group, words: list[str]) -> None:
    """Run a group's cases; its outcome, time and figures are noted in it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "soak", *words, "--timeout", str(USUAL_S), "-o", "junit_family=xunit1"]
        begun = time.monotonic()
        process = subprocess.Popen([*command, "--junitxml", str(report), group.name], cwd=ROOT, start_new_session=True)
        try:
            process.wait(group.bound_s)
        except subprocess.TimeoutExpired:
            group.outcome = "out of time"
        finally:
            end(process)
        group.took_s = time.monotonic() - begun
        passed = read(report, group) if report.exists() else 0
        group.outcome = group.outcome or (f"{passed} passed" if process.returncode == 0 else f"{passed} of {group.cases}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Whatever the test has left running ends with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def read(report: Path, group: Group) -> int:
    """How many cases passed, by pytest's own report; the figures that they noted go into the group."""
    passed = 0
    for case in ElementTree.parse(report).iter("testcase"):
        good = not any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        passed += good
        noted = ", ".join(f"{one.get('name')} {one.get('value')}" for one in case.iter("property"))
        name = (case.get("name") or "").partition("[")[2].rstrip("]")
        if noted or not good:
            group.figures.append(f"{name or group.name.rpartition('::')[2]}: {noted if good else f'FAILED {noted}'}")
    return passed


if __name__ == "__main__":
    main()
