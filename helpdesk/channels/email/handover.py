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


def deliver(server: MailServer, sender: str, recipient: str, mail: bytes) -> Answer:
    """Try once. Never raises for what a server or a network does.

    4xx, a lost connection and a refused sign-in are LATER (somebody may put it right), 5xx about sender, recipient or content REFUSED.
    """
    place = (server.host, server.port)
    with _guard:
        until, words = _resting.get(place, (0.0, ""))
    if time.monotonic() < until:
        return Answer(Verdict.LATER, words)
    try:
        link = smtp.connect(server, patience_s=PATIENCE_S)
    except MailServerTrouble as trouble:
        words = _line(f"{trouble.words} {trouble.server_words}")
        with _guard:
            _resting[place] = (time.monotonic() + REST_S, words)
        return Answer(Verdict.LATER, words)
    try:
        return _hand_over(link, sender, recipient, mail)
    except (OSError, smtplib.SMTPException) as wrong:  # broken off, perhaps after the server had it: the same Message-ID will tell
        return Answer(Verdict.LATER, _line(f"{server.host}:{server.port} broke off: {wrong or type(wrong).__name__}"))
    finally:
        _hang_up(link)


def forget() -> None:
    """Let every server be tried again at once."""
    with _guard:
        _resting.clear()


def _hand_over(link: smtplib.SMTP, sender: str, recipient: str, mail: bytes) -> Answer:
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
