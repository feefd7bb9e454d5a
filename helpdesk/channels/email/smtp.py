"""One mail handed to one SMTP server, and what the server said. No database here: runs with no transaction open.

A server that does not answer rests for some seconds in this process: the mails behind it are told so at once instead of each waiting for
its time-out.
"""

from __future__ import annotations

import enum
import smtplib
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TIMEOUT_S = 20.0
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


_resting: dict[str, tuple[float, str]] = {}
_guard = threading.Lock()


def deliver(url: str, sender: str, recipient: str, mail: bytes) -> Answer:
    """Try once. Never raises for what a server or a network does.

    4xx, a lost connection and a refused sign-in are LATER (somebody may put it right), 5xx about sender, recipient or content REFUSED.
    """
    where = urlsplit(url)
    place = f"{where.hostname}:{where.port or ''}"
    with _guard:
        until, words = _resting.get(place, (0.0, ""))
    if time.monotonic() < until:
        return Answer(Verdict.LATER, words)
    try:
        server = _connect(url)
    except smtplib.SMTPResponseException as wrong:
        return _later(place, _said(wrong.smtp_code, wrong.smtp_error), wrong.smtp_code, rest=False)
    except (OSError, smtplib.SMTPException, UnicodeError) as wrong:
        return _later(place, f"{place}: {wrong or type(wrong).__name__}", rest=True)
    try:
        return _hand_over(server, sender, recipient, mail)
    except TimeoutError:
        return _later(place, f"{place}: no answer within {TIMEOUT_S:.0f} seconds", rest=True)
    except (OSError, smtplib.SMTPException) as wrong:  # the connection broke, perhaps after the server had it: the same Message-ID tells
        return _later(place, f"{place}: {wrong or type(wrong).__name__}", rest=False)
    finally:
        _hang_up(server)


def reach(url: str) -> str:
    """Try to reach and sign in to a server without sending anything: an empty string, or what failed (name, connection, TLS, sign-in)."""
    where = urlsplit(url)
    try:
        _hang_up(_connect(url))
    except smtplib.SMTPAuthenticationError as wrong:
        return f"sign-in: {_said(wrong.smtp_code, wrong.smtp_error)}"
    except ssl.SSLError as wrong:
        return f"TLS: {wrong.reason or wrong}"
    except (OSError, smtplib.SMTPException, UnicodeError) as wrong:
        return f"{where.hostname}:{where.port or ''}: {wrong or type(wrong).__name__}"
    return ""


def forget() -> None:
    """Let every server be tried again at once."""
    with _guard:
        _resting.clear()


def _connect(url: str) -> smtplib.SMTP:
    """Connected, encrypted as asked, signed in. `?tls=starttls` demands TLS, `none` forbids it; otherwise it is used where offered."""
    where = urlsplit(url)
    host, wish = where.hostname or "localhost", parse_qs(where.query).get("tls", [""])[0]
    server: smtplib.SMTP
    if where.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, where.port or 465, timeout=TIMEOUT_S, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(host, where.port or 25, timeout=TIMEOUT_S)
    try:
        server.ehlo_or_helo_if_needed()
        # Opportunistic on the own network, demanded wherever a password travels.
        if where.scheme == "smtp" and wish != "none" and (wish == "starttls" or where.username or server.has_extn("starttls")):
            server.starttls(context=ssl.create_default_context())
        if where.username:
            server.login(unquote(where.username), unquote(where.password or ""))
    except BaseException:
        server.close()
        raise
    return server


def _hand_over(server: smtplib.SMTP, sender: str, recipient: str, mail: bytes) -> Answer:
    options: list[str] = []
    if not (sender.isascii() and recipient.isascii()):
        recipient = _ascii_domain(recipient)
        if not recipient.isascii():
            if not server.has_extn("smtputf8"):
                return Answer(Verdict.REFUSED, "the mail server does not take addresses with letters outside ASCII", 550)
            options = ["SMTPUTF8"]
    steps: list[tuple[Any, ...]] = [("MAIL", server.mail, sender, options), ("RCPT", server.rcpt, recipient), ("DATA", server.data, mail)]
    code, words = 0, b""
    for _name, step, *arguments in steps:
        try:
            code, words = step(*arguments)
        except smtplib.SMTPDataError as wrong:
            code, words = wrong.smtp_code, wrong.smtp_error if isinstance(wrong.smtp_error, bytes) else str(wrong.smtp_error).encode()
        if code // 100 != 2:
            return Answer(Verdict.REFUSED if code // 100 == 5 else Verdict.LATER, _said(code, words), code)
    return Answer(Verdict.TAKEN, _said(code, words), code)


def _hang_up(server: smtplib.SMTP) -> None:
    """What goes wrong after the server's 250 changes nothing any more."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def _later(place: str, words: str, code: int = 0, *, rest: bool) -> Answer:
    words = " ".join(words.split())[:900]
    if rest:
        with _guard:
            _resting[place] = (time.monotonic() + REST_S, words)
    return Answer(Verdict.LATER, words, code)


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(text.split())}"[:900]


def _ascii_domain(address: str) -> str:
    local, _at, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address
