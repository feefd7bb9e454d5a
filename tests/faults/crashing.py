"""A worker that dies where it is told to, as a program (below) and as what tests hold of it (`Worker`).

The program reads lines of JSON, each worked off in a fork of its own, so that everything is imported once. A line is {"at": ISO time at
which the clock stands, or empty; "step": a step of sending to die at, or empty; "kill_at": a step of intake as HELPDESK_TEST_KILL_AT names
it, or empty; "mails": files to take in before}. The answer is "killed" or "done". The environment is a desk's. Dying is SIGKILL by its own
hand: nothing is tidied up, as after a power cut.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import smtplib
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from helpdesk import clock, config, db, worker
from helpdesk.app import create_app
from helpdesk.channels.email import arrivals, bounded, handover, sending, steps
from helpdesk.events import Delivery
from tests.faults.spoken import Program

#: The steps of sending, in their order: what is patched, and whether the original runs first.
STEPS: dict[str, tuple[Any, str, bool]] = {
    "claimed, nothing read": (worker, "_react", False),
    "noted as leaving": (handover, "deliver", False),
    "recipient named": (smtplib.SMTP, "data", False),
    "half of the mail handed over": (smtplib.SMTP, "data", False),
    "server answered, nothing noted": (sending, "_finish", False),
    "noted as sent, not committed": (sending, "wake_held", False),
    "committed": (worker, "_finish", True),
}
BOX = "support@example.com"


class Worker(Program):
    """The program, spoken to."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__("tests.faults.crashing", environ)

    def work(self, at: datetime | None = None, *, step: str = "", kill_at: str = "", mails: list[Path] | None = None) -> str:
        """Take in mails, and work everything off; how it ended."""
        return self.ask(at=at.isoformat() if at else "", step=step, kill_at=kill_at, mails=[str(path) for path in mails or []])


# --- the program ---------------------------------------------------------------------------------------------------------


def main() -> None:
    settings = config.load(os.environ)
    app = create_app(settings)
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                db.connect(settings.database_url)
                with app.app_context():
                    run(told)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _pid, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else "done" if status == 0 else f"failed {status}", flush=True)


def run(told: dict[str, Any]) -> None:
    if told["at"]:
        clock.freeze(datetime.fromisoformat(told["at"]))
    if told["step"]:
        arm(told["step"])
    os.environ["HELPDESK_TEST_KILL_AT"] = told["kill_at"]
    importlib.reload(steps)  # it reads the environment once, at the start of a process
    for path in told["mails"]:
        hand_over(Path(path))
    worker.work_off()
    bounded.close()


def hand_over(path: Path) -> None:
    """What a mail server, or a fetcher, does: hands a mail over until it is told that it is safe."""
    arrivals.store(path.read_bytes(), box=BOX, inbox_id=None, sender="carol@customer.example", recipients=[BOX])
    path.with_suffix(".safe").touch()


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hand_over_half(link: smtplib.SMTP, mail: bytes) -> None:
    link.docmd("data")
    link.send(mail[: len(mail) // 2])
    die()


def arm(step: str) -> None:
    """Make this process die at a step of sending."""
    place, name, after = STEPS[step]
    if step == "half of the mail handed over":
        setattr(place, name, hand_over_half)
        return
    original: Callable[..., Any] = getattr(place, name)

    def armed(*arguments: Any, **options: Any) -> Any:
        if place is worker and not is_sending(arguments[0]):
            return original(*arguments, **options)
        if after:
            original(*arguments, **options)
        die()

    setattr(place, name, armed)


def is_sending(what: Any) -> bool:
    """Whether a claimed row, or the delivery of that number, is about a mail that leaves."""
    if not isinstance(what, int):
        return bool(what.reaction == "mail.send")
    with db.read() as session:
        return session.get_one(Delivery, what).reaction == "mail.send"


if __name__ == "__main__":
    main()
