"""A desk that really runs: its own processes on free ports, embedded or scaled, to be used by browsers, sockets and mail clients.

Pages are opened with real sessions; mails go in through the real listener and out to a sink that keeps them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from helpdesk import config, db, schema
from helpdesk.app import create_app
from helpdesk.auth import User
from helpdesk.config import Settings
from helpdesk.preferences import prefer
from helpdesk.setup import first_records
from tests import people
from tests.faults.forge import Forge, Forked
from tests.servers import free_port

START_S = 90.0
STOP_S = 8.0


class Sink:
    """A mail server that accepts everything and keeps it."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 kept"

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()


def _furnished(url: str) -> people.Company:
    """Make the schema and the company on the connected, empty database."""
    schema.upgrade()
    create_app(config.load({"HELPDESK_DATA": tempfile.gettempdir(), "DATABASE_URL": url, "SECRET_KEYS": "k" * 40}))
    with db.transaction():
        company = people.company()
        first_records()
        prefer(survey_delay_s=1, undo_s=1)
    return company


@lru_cache
def _furnished_file() -> tuple[bytes, people.Company]:
    """A furnished SQLite database, made once per test process."""
    with tempfile.TemporaryDirectory(prefix="helpdesk-furnished-") as folder:
        url = f"sqlite:///{folder}/helpdesk.db"
        db.connect(url)
        company = _furnished(url)
        db.disconnect()
        return Path(folder, "helpdesk.db").read_bytes(), company


class RunningDesk:
    """The processes of one desk and what is needed to use it. With a `forge` they are forked, which takes a tenth of the time."""

    def __init__(self, data: Path, *, database_url: str = "", redis_url: str = "", web: int = 1, forge: Forge | None = None) -> None:
        self.data = data
        self.forge = forge
        self.port = free_port()
        self.mail_port = free_port()
        self.sink = Sink()
        self.web = web
        self.processes: list[subprocess.Popen[bytes] | Forked] = []
        self.environ = {
            "HELPDESK_DATA": str(data),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "BASE_URL": f"http://127.0.0.1:{self.port}",
            "SECRET_KEYS": "k" * 40,
            "MAIL_LISTEN": f"127.0.0.1:{self.mail_port}",
            "SMTP_URL": f"smtp://127.0.0.1:{self.sink.port}",
            "LOG_LEVEL": "WARNING",
        }
        data.mkdir(parents=True, exist_ok=True)

    @property
    def base(self) -> str:
        return self.environ["BASE_URL"]

    def prepare(self) -> people.Company:
        """Make the schema and the company, from this process; the desk's processes are started afterwards."""
        self.settings: Settings = config.load(self.environ)
        if self.settings.sqlite:
            content, company = _furnished_file()
            (self.data / "helpdesk.db").write_bytes(content)
        else:
            db.connect(self.settings.database_url)
            company = _furnished(self.settings.database_url)
        self.people = replace(company)
        self.app = create_app(self.settings)
        return self.people

    def start(self) -> None:
        self.sink.start()
        self.start_processes()

    def start_processes(self) -> None:
        """Start what serves and works; returns once it answers."""
        self._run("serve", "--port", str(self.port), "--web", str(self.web))
        if self.environ["REDIS_URL"]:
            self._run("worker", "--concurrency", "1")
            self._run("beat")
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with (
                suppress(urllib.error.URLError, ConnectionError, TimeoutError),
                urllib.request.urlopen(self.base + "/healthz", timeout=2) as answer,
            ):
                if answer.status == 200:
                    return
            if self.processes[0].poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the desk did not come up:\n{self.log()}")

    def stop(self) -> None:
        """End our processes in order, then by force; and the sink."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_S
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait(5)
        self.processes = []
        with suppress(Exception):
            self.sink.stop()

    def kill(self) -> None:
        """End the server as a power cut would."""
        self.processes[0].kill()
        self.processes[0].wait(5)
        self.processes.pop(0)

    def cookie(self, user: int) -> dict[str, str]:
        """The session cookie of somebody who signed in, as a browser keeps it."""
        with db.read() as session:
            name = session.get_one(User, user).fs_uniquifier
        serializer = self.app.session_interface.get_signing_serializer(self.app)
        value = serializer.dumps({"_user_id": name, "_fresh": True})
        return {"name": "desk", "value": value, "url": self.base}

    def log(self) -> str:
        path = self.data / "log.txt"
        return path.read_text(errors="replace")[-8000:] if path.exists() else ""

    def memory_kb(self) -> int:
        """What the desk's processes weigh: proportional set size, children included."""
        total = 0
        for process in self.processes:
            for pid in (process.pid, *_descendants(process.pid)):
                with suppress(OSError):
                    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                        if line.startswith("Pss:"):
                            total += int(line.split()[1])
        return total

    def _run(self, *arguments: str) -> None:
        if self.forge is not None:
            self.processes.append(self.forge.start(self.environ, [*arguments], self.data / "log.txt"))
            return
        log = (self.data / "log.txt").open("ab")
        command = [sys.executable, "-m", "helpdesk", *arguments]
        self.processes.append(
            subprocess.Popen(
                command, env={**os.environ, **self.environ}, stdout=log, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[1]
            )
        )


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


@contextmanager
def running(data: Path, **options: Any) -> Iterator[RunningDesk]:
    """A prepared and started desk, stopped at the end."""
    desk = RunningDesk(data, **options)
    desk.prepare()
    with started(desk):
        yield desk


@contextmanager
def started(desk: RunningDesk) -> Iterator[None]:
    """A prepared desk runs, and is stopped at the end."""
    try:
        desk.start()
        yield
    finally:
        desk.stop()
        db.disconnect()
