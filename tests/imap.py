"""A small IMAP4rev1 server to throw away: real sockets, real protocol, one account, in memory. It can be told to misbehave.

Enough of RFC 3501: LOGIN, AUTHENTICATE (PLAIN, XOAUTH2), STARTTLS, SELECT, LIST, UID SEARCH, FETCH, STORE, COPY, EXPUNGE,
MOVE, IDLE (RFC 2177), UIDPLUS. An asyncio loop in a thread of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CAPABILITIES = "IMAP4rev1 IDLE UIDPLUS MOVE AUTH=PLAIN AUTH=XOAUTH2"


@dataclass
class Stored:
    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


@dataclass
class Folder:
    uidvalidity: int = 1000
    next_uid: int = 1
    mails: list[Stored] = field(default_factory=list)

    def add(self, raw: bytes, *flags: str) -> int:
        self.mails.append(Stored(self.next_uid, raw, set(flags)))
        self.next_uid += 1
        return self.next_uid - 1

    def renumber(self) -> None:
        """As after a restored backup: the same mails under other numbers."""
        self.uidvalidity += 1
        for number, mail in enumerate(self.mails, 1):
            mail.uid = number
        self.next_uid = len(self.mails) + 1


@dataclass
class ImapServer:
    """The account and its faults. `cut_after`: bytes of the next FETCH answers after which the connection is dropped, once."""

    username: str = "support"
    password: str = "app pass word"
    token: str = "access-1"
    folders: dict[str, Folder] = field(default_factory=lambda: {"INBOX": Folder(), "Done": Folder()})
    capabilities: str = CAPABILITIES
    starttls: ssl.SSLContext | None = None
    cut_after: int | None = None
    drop_before: str = ""  # the connection ends when this command comes, once
    unreadable: set[int] = field(default_factory=set)
    echo_password: bool = False
    log: list[str] = field(default_factory=list)
    connections: int = 0
    fetched: list[int] = field(default_factory=list)
    port: int = 0
    changed: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def inbox(self) -> Folder:
        return self.folders["INBOX"]

    def deliver(self, raw: bytes, folder: str = "INBOX", *flags: str) -> int:
        """A mail arrives; whoever idles is told."""
        uid = self.folders[folder].add(raw, *flags)
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._tell)
        return uid

    def hang_up(self) -> None:
        """End every connection at once."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in list(self.writers)])

    def _tell(self) -> None:
        for talk in list(_talks):
            if talk.server is self:
                talk.news.set()


_talks: set[Talk] = set()


class Hangup(Exception):
    pass


