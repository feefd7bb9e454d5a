"""Connections to outgoing mail servers that stay open for a moment, so that the mails of a batch leave over one.

`handover` takes one, alone, and gives it back when the conversation over it ended well. Before it is used again it is asked with RSET,
which also ends what a refused mail left behind; one that does not answer well is hung up, and a new one is opened instead.
"""

from __future__ import annotations

import smtplib
import threading
import time
from dataclasses import dataclass

from helpdesk.smtp import Deadline, MailServer

#: Servers hang up on who is silent for minutes (RFC 5321, 4.5.3.2); a batch never pauses that long.
IDLE_S = 10.0
#: How long a kept connection may take to say that it is there.
CHECK_S = 2.0
#: Mails over one connection: servers count them, and a balancer in front of several should be asked again sometimes.
MOST_MAILS = 100
MOST_KEPT = 4


@dataclass
class Line:
    """A greeted, signed-in connection, and how many mails have been begun over it."""

    server: MailServer
    link: smtplib.SMTP
    mails: int = 0
    since: float = 0.0  # when it was put aside; time.monotonic

    def hang_up(self) -> None:
        """What goes wrong here changes nothing any more: the server's answers stand."""
        try:
            self.link.quit()
        except (OSError, smtplib.SMTPException):
            self.link.close()


_kept: list[Line] = []
_guard = threading.Lock()
_sweeper: threading.Timer | None = None


def take(server: MailServer, deadline: Deadline) -> Line | None:
    """A kept connection to this very server, as this user, that answers; None when there is none."""
    while (line := _pop(server)) is not None:
        deadline.watch(line.link)
        if time.monotonic() - line.since <= IDLE_S and _answers(line.link):
            return line
        line.link.close()
    return None


def keep(line: Line) -> None:
    """Put a connection aside for the next mail, or hang up when it has served long enough."""
    global _sweeper
    line.since = time.monotonic()
    with _guard:
        full = line.mails >= MOST_MAILS or len(_kept) >= MOST_KEPT
        if not full:
            _kept.append(line)
            if _sweeper is None:
                _sweeper = _later()
    if full:
        line.hang_up()


def close_all() -> None:
    """Hang up on every server."""
    global _sweeper
    with _guard:
        if _sweeper is not None:
            _sweeper.cancel()
        _sweeper = None
    for line in _older_than(0.0):
        line.hang_up()


def _pop(server: MailServer) -> Line | None:
    """The one used last."""
    with _guard:
        line = next((line for line in reversed(_kept) if line.server == server), None)
        if line is not None:
            _kept.remove(line)
        return line


def _answers(link: smtplib.SMTP) -> bool:
    sock = link.sock
    if sock is None:
        return False
    try:
        patience = sock.gettimeout()
        sock.settimeout(CHECK_S)
        code, _words = link.rset()
        sock.settimeout(patience)
    except (OSError, smtplib.SMTPException):
        return False
    return bool(code == 250)


def _later() -> threading.Timer:
    timer = threading.Timer(IDLE_S, _sweep)
    timer.daemon = True
    timer.start()
    return timer


def _sweep() -> None:
    """Nobody has needed them for a while: a server's places are not ours to hold."""
    global _sweeper
    for line in _older_than(IDLE_S):
        line.hang_up()
    with _guard:
        _sweeper = _later() if _kept else None


def _older_than(seconds: float) -> list[Line]:
    with _guard:
        old = [line for line in _kept if time.monotonic() - line.since >= seconds]
        _kept[:] = [line for line in _kept if line not in old]
        return old
