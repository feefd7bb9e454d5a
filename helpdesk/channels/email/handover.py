"""One mail handed to one SMTP server, and what the server said. No database here: runs with no transaction open.

A server that cannot be reached rests for some seconds in this process: the mails behind the first are told so at once instead of each
waiting for its own time-out.
"""

from __future__ import annotations

import enum
import smtplib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from helpdesk import smtp
from helpdesk.smtp import MailServer, MailServerTrouble

PATIENCE_S = 20.0
REST_S = 5.0
#: The longest that a whole try may take: this, and what the mail's size adds on a slow line.
TRY_S = 30.0
BYTES_PER_S = 100_000


class Verdict(enum.Enum):
    TAKEN = "taken"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """What became of a try, in the server's words; `code` is SMTP's, 0 where no server spoke."""

    verdict: Verdict
    words: str
    code: int = 0


_resting: dict[tuple[str, int], tuple[float, str]] = {}
_guard = threading.Lock()


def limit_s(size: int) -> float:
    """The longest that a try with a mail of so many bytes may take; after that nobody is sending it any more."""
    return TRY_S + size / BYTES_PER_S


def deliver(server: MailServer, sender: str, recipient: str, mail: bytes, *, within_s: float | None = None) -> Answer:
    """Try once, in `within_s` seconds at most (else `limit_s` of its size). Never raises for what a server or a network does.

    4xx, a lost connection and a refused sign-in are LATER (somebody may put it right), 5xx about sender, recipient or content REFUSED.
    """
    place = (server.host, server.port)
    with _guard:
        until, words = _resting.get(place, (0.0, ""))
    if time.monotonic() < until:
        return Answer(Verdict.LATER, words)
    with smtp.Deadline(limit_s(len(mail)) if within_s is None else within_s) as deadline:
        try:
            link = smtp.connect(server, patience_s=PATIENCE_S, deadline=deadline)
        except MailServerTrouble as trouble:
            words = _line(f"{trouble.words} {trouble.server_words}")
            with _guard:
                _resting[place] = (time.monotonic() + REST_S, words)
            return Answer(Verdict.LATER, words)
        try:
            return _hand_over(link, sender, recipient, mail, deadline)
        except (OSError, ValueError, smtplib.SMTPException) as wrong:  # perhaps after the server had it: the same Message-ID will tell
            said = f"took longer than {deadline.seconds:.0f} s" if deadline.passed else f"broke off: {wrong or type(wrong).__name__}"
            return Answer(Verdict.LATER, _line(f"{server.host}:{server.port} {said}"))
        finally:
            _hang_up(link)


def forget() -> None:
    """Let every server be tried again at once."""
    with _guard:
        _resting.clear()


def _hand_over(link: smtplib.SMTP, sender: str, recipient: str, mail: bytes, deadline: smtp.Deadline) -> Answer:
    link.ehlo_or_helo_if_needed()
    options: list[str] = []
    if not (sender.isascii() and recipient.isascii()):
        recipient = _ascii_domain(recipient)
        if not recipient.isascii():
            if not link.has_extn("smtputf8"):
                return Answer(Verdict.REFUSED, "the mail server does not take addresses with letters outside ASCII", 550)
            options = ["SMTPUTF8"]
    steps: list[Callable[[], tuple[int, bytes]]] = [
        lambda: link.mail(sender, options),
        lambda: link.rcpt(recipient),
        lambda: link.data(mail),
    ]
    code, words = 0, b""
    for step in steps:
        deadline.check()  # a look-up of names can outlast every time-out: another may be sending by now
        try:
            code, words = step()
        except smtplib.SMTPDataError as wrong:  # refused before the first byte
            said = wrong.smtp_error
            code, words = wrong.smtp_code, said if isinstance(said, bytes) else str(said).encode()
        if code // 100 != 2:
            return Answer(Verdict.REFUSED if code // 100 == 5 else Verdict.LATER, _said(code, words), code)
    return Answer(Verdict.TAKEN, _said(code, words), code)


def _hang_up(link: smtplib.SMTP) -> None:
    """What goes wrong after the server's 250 changes nothing any more."""
    try:
        link.quit()
    except (OSError, smtplib.SMTPException):
        link.close()


def _said(code: int, words: bytes) -> str:
    return _line(f"{code} {words.decode('utf-8', 'replace')}")


def _line(text: str) -> str:
    return " ".join(text.split())[:900]


def _ascii_domain(address: str) -> str:
    local, _at, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address