class Talk:
    """One connection."""

    def __init__(self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.folder: Folder | None = None
        self.read_only = False
        self.signed_in = False
        self.news = asyncio.Event()

    async def run(self) -> None:
        self.server.connections += 1
        self.server.writers.add(self.writer)
        _talks.add(self)
        try:
            await self.say("* OK ready")
            while line := await self.reader.readline():
                await self.command(line)
        except (Hangup, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            _talks.discard(self)
            self.server.writers.discard(self.writer)
            with contextlib.suppress(Exception):
                self.writer.transport.abort()

    async def say(self, line: str | bytes) -> None:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        await self.writer.drain()

    async def command(self, line: bytes) -> None:
        words = await self.whole(line)
        tag, _, rest = words.partition(" ")
        name, _, args = rest.partition(" ")
        name = name.upper()
        if name == "UID":
            sub, _, args = args.partition(" ")
            name = f"UID {sub.upper()}"
        self.server.log.append(name)
        if self.server.drop_before == name:
            self.server.drop_before = ""
            raise Hangup
        if not self.signed_in and name not in ("CAPABILITY", "LOGIN", "AUTHENTICATE", "STARTTLS", "LOGOUT", "NOOP"):
            await self.say(f"{tag} BAD sign in first")
            return
        if name.startswith("UID ") and self.folder is None:
            await self.say(f"{tag} BAD select a folder first")
            return
        done = getattr(self, "do_" + name.replace(" ", "_").lower(), None)
        if done is None:
            await self.say(f"{tag} BAD unknown command")
            return
        await self.say(f"{tag} {await done(args, tag)}")
        if name == "LOGOUT":
            raise Hangup

    async def whole(self, line: bytes) -> str:
        """A command with its literals put back in as quoted words."""
        text = line.rstrip(b"\r\n")
        while literal := re.search(rb"\{(\d+)(\+?)\}$", text):
            if not literal[2]:
                await self.say("+ go on")
            data = await self.reader.readexactly(int(literal[1]))
            text = text[: literal.start()] + b'"' + data + b'"' + (await self.reader.readline()).rstrip(b"\r\n")
        try:
            return text.decode()
        except UnicodeDecodeError:  # a client that speaks TLS to us
            raise Hangup from None

    # --- signing in

    async def do_capability(self, _args: str, _tag: str) -> str:
        offers = " STARTTLS" if self.server.starttls is not None else ""
        await self.say(f"* CAPABILITY {self.server.capabilities}{offers}")
        return "OK done"

    async def do_noop(self, _args: str, _tag: str) -> str:
        return "OK done"

    async def do_starttls(self, _args: str, tag: str) -> str:
        if self.server.starttls is None:
            return "BAD no TLS here"
        await self.say(f"{tag} OK begin TLS")
        await self.writer.start_tls(self.server.starttls)
        while line := await self.reader.readline():
            await self.command(line)
        raise Hangup

    async def do_login(self, args: str, _tag: str) -> str:
        name, password = (word.replace('\\"', '"').replace("\\\\", "\\") for word in re.findall(r'"((?:[^"\\]|\\.)*)"', args))
        return self._let_in(name == self.server.username and password == self.server.password, password)

    async def do_authenticate(self, args: str, _tag: str) -> str:
        await self.say("+ ")
        said = base64.b64decode((await self.reader.readline()).strip()).decode()
        if args.strip().upper() == "XOAUTH2":
            found = re.fullmatch("user=(.*)\x01auth=Bearer (.*)\x01\x01", said)
            return self._let_in(found is not None and found.groups() == (self.server.username, self.server.token), "")
        _, name, password = said.split("\0")
        return self._let_in((name, password) == (self.server.username, self.server.password), password)

    def _let_in(self, known: bool, password: str) -> str:
        self.signed_in = known
        echo = f" for {password}" if self.server.echo_password else ""
        return "OK welcome" if known else f"NO [AUTHENTICATIONFAILED] Invalid credentials{echo}"

    # --- folders

    async def do_list(self, args: str, _tag: str) -> str:
        wanted = re.findall(r'"([^"]*)"|(\S+)', args)[-1]
        for name in self.server.folders:
            if (wanted[0] or wanted[1]) in ("*", name):
                await self.say(f'* LIST () "/" "{name}"')
        return "OK done"

    async def do_select(self, args: str, _tag: str, *, read_only: bool = False) -> str:
        folder = self.server.folders.get(args.strip().strip('"'))
        if folder is None:
            return "NO [NONEXISTENT] Mailbox doesn't exist"
        self.folder, self.read_only = folder, read_only
        await self.say(f"* {len(folder.mails)} EXISTS")
        await self.say(f"* OK [UIDVALIDITY {folder.uidvalidity}] valid")
        await self.say(f"* OK [UIDNEXT {folder.next_uid}] next")
        return "OK [READ-ONLY] done" if read_only else "OK [READ-WRITE] done"

    async def do_examine(self, args: str, tag: str) -> str:
        return await self.do_select(args, tag, read_only=True)

    async def do_idle(self, _args: str, _tag: str) -> str:
        self.news.clear()
        await self.say("+ idling")
        done = asyncio.ensure_future(self.reader.readline())
        while not done.done():
            news = asyncio.ensure_future(self.news.wait())
            await asyncio.wait({done, news}, return_when=asyncio.FIRST_COMPLETED)
            if self.news.is_set() and self.folder is not None:
                self.news.clear()
                await self.say(f"* {len(self.folder.mails)} EXISTS")
            news.cancel()
        return "OK idle is over"

    async def do_logout(self, _args: str, _tag: str) -> str:
        await self.say("* BYE")
        return "OK bye"

    # --- mails

    def _chosen(self, words: str) -> list[Stored]:
        assert self.folder is not None
        highest = max((mail.uid for mail in self.folder.mails), default=0)
        wanted: set[int] = set()
        for word in words.split(","):
            first, _, last = word.partition(":")
            low, high = sorted(highest if end == "*" else int(end) for end in (first, last or first))
            wanted.update(range(low, high + 1)) if high - low < 100_000 else None
        return [mail for mail in self.folder.mails if mail.uid in wanted]

    async def do_uid_search(self, args: str, _tag: str) -> str:
        assert self.folder is not None
        words = args.replace("(", "").replace(")", "").split()
        found = list(self.folder.mails)
        if words[0] == "UNSEEN":
            found = [mail for mail in found if "\\Seen" not in mail.flags]
        elif words[0] == "UID":
            found = self._chosen(words[1])
        await self.say("* SEARCH" + "".join(f" {mail.uid}" for mail in found))
        return "OK done"

    async def do_uid_fetch(self, args: str, _tag: str) -> str:
        assert self.folder is not None
        uids, _, items = args.partition(" ")
        for mail in self._chosen(uids):
            number = self.folder.mails.index(mail) + 1
            if "BODY" not in items:
                await self.say(f"* {number} FETCH (UID {mail.uid} RFC822.SIZE {len(mail.raw)})")
                continue
            if mail.uid in self.server.unreadable:
                continue
            answer = f"* {number} FETCH (UID {mail.uid} BODY[] {{{len(mail.raw)}}}\r\n".encode() + mail.raw + b")"
            if self.server.cut_after is not None:
                left, self.server.cut_after = self.server.cut_after, self.server.cut_after - len(answer)
                if left < len(answer):
                    self.server.cut_after = None
                    self.writer.write(answer[:left])
                    await self.writer.drain()
                    raise Hangup
            self.server.fetched.append(mail.uid)
            await self.say(answer)
        return "OK done"

    async def do_uid_store(self, args: str, _tag: str) -> str:
        uids, _, rest = args.partition(" ")
        for mail in self._chosen(uids):
            mail.flags.update(re.findall(r"\\\w+", rest))
        return "OK done"

    async def do_uid_copy(self, args: str, _tag: str) -> str:
        uids, _, target = args.partition(" ")
        folder = self.server.folders.get(target.strip().strip('"'))
        if folder is None:
            return "NO [TRYCREATE] no such folder"
        for mail in self._chosen(uids):
            folder.add(mail.raw, *mail.flags)
        return "OK done"

    async def do_uid_move(self, args: str, tag: str) -> str:
        answer = await self.do_uid_copy(args, tag)
        if answer.startswith("OK"):
            self._remove(self._chosen(args.partition(" ")[0]))
        return answer

    async def do_uid_expunge(self, args: str, _tag: str) -> str:
        self._remove([mail for mail in self._chosen(args) if "\\Deleted" in mail.flags])
        return "OK done"

    async def do_expunge(self, _args: str, _tag: str) -> str:
        assert self.folder is not None
        self._remove([mail for mail in self.folder.mails if "\\Deleted" in mail.flags])
        return "OK done"

    def _remove(self, mails: list[Stored]) -> None:
        assert self.folder is not None
        gone = {id(mail) for mail in mails}
        self.folder.mails[:] = [mail for mail in self.folder.mails if id(mail) not in gone]


@contextmanager
def running(server: ImapServer, *, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[ImapServer]:
    """Serve until the block ends; `server.port` says where."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    made: list[asyncio.Server] = []

    async def begin() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Talk(server, reader, writer).run()

        made.append(await asyncio.start_server(talk, "127.0.0.1", port, ssl=tls, limit=1 << 24))
        server.port = made[0].sockets[0].getsockname()[1]

    def run() -> None:
        loop.run_until_complete(begin())
        server.loop = loop
        ready.set()
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

    thread = threading.Thread(target=run, name="imap-server", daemon=True)
    thread.start()
    ready.wait(5)
    try:
        yield server
    finally:
        server.loop = None
        loop.call_soon_threadsafe(made[0].close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
