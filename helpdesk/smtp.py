"""A connection to an outgoing mail server from one address: smtp://user:password@host:587?tls=starttls. Never inside a transaction.

`smtp://` takes STARTTLS where it is offered, and insists on it with `?tls=starttls` or where a password travels; `?tls=none` does without;
`smtps://` speaks TLS from the first byte. The same rules as the outbox's, so that a test that succeeds means that mail leaves.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from flask_babel import lazy_gettext as _

from helpdesk.errors import Words

PATIENCE_S = 10.0
LONGEST_URL = 250
TLS = ("", "starttls", "none")


class MailServerTrouble(Exception):
    """What exactly failed between us and a mail server. `words` for people, `server_words` as the server or the system said them."""

    def __init__(self, words: Words, server_words: str = "") -> None:
        super().__init__(server_words or "mail server")
        self.words = words
        self.server_words = server_words[:500]


@dataclass(frozen=True)
class MailServer:
    """Where mail leaves: read from an address. `tls`: implicit, starttls, none, or empty for "if offered"."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: str = ""

    @property
    def shown(self) -> str:
        """The address without its password."""
        who = f"{self.user}:•••@" if self.password else f"{self.user}@" if self.user else ""
        return f"{'smtps' if self.tls == 'implicit' else 'smtp'}://{who}{self.host}:{self.port}"


def read(url: str) -> MailServer:
    """The parts of an address. Raises ValueError for what is none; its text never repeats the password."""
    if len(url.encode()) > LONGEST_URL or any(sign.isspace() or sign < " " for sign in url):
        raise ValueError("too long, or with spaces in it")
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port is not a number") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("not an smtp:// or smtps:// address")
    tls = parse_qs(parts.query).get("tls", [""])[0]
    if tls not in TLS:
        raise ValueError("tls= is starttls or none")
    if parts.scheme == "smtps":
        tls = "implicit"
    return MailServer(
        parts.hostname, port or (465 if tls == "implicit" else 25), unquote(parts.username or ""), unquote(parts.password or ""), tls
    )


class Deadline:
    """Ends a conversation at a set time. Socket time-outs bound each wait, not their sum: a server may drip letters for hours."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds
        self._link: smtplib.SMTP | None = None
        self._guard = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._timer.cancel()

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._at

    def watch(self, link: smtplib.SMTP) -> None:
        """This is the conversation to end."""
        with self._guard:
            self._link = link

    def let_go(self) -> None:
        """The conversation is over in time, and its connection may be somebody else's from now on."""
        with self._guard:
            self._link = None

    def check(self) -> None:
        """Raises TimeoutError when the time is over."""
        if self.passed:
            raise TimeoutError(f"longer than {self.seconds:g} s")

    def _cut(self) -> None:
        with self._guard:
            sock = getattr(self._link, "sock", None)
            if sock is not None:
                with contextlib.suppress(OSError, ValueError):
                    sock.shutdown(socket.SHUT_RDWR)


class _Plain(smtplib.SMTP):
    """A conversation that its deadline knows of from the first byte."""

    def __init__(self, deadline: Deadline | None, *arguments: Any, **options: Any) -> None:
        if deadline is not None:
            deadline.watch(self)
        super().__init__(*arguments, **options)

    def _get_socket(self, *arguments: Any) -> socket.socket:
        made: socket.socket = super()._get_socket(*arguments)  # type: ignore[misc]
        self.sock = made
        return made


class _Encrypted(smtplib.SMTP_SSL):
    def __init__(self, deadline: Deadline | None, *arguments: Any, **options: Any) -> None:
        if deadline is not None:
            deadline.watch(self)
        super().__init__(*arguments, **options)


def connect(server: MailServer, *, patience_s: float = PATIENCE_S, deadline: Deadline | None = None) -> smtplib.SMTP:
    """A greeted, encrypted, signed-in connection; the caller quits it. Raises MailServerTrouble, saying at which step and why."""
    link = _open(server, patience_s, deadline)
    try:
        _secure(link, server)
        if server.user:
            _sign_in(link, server)
    except BaseException:
        link.close()
        raise
    return link


