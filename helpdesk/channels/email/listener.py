"""The SMTP and LMTP intake: mail servers hand mail over here, on one port for both.

It says 250 only after the mail and its row in the ledger are durable, 451 while disk or database are away (the sender keeps the mail and
tries again), 550 for an address nobody here has, 552 for what is too large. It never relays and never parses: that comes later, elsewhere.
An asyncio loop in a thread of its own (under gevent: a greenlet); what waits for disk and database runs in a few threads beside it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax
from flask import Flask

from helpdesk import db
from helpdesk.channels.email import arrivals, inboxes
from helpdesk.channels.email.envelope import Network, outside
from helpdesk.config import Settings
from helpdesk.errors import TooLarge, Unavailable

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 200
MAX_RECIPIENTS = 100
STORING_THREADS = 8
IDLE_S = 120.0
#: How long a changed inbox may go unnoticed.
DOORS_FRESH_S = 1.0
STOP_S = 3.0

_PATH = re.compile(r"\s*(?:<(?:@[^:<>]*:)?(?P<in>[^<>]*)>|(?P<bare>[^\s<>]+))(?P<rest>.*)", re.S)

#: How the library writes the null sender, which reports have.
NULL = "<>"
LATER = "451 4.3.0 We cannot take mail right now; please try again later"
STORED = "250 2.0.0 Stored"


class CannotListen(Exception):
    """The address is taken or not ours."""


class Listener:
    """A running intake. `port` is the one it got, also when asked for any (0)."""

    def __init__(self, settings: Settings) -> None:
        assert settings.mail_listen is not None
        self.host, self.port = settings.mail_listen
        self._settings = settings
        self._pool = ThreadPoolExecutor(STORING_THREADS, thread_name_prefix="mail-store")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._clients: set[Door] = set()
        self._thread = threading.Thread(target=self._run, name="mail-listener", daemon=True)

    def start(self) -> None:
        """Return once it listens. Raises CannotListen."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise CannotListen(f"mail cannot be taken in on {self.host}:{self.port}: {self._failure.strerror}") from self._failure

    def stop(self) -> None:
        """Take no more connections, let what is being stored finish, then hang up. What was not answered stays with its sender."""
        loop = self._loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self._close)
            self._thread.join(STOP_S)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        handler = Handler(self._pool, loop, self._settings.mail_relays)
        try:
            self._server = loop.run_until_complete(
                loop.create_server(lambda: Door(handler, self._settings, loop, self._clients), self.host, self.port, reuse_address=True)
            )
            self.port = self._server.sockets[0].getsockname()[1]
        except OSError as wrong:
            self._failure = wrong
            loop.close()
            self._ready.set()
            return
        loop.call_soon(self._ready.set)
        try:
            loop.run_forever()
            loop.run_until_complete(self._end(loop))
        finally:
            loop.close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        assert self._loop is not None
        self._loop.stop()

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give mails that are being stored a moment to be answered, then end the conversations."""
        until = loop.time() + STOP_S / 2
        while any(client.storing for client in self._clients) and loop.time() < until:
            await asyncio.sleep(0.02)
        tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def start(app: Flask, settings: Settings) -> Listener:
    """Begin to take mail in on `settings.mail_listen`. The application need not do anything for it; its context is not used here."""
    made = Listener(settings)
    made.start()
    log.info("mail is taken in on %s:%s (SMTP and LMTP)", made.host, made.port)
    return made


class Handler:
    """What the conversation means: which addresses are ours, and that a mail is stored before it is answered for."""

    def __init__(self, pool: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop, relays: Sequence[Network]) -> None:
        self._pool, self._loop, self._relays = pool, loop, relays
        self._doors: inboxes.Doors | None = None
        self._doors_at = 0.0

    async def handle_RCPT(self, _server: Door, _session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients; send the rest in another mail"
        try:
            doors = await self.doors()
        except Unavailable:
            return LATER
        if len(address) > 320 or doors.find([address]) is None:
            return "550 5.1.1 Nobody here has this address"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Door, session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content
        assert raw is not None
        server.storing = True
        try:
            found = (await self.doors()).find(envelope.rcpt_tos)
            if found is None:  # the inbox was closed during the conversation
                return LATER
            inbox_id, box = found
            recipients = [address.encode("utf-8", "replace").decode() for address in envelope.rcpt_tos]
            sender = "" if envelope.mail_from == NULL else (envelope.mail_from or "").encode("utf-8", "replace").decode()
            peer = outside((session.peer or ("",))[0], self._relays)
            helo = (session.host_name or "").encode("utf-8", "replace").decode() if peer else ""
            await self._loop.run_in_executor(self._pool, _store, raw, box, inbox_id, sender, recipients, peer, helo)
        except TooLarge:
            return "552 5.3.4 The mail is too large"
        except Unavailable as wrong:
            log.warning("a mail was put off: %s", wrong.detail)
            return LATER
        except Exception:
            log.exception("a mail was put off")
            return LATER
        finally:
            server.storing = False
        return STORED

    async def handle_exception(self, error: Exception) -> str:
        log.error("a mail conversation failed", exc_info=error)
        return LATER

    async def doors(self) -> inboxes.Doors:
        """The inboxes, read anew every second at most. Raises Unavailable when they are not known and the database is away."""
        if self._doors is None or time.monotonic() - self._doors_at > DOORS_FRESH_S:
            self._doors = await self._loop.run_in_executor(self._pool, _read_doors)
            self._doors_at = time.monotonic()
        return self._doors


def _read_doors() -> inboxes.Doors:
    with db.read():
        return inboxes.doors()


def _store(raw: bytes, box: str, inbox_id: int, sender: str, recipients: list[str], peer: str, helo: str) -> None:
    arrivals.store(raw, box=box, inbox_id=inbox_id, sender=sender, recipients=recipients, peer=peer, helo=helo)


class Door(SMTP):
    """One conversation, SMTP or LMTP by its greeting. LMTP answers once per recipient after the mail (RFC 2033, 4.2)."""

    # Real mails have lines of any length; their sum is bounded instead. This only sizes the reader's buffer.
    line_length_limit = 64 * 1024

    def __init__(self, handler: Handler, settings: Settings, loop: asyncio.AbstractEventLoop, clients: set[Door]) -> None:
        super().__init__(
            handler,
            data_size_limit=settings.max_mail_bytes,
            enable_SMTPUTF8=True,
            hostname="helpdesk",
            ident="ready",
            timeout=IDLE_S,
            loop=loop,
        )
        self._clients = clients
        self._lmtp = False
        self.storing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._clients) >= MAX_CONNECTIONS:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"421 4.7.0 Too many connections; please try again later\r\n")
            transport.close()
            self.transport = transport
            return
        self._clients.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._clients:
            self._clients.discard(self)
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self in self._clients:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        return super().eof_received() if self in self._clients else None

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address of MAIL or RCPT, and what follows: as lenient as the servers before us ("a..b@c" writes mail too)."""
        found = _PATH.match(arg or "")
        if found is None:
            return None, None
        address = found["bare"] if found["in"] is None else found["in"]
        return address or NULL, found["rest"]

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, arg: str) -> None:
        self._lmtp = True
        await super().smtp_EHLO(arg)

    async def smtp_DATA(self, arg: str) -> None:
        """Receive a mail in large pieces (the library's line by line keeps the loop busy for seconds on a big one) and store it."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None and self.session is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        raw = await self._received()
        recipients = len(self.envelope.rcpt_tos)
        if raw is None:
            status = "552 5.3.4 The mail is too large"
        else:
            self.envelope.content = self.envelope.original_content = raw
            status = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push("\r\n".join([status] * (recipients if self._lmtp else 1)))

    async def _received(self) -> bytes | None:
        """Everything up to the lone dot, unstuffed; None when it was more than the limit, of which nothing is kept."""
        end = b"\r\n.\r\n"
        reader = self._reader
        reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined]  # so that a mail that begins with the dot ends there too
        pieces: list[bytes] = []
        size = 0
        limit = (self.data_size_limit or 0) + 2
        while True:
            self._reset_timeout()
            try:
                piece, last = await reader.readuntil(end), True
            except asyncio.LimitOverrunError as more:
                piece, last = await reader.readexactly(more.consumed), False
            size += len(piece)
            if size <= limit + len(end):
                pieces.append(piece)
            else:
                pieces.clear()
            if last:
                break
        if size > limit + len(end):
            return None
        raw = b"".join(pieces)[: -len(end)] + b"\r\n"
        return raw.replace(b"\r\n..", b"\r\n.")[2:]
