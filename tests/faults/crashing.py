"""A worker that dies where it is told to. Run as a program: reads lines of JSON, works everything off once for each, in a fork of its own.

Each line is {"at": ISO time at which the clock stands, "step": name of the place to die at, or empty}; the answer is "killed" or "done".
The environment is a desk's. Dying is SIGKILL by its own hand: nothing is tidied up, as after a power cut.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any

from helpdesk import clock, config, db, worker
from helpdesk.app import create_app
from helpdesk.channels.email import handover, sending
from helpdesk.events import Delivery

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


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hand_over_half(link: smtplib.SMTP, mail: bytes) -> None:
    link.docmd("data")
    link.send(mail[: len(mail) // 2])
    die()


def arm(step: str) -> None:
    """Make this process die at a step."""
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


def run(at: str, step: str) -> None:
    settings = config.load(os.environ)
    db.connect(settings.database_url)
    app = create_app(settings)
    clock.freeze(datetime.fromisoformat(at))
    if step:
        arm(step)
    with app.app_context():
        worker.work_off()


def main() -> None:
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                run(told["at"], told["step"])
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _pid, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else "done" if status == 0 else f"failed {status}", flush=True)


if __name__ == "__main__":
    main()