def try_out(server: MailServer, *, sender: str = "") -> None:
    """Connect, sign in, ask whether we may send as `sender`, leave; nothing is sent. Raises MailServerTrouble."""
    link = connect(server)
    try:
        link.ehlo_or_helo_if_needed()
        code, said = link.mail(sender) if sender else link.noop()
        if code // 100 != 2:
            words = f"{code} {said.decode('utf-8', 'replace')}"
            link.close()
            raise MailServerTrouble(_("%(host)s does not let us send as %(sender)s.", host=server.host, sender=sender), words)
        link.quit()
    except (smtplib.SMTPException, OSError) as wrong:
        raise MailServerTrouble(_("The server hung up after signing in."), str(wrong)) from wrong


def _open(server: MailServer, patience_s: float, deadline: Deadline | None) -> smtplib.SMTP:
    where = {"host": server.host, "port": server.port}
    try:
        if server.tls == "implicit":
            return _Encrypted(deadline, server.host, server.port, timeout=patience_s, context=ssl.create_default_context())
        return _Plain(deadline, server.host, server.port, timeout=patience_s)
    except socket.gaierror as wrong:
        raise MailServerTrouble(_("There is no server called %(host)s.", host=server.host), wrong.strerror or "") from wrong
    except TimeoutError as wrong:
        raise MailServerTrouble(_("%(host)s does not answer on port %(port)s.", **where)) from wrong
    except ConnectionRefusedError as wrong:
        raise MailServerTrouble(_("Nothing listens on port %(port)s of %(host)s.", **where)) from wrong
    except ssl.SSLCertVerificationError as wrong:
        raise MailServerTrouble(_("The certificate of %(host)s is not trusted.", host=server.host), wrong.verify_message) from wrong
    except ssl.SSLError as wrong:
        raise MailServerTrouble(
            _("%(host)s does not speak TLS on port %(port)s. Try smtp:// instead of smtps://.", **where), str(wrong.reason)
        ) from wrong
    except smtplib.SMTPConnectError as wrong:
        raise MailServerTrouble(_("%(host)s refuses to talk to us.", host=server.host), _said(wrong)) from wrong
    except (smtplib.SMTPException, OSError) as wrong:
        raise MailServerTrouble(_("%(host)s, port %(port)s, does not speak SMTP with us.", **where), str(wrong)) from wrong


def _secure(link: smtplib.SMTP, server: MailServer) -> None:
    """STARTTLS as wished, and before any password."""
    if server.tls == "implicit":
        return
    try:
        link.ehlo_or_helo_if_needed()
        if server.tls == "none":
            return
        if not link.has_extn("starttls"):
            if server.tls == "starttls":
                raise MailServerTrouble(_("%(host)s offers no encryption (STARTTLS), but the address asks for it.", host=server.host))
            if server.user:
                raise MailServerTrouble(
                    _(
                        "%(host)s offers no encryption; the password would travel in the clear. Add ?tls=none if that is meant.",
                        host=server.host,
                    )
                )
            return
        link.starttls(context=ssl.create_default_context())
        link.ehlo()
    except ssl.SSLCertVerificationError as wrong:
        raise MailServerTrouble(_("The certificate of %(host)s is not trusted.", host=server.host), wrong.verify_message) from wrong
    except smtplib.SMTPResponseException as wrong:
        raise MailServerTrouble(_("%(host)s refuses to talk to us.", host=server.host), _said(wrong)) from wrong
    except (smtplib.SMTPException, OSError) as wrong:
        raise MailServerTrouble(
            _("The connection to %(host)s broke off while it was being encrypted.", host=server.host), str(wrong)
        ) from wrong


def _sign_in(link: smtplib.SMTP, server: MailServer) -> None:
    try:
        link.login(server.user, server.password)
    except smtplib.SMTPAuthenticationError as wrong:
        raise MailServerTrouble(_("%(host)s does not accept the user name or the password.", host=server.host), _said(wrong)) from wrong
    except smtplib.SMTPNotSupportedError as wrong:
        raise MailServerTrouble(_("%(host)s takes no user name and password on this port.", host=server.host), str(wrong)) from wrong
    except (smtplib.SMTPException, OSError) as wrong:
        raise MailServerTrouble(_("%(host)s broke off while we signed in.", host=server.host), str(wrong)) from wrong


def _said(wrong: smtplib.SMTPResponseException) -> str:
    text = wrong.smtp_error
    return f"{wrong.smtp_code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"
