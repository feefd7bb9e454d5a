"""The summary of the long tests: what passed, what did not, and the figures of both."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from tests.soak import Group, end, read

REPORT = """<testsuites><testsuite>
<testcase name="test_mails_survive[tenth]"><properties>
<property name="mails" value="200"/><property name="wrong" value="0"/></properties></testcase>
<testcase name="test_mails_survive[fifth]"><properties><property name="wrong" value="3"/></properties><failure>lost</failure></testcase>
<testcase name="test_mails_survive[other]"/>
<testcase name="test_mails_survive[absent]"><skipped/></testcase>
</testsuite></testsuites>"""


def test_the_report_says_how_many_passed_and_names_what_failed_with_its_figures(tmp_path: Path) -> None:
    path, group = tmp_path / "report.xml", Group("tests/faults/test_kills.py::test_mails_survive")
    path.write_text(REPORT)
    assert read(path, group) == 2
    assert group.figures == ["tenth: mails 200, wrong 0", "fifth: FAILED wrong 3", "absent: FAILED "]


def test_what_a_test_has_left_running_ends_with_it() -> None:
    leaves = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", leaves], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None and process.stdout is not None
    left = os.pidfd_open(int(process.stdout.readline()))
    end(process)
    assert process.returncode == -signal.SIGKILL
    assert select.select([left], [], [], 10)[0], "it has ended"
    os.close(left)
    process.stdin.close()
    process.stdout.close()
