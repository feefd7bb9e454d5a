"""Parsing where it can do no harm: in one warm child process with 10 s of processor time and 512 MB of address space a mail.

Called by intake and by the command line instead of `parse.parse`. Small plain mails are parsed in place: everything in `parse` is linear,
and below `HARMLESS` bytes with few tags and few parts the worst that was found takes 20 ms, while the way to the child and back costs as
much as parsing. Everything else crosses a pipe, so that a mail which grows in memory or time takes only the child down, and so that the
server's loop goes on meanwhile (waiting is `poll`, cooperative under gevent). A new child is started when the old one died.

Frames: to the child, b"P", length (4 bytes, big-endian) and raw mail; from it, b"M" or b"F", length (4), then `mail.to_wire` or a reason.
The same child checks signatures and envelopes, because that too reads hostile bytes: b"V" with what `signatures.ask` wrote, b"S" with the
question of `envelope`, each answered by its JSON.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import math
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from . import envelope, signatures
from .mail import Mail, from_wire, to_wire
from .parse import parse as parse_here

CPU_SECONDS = 10
MEMORY = 512 * 1024 * 1024
WALL_SECONDS = 60  # a crowded machine may need far longer than its processor time
MAX_MAIL = 100 * 1024 * 1024
MAX_ANSWER = 1024 * 1024 * 1024
HARMLESS = 16 * 1024
RECYCLE_AFTER = 2000  # mails, and after any mail above 8 MB: memory goes back to the machine
RECYCLE_ABOVE = 8 * 1024 * 1024

_PIPE_SIZE = 1024 * 1024


class ParseFailed(Exception):
    """The mail could not be understood within its bounds; `reason` says why in plain words. The caller quarantines."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(raw: bytes) -> Mail:
    """Understand a mail from outside. Raises ParseFailed when the parser died or went out of bounds; never hangs, never blocks the loop."""
    if harmless(raw):
        return parse_here(raw)
    return _shared().parse(raw)


def verify(question: bytes, *, what: bytes = b"V") -> bytes:
    """Check a mail's signatures (b"V", see `signatures`) or its envelope (b"S", see `envelope`), within the same bounds.

    Raises ParseFailed.
    """
    return _shared().ask(what, question)


def harmless(raw: bytes) -> bool:
    """Small, few tags, few parts: parsing it here cannot take noticeable time."""
    return len(raw) <= HARMLESS and raw.count(b"<") <= 400 and raw.count(b"\n--") <= 24


def close() -> None:
    """End the warm child, if there is one; the next mail starts another."""
    global _parser
    if _parser is not None:
        _parser.close()
        _parser = None


