"""One mail handed to one SMTP server, and what the server said. No database here: runs with no transaction open.

The mails of a batch share a connection (`connections`). A server that cannot be reached rests for some seconds in this process: the mails
behind the first are told so at once instead of each waiting for its own time-out.
"""

from __future__ import annotations

import enum
import smtplib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from helpdesk import smtp
from helpdesk.channels.email import connections
from helpdesk.channels.email.connections import Line
from helpdesk.smtp import MailServer, MailServerTrouble

PATIENCE_S = 20.0
REST_S = 5.0
#: The longest that a whole try may take: this, and what the mail's size adds on a slow line.
TRY_S = 30.0
BYTES_PER_S = 100_000
#: "Service not available, closing transmission channel" (RFC 5321, 4.2.3).
CLOSING = 421
_BROKE = (OSError, ValueError, smtplib.SMTPException)


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
            line, refusal = _announced(server, sender, recipient, deadline)
            return refusal or _hand_over(line, mail, deadline)
        except MailServerTrouble as trouble:
            words = _one_line(f"{trouble.words} {trouble.server_words}")
            with _guard:
                _resting[place] = (time.monotonic() + REST_S, words)
            return Answer(Verdict.LATER, words)
        except _BROKE as wrong:  # perhaps after the server had it: the same Message-ID will tell
            said = f"took longer than {deadline.seconds:.0f} s" if deadline.passed else f"broke off: {wrong or type(wrong).__name__}"
            return Answer(Verdict.LATER, _one_line(f"{server.host}:{server.port} {said}"))


def forget() -> None:
    """Let every server be tried again at once, over a new connection."""
    connections.close_all()
    with _guard:
        _resting.clear()


def _announced(server: MailServer, sender: str, recipient: str, deadline: smtp.Deadline) -> tuple[Line, Answer | None]:
    """A connection over which the mail's sender and recipient were told, and the server's refusal of them if it has one.

    One that was kept and breaks off here, or that the server ends (421), gives way to a new one: nothing of the mail was handed over yet.
    """
    kept = connections.take(server, deadline)
    if kept is not None:
        try:
            refusal = _announce(kept, sender, recipient, deadline)
        except _BROKE:
            kept.link.close()
        else:
            if refusal is None or refusal.code != CLOSING:
                return kept, refusal
        deadline.check()
    line = Line(server, smtp.connect(server, patience_s=PATIENCE_S, deadline=deadline))
    try:
        return line, _announce(line, sender, recipient, deadline)
    except _BROKE:
        line.link.close()
        raise


def _announce(line: Line, sender: str, recipient: str, deadline: smtp.Deadline) -> Answer | None:
    """Tell sender and recipient; the server's refusal, or None when it takes both."""
    link, options = line.link, list[str]()
    line.mails += 1
    link.ehlo_or_helo_if_needed()
    if not (sender.isascii() and recipient.isascii()):
        recipient = _ascii_domain(recipient)
        if not recipient.isascii():
            if not link.has_extn("smtputf8"):
                answer = Answer(Verdict.REFUSED, "the mail server does not take addresses with letters outside ASCII", 550)
                return _ended(line, answer, deadline)
            options = ["SMTPUTF8"]
    steps: list[Callable[[], tuple[int, bytes]]] = [lambda: link.mail(sender, options), lambda: link.rcpt(recipient)]
    for step in steps:
        deadline.check()  # a look-up of names can outlast every time-out: another may be sending by now
        answer = _answer(*step())
        if answer.verdict is not Verdict.TAKEN:
            return _ended(line, answer, deadline)
    return None


def _hand_over(line: Line, mail: bytes, deadline: smtp.Deadline) -> Answer:
    """The mail itself. From here on a break is never followed by another connection: the server may have the mail."""
    try:
        deadline.check()
        try:
            answer = _answer(*line.link.data(mail))
        except smtplib.SMTPDataError as wrong:  # refused before the first byte
            said = wrong.smtp_error
            answer = _answer(wrong.smtp_code, said if isinstance(said, bytes) else str(said).encode())
    except BaseException:
        line.link.close()
        raise
    return _ended(line, answer, deadline)


def _ended(line: Line, answer: Answer, deadline: smtp.Deadline) -> Answer:
    """The server has answered and the connection may serve another mail, unless it said that it hangs up."""
    deadline.let_go()
    if answer.code == CLOSING:
        line.hang_up()
    else:
        connections.keep(line)
    return answer


def _answer(code: int, words: bytes) -> Answer:
    verdict = {2: Verdict.TAKEN, 5: Verdict.REFUSED}.get(code // 100, Verdict.LATER)
    return Answer(verdict, _said(code, words), code)


def _said(code: int, words: bytes) -> str:
    return _one_line(f"{code} {words.decode('utf-8', 'replace')}")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:900]


def _ascii_domain(address: str) -> str:
    local, _at, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address
