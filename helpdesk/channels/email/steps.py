"""Named steps of intake, where tests end the process to see what is left. In a desk that nobody tests this does nothing.

HELPDESK_TEST_KILL_AT names a step and, after a colon, at which passing the process ends: "decide:1". Read once, at the start.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

#: In the order in which a mail passes them.
STEPS = ("bytes kept", "row written", "stored", "understand", "files kept", "decide", "decided")

_step, _, _times = os.environ.get("HELPDESK_TEST_KILL_AT", "").partition(":")
_passed: Counter[str] = Counter()


def reached(step: str) -> None:
    """A mail is at this step."""
    if step == _step:
        _passed[step] += 1
        if _passed[step] == int(_times or 1):
            os.kill(os.getpid(), signal.SIGKILL)