class Parser:
    """One warm child; mails take turns."""

    def __init__(self, *, cpu_seconds: int = CPU_SECONDS, memory: int = MEMORY, wall_seconds: float = WALL_SECONDS) -> None:
        self._limits = (cpu_seconds, memory)
        self._wall = wall_seconds
        self._turn = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._served = 0

    def parse(self, raw: bytes) -> Mail:
        """As the module's `parse`, always in the child."""
        return from_wire(self.ask(b"P", raw))

    def ask(self, what: bytes, raw: bytes) -> bytes:
        """One question and its answer. Raises ParseFailed."""
        if len(raw) > MAX_MAIL:
            raise ParseFailed(f"the mail is larger than {MAX_MAIL // 1024 // 1024} MB")
        with self._turn:
            child = self._child if self._child is not None and self._child.poll() is None else self._start()
            deadline = time.monotonic() + self._wall
            try:
                _write(child, struct.pack(">cI", what, len(raw)) + raw, deadline)
                kind, length = struct.unpack(">cI", _read(child, 5, deadline))
                answer = _read(child, min(length, MAX_ANSWER), deadline)
            except TimeoutError:
                self._end()
                raise ParseFailed(f"parsing took longer than {self._wall:g} s") from None
            except (OSError, EOFError):
                raise ParseFailed(self._cause_of_death()) from None
            except BaseException:  # a caller's own time limit or shutdown: the answer would be read by the next mail
                self._end()
                raise
            self._served += 1
            if kind == b"F" or self._served >= RECYCLE_AFTER or len(raw) > RECYCLE_ABOVE:
                self._end()
        if kind == b"F":
            raise ParseFailed(answer.decode("utf-8", "replace"))
        return answer

    def close(self) -> None:
        """End the child."""
        with self._turn:
            self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        self._end()
        child = subprocess.Popen(
            [sys.executable, "-m", __name__, *map(str, self._limits)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, close_fds=True, env=_environment(),
        )  # fmt: skip
        assert child.stdin is not None and child.stdout is not None
        for pipe in (child.stdin, child.stdout):
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(OSError):  # fewer switches for large mails; the default size works too
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._child, self._served = child, 0
        return child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(OSError):
            child.kill()
        child.wait()

    def _cause_of_death(self) -> str:
        child = self._child
        if child is None:
            return "the parser ended"
        try:
            code = child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        self._end()
        if code == -signal.SIGXCPU:
            return f"parsing took more than {self._limits[0]} s of processor time"
        if code == -signal.SIGKILL:
            return "the parser was killed, perhaps for want of memory"
        return f"the parser died ({code})"


_parser: Parser | None = None
_owner = 0


def _shared() -> Parser:
    """This process's parser: a fork (gunicorn) must not talk to its parent's child."""
    global _parser, _owner
    if _parser is None or _owner != os.getpid():
        _parser, _owner = Parser(), os.getpid()
        atexit.register(close)
    return _parser


def _environment() -> dict[str, str]:
    """The child needs to find this package and nothing else: no secrets where hostile bytes are read."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path), "PYTHONDONTWRITEBYTECODE": "1"}


def _write(child: subprocess.Popen[bytes], data: bytes, deadline: float) -> None:
    assert child.stdin is not None
    pipe = child.stdin.fileno()
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(pipe, left[:_PIPE_SIZE]) :]
        except BlockingIOError:
            _wait(pipe, select.POLLOUT, deadline)


def _read(child: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert child.stdout is not None
    pipe = child.stdout.fileno()
    chunks: list[bytes] = []
    while size:
        try:
            chunk = os.read(pipe, min(size, _PIPE_SIZE))
        except BlockingIOError:
            _wait(pipe, select.POLLIN, deadline)
            continue
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _wait(pipe: int, event: int, deadline: float) -> None:
    """Until the pipe is ready; looked up at call time, so that gevent's cooperative poll is used where it replaced the standard one."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    watch = select.poll()
    watch.register(pipe, event)
    watch.poll(left * 1000)


#: What the child does with each kind of frame.
_ANSWERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"P": lambda raw: to_wire(parse_here(raw)),
    b"V": signatures.answer,
    b"S": envelope.answer,
}


def serve(cpu_seconds: int, memory: int) -> None:
    """The child's life: read a mail, answer it, until the pipe closes. Runs only in the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the parent, which closes the pipe
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    parse_here(b"From: warm@example.org\nContent-Type: text/html; charset=koi8-r\n\n<p>\xf0\xd2\xc9</p>")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(5)) == 5:
        what, size = struct.unpack(">cI", head)
        spent = resource.getrusage(resource.RUSAGE_SELF)
        soft = math.ceil(spent.ru_utime + spent.ru_stime) + cpu_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        kind = b"M"
        try:
            raw = source.read(size)
            if len(raw) < size:
                return
            answer = _ANSWERS[what](raw)
        except MemoryError:
            kind, answer = b"F", f"parsing needed more than {memory // 1024 // 1024} MB".encode()
        except Exception as error:  # the type alone: its words may quote the mail
            kind, answer = b"F", f"the parser failed ({type(error).__name__})".encode()
        sink.write(struct.pack(">cI", kind, len(answer)))
        sink.write(answer)
        sink.flush()
        raw = answer = b""


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
