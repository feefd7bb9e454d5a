"""Servers that start at once: a program with everything imported, which forks one for each start, and what tests hold of it (`Forge`).

A desk that is killed two hundred times would otherwise spend most of the time importing. What is forked is `helpdesk serve` with the
given environment and output; it ends as any other process does, by a signal.

The program reads lines of JSON, {"environ": …, "arguments": […], "log": path}, and answers each with the number of the new process.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.spoken import Program

ROOT = Path(__file__).parents[2]
#: What libraries import only when they are used.
BESIDE = (
    "gevent.pywsgi", "celery.app.amqp", "celery.app.control", "celery.beat", "celery.concurrency.thread",
    "celery.worker.components", "celery.worker.consumer", "celery.worker.strategy", "kombu.transport.memory",
)  # fmt: skip


class Forked:
    """A forked server, used as a `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._end: int | None = None
        with suppress(ProcessLookupError):  # it has ended already
            self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        return None if self._runs(0) else 0

    def wait(self, timeout: float | None = None) -> int:
        if self._runs(timeout):
            raise subprocess.TimeoutExpired("helpdesk serve", timeout or 0)
        return 0

    def send_signal(self, sign: int) -> None:
        if self._end is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._end, sign)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _runs(self, seconds: float | None) -> bool:
        if self._end is None:
            return False
        if not select.select([self._end], [], [], seconds)[0]:
            return True
        os.close(self._end)
        self._end = None
        return False


class Forge(Program):
    """The program, spoken to."""

    def __init__(self) -> None:
        super().__init__("tests.faults.forge")

    def start(self, environ: dict[str, str], arguments: list[str], log: Path) -> Forked:
        return Forked(int(self.ask(environ=environ, arguments=arguments, log=str(log))))


# --- the program ---------------------------------------------------------------------------------------------------------


def main() -> None:
    from helpdesk import server

    server.patch()
    import importlib
    import pkgutil

    from gevent import monkey
    from sqlalchemy.orm import configure_mappers

    import helpdesk

    ours = [found.name for found in pkgutil.walk_packages(helpdesk.__path__, "helpdesk.")]
    for name in (*ours, *BESIDE):
        if ".migrations" not in name and not name.endswith("__main__"):
            importlib.import_module(name)
    configure_mappers()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who were killed
    fork = monkey.get_original("os", "fork")
    for line in sys.stdin:
        told = json.loads(line)
        child = fork()
        if child == 0:
            serve(told)
        print(child, flush=True)


def serve(told: dict[str, Any]) -> None:
    """What the new process does until it ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((0, nothing), (1, log), (2, log)):
        os.dup2(theirs, ours)
    os.environ.update(told["environ"])
    sys.argv = ["helpdesk", *told["arguments"]]
    try:
        from helpdesk.cli import helpdesk

        helpdesk.main(standalone_mode=False)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    main()
