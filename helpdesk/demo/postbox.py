"""The demo's outside world for mail: takes every mail that leaves and lays it into a folder, so that a visitor can open the links in it.

A mail server of a few lines on loopback; the desk sends to it as it would to a real one. Only the newest mails are kept.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

KEPT = 300
LARGEST = 50 * 2**20
IDLE_S = 60.0


class Postbox(socketserver.ThreadingTCPServer):
    """A mail server on a free port of loopback that delivers to nobody. `port` is the one it got."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.folder = folder
        self.port = int(self.server_address[1])
        folder.mkdir(exist_ok=True)
        self._numbers = count(1 + max((int(path.stem) for path in folder.glob("*.eml") if path.stem.isdigit()), default=0))

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="postbox", daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def lay_down(self, mail: bytes) -> None:
        number = next(self._numbers)
        (self.folder / f"{number:06}.eml").write_bytes(mail)
        (self.folder / f"{number - KEPT:06}.eml").unlink(missing_ok=True)


class Conversation(socketserver.StreamRequestHandler):
    """One sender's SMTP conversation (RFC 5321), as much of it as senders use."""

    timeout = IDLE_S
    server: Postbox

    def handle(self) -> None:
        try:
            self._talk()
        except OSError:
            return  # the sender hung up: whatever was not acknowledged is sent again

    def _talk(self) -> None:
        self._say(220, "postbox ready")
        for line in self._lines():
            match line[:4].upper():
                case b"EHLO" | b"HELO":
                    self._say(250, "postbox")
                case b"DATA":
                    self._say(354, "go on")
                    self.server.lay_down(self._content())
                    self._say(250, "laid down")
                case b"QUIT":
                    self._say(221, "bye")
                    return
                case b"MAIL" | b"RCPT" | b"RSET" | b"NOOP":
                    self._say(250, "OK")
                case _:
                    self._say(502, "not known here")

    def _content(self) -> bytes:
        lines, size = [], 0
        for line in self._lines():
            if line.rstrip(b"\r\n") == b".":
                break
            size += len(line)
            if size <= LARGEST:
                lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _lines(self) -> Iterator[bytes]:
        while line := self.rfile.readline(1 << 20):
            yield line

    def _say(self, code: int, words: str) -> None:
        self.wfile.write(f"{code} {words}\r\n".encode())
