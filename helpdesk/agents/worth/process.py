"""The child process that computes everybody's value: `python -m helpdesk.agents.worth.process`, told what to do on its standard input.

numpy and scipy take a hundred megabytes and seconds to load; the serving process never pays that, and what the computation used is given
back when it ends. The address of the database comes through the pipe, because a process's arguments can be read by everybody.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

from helpdesk import db

PATIENCE = timedelta(minutes=30)


class ComputingFailed(RuntimeError):
    """The child ended badly; the message is the end of what it said."""


def run(run_id: int) -> None:
    """Compute a run in a child process. Called with no transaction open. Raises ComputingFailed."""
    url = db.engine().url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps({"url": url, "run": run_id}),
        text=True,
        capture_output=True,
        timeout=PATIENCE.total_seconds() - 60,
    )
    if done.returncode:
        raise ComputingFailed(done.stderr.strip()[-400:] or f"the process ended with {done.returncode}")


def main() -> None:
    from helpdesk.agents.worth.compute import compute

    said = json.load(sys.stdin)
    db.connect(said["url"], pool_size=2)
    compute(said["run"])
    db.disconnect()


if __name__ == "__main__":
    main()
