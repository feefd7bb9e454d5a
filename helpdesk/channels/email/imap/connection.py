"""An IMAP account opened: connected, encrypted, signed in. Says at which step it failed, and why. Never inside a transaction.

imap-tools carries the protocol. What changes mail on the server is said here command by command: its `flag` and `delete` expunge the whole
folder, which would remove what people have marked in their own programs.
"""

from __future__ import annotations

import base64
import contextlib
import imaplib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxStarttlsError
from imap_tools.mailbox import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.utils import encode_folder

from helpdesk.channels.email.imap import oauth
from helpdesk.channels.email.imap.accounts import Login
from helpdesk.channels.email.imap.models import Afterwards, SignIn, Tls
from helpdesk.channels.email.imap.trouble import AccountTrouble

PATIENCE_S = 30.0

NO_SERVER = "There is no server of this name."
NO_ANSWER = "The server does not answer on this port."
NOBODY_LISTENS = "Nothing listens on this port of the server."
NOT_TRUSTED = "The server's certificate is not trusted."
NO_TLS = "The server does not speak TLS on this port. Try another kind of encryption."
NO_STARTTLS = "The server offers no encryption (STARTTLS) on this port."
NOT_IMAP = "What answers there does not speak IMAP."
BAD_LOGIN = "The server does not accept the user name or the password."
BAD_TOKEN = "The server does not accept the access token."
BROKE_OFF = "The connection broke off."
NO_FOLDER = "There is no such folder, or it cannot be opened."
NO_TARGET = "The folder that fetched mail is moved to does not exist."
REFUSED = "The server refused a command."

_SIZE = re.compile(rb"RFC822\.SIZE (\d+)", re.I)
_UID = re.compile(rb"\bUID (\d+)", re.I)

#: Access tokens of this process: (token url, client, user) → (token, good until on the monotonic clock).
_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
_guard = threading.Lock()
#: Told when a provider hands out a new refresh token: (login, token).
Renewed = Callable[[Login, str], None]


class Connection:
    """An open account. Every method raises AccountTrouble, after which the connection is good for nothing but `close`."""

    def __init__(self, box: BaseMailBox) -> None:
        self._box = box
        self._waiting = False
        with contextlib.suppress(AttributeError):
            box.client._get_capabilities()  # servers tell more once they know us
        self.capabilities = frozenset(str(word).upper() for word in box.client.capabilities)

    def select(self, folder: str, *, read_only: bool = False) -> int:
        """Open a folder; its UIDVALIDITY."""
        with _told():
            try:
                self._box.folder.set(folder, readonly=read_only)
            except MailboxFolderSelectError as wrong:
                raise AccountTrouble(NO_FOLDER, f"{folder}: {_said(wrong)}") from None
            validity = self._box.client.untagged_responses.get("UIDVALIDITY") or [b"0"]
            return int(str(validity[-1], "ascii") if isinstance(validity[-1], bytes) else 0)

    def exists(self, folder: str) -> bool:
        with _told():
            return bool(self._box.folder.exists(folder))

    def search(self, criteria: str) -> list[int]:
        """UIDs of the open folder, ascending."""
        with _told():
            return sorted({int(uid) for uid in self._box.uids(criteria, charset=None) if uid.isdigit()})

    def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """How large mails are: {uid: bytes}; those that vanished meanwhile are left out."""
        found: dict[int, int] = {}
        for line in self._command("FETCH", _set(uids), "(UID RFC822.SIZE)"):
            line = b" ".join(line) if isinstance(line, tuple) else line
            if isinstance(line, bytes) and (uid := _UID.search(line)) and (size := _SIZE.search(line)):
                found[int(uid[1])] = int(size[1])
        return found

    def raw(self, uid: int) -> bytes | None:
        """A mail's bytes, without marking it; None when the server has none to give."""
        for part in self._command("FETCH", str(uid), "(UID BODY.PEEK[])"):
            if isinstance(part, tuple) and len(part) > 1 and b"BODY[]" in part[0].upper():
                named = _UID.search(part[0])
                if named is None or int(named[1]) == uid:
                    return bytes(part[1])
        return None

    def finish(self, uids: Sequence[int], afterwards: Afterwards, move_to: str) -> None:
        """Mark mails as read, move or delete them: those alone, whatever else stands in the folder."""
        if not uids:
            return
        if afterwards is Afterwards.MARK:
            self._command("STORE", _set(uids), "+FLAGS.SILENT", r"(\Seen)")
        elif afterwards is Afterwards.MOVE and "MOVE" in self.capabilities:
            self._command("MOVE", _set(uids), _folder(move_to), refused=NO_TARGET)
        else:
            if afterwards is Afterwards.MOVE:
                self._command("COPY", _set(uids), _folder(move_to), refused=NO_TARGET)
            self._command("STORE", _set(uids), "+FLAGS.SILENT", r"(\Seen \Deleted)")
            if "UIDPLUS" in self.capabilities:
                self._command("EXPUNGE", _set(uids))
            else:
                with _told():
                    self._box.client.expunge()

    def wait(self, seconds: float) -> None:
        """IDLE (RFC 2177) until the server has news or the time is over."""
        self._waiting = True
        try:
            with _told():
                self._box.idle.wait(timeout=seconds)
        finally:
            self._waiting = False

    def wake(self) -> None:
        """From another thread: end the waiting, and the connection with it; what is being fetched is left to finish."""
        if self._waiting:
            with contextlib.suppress(OSError):
                self._box.client.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say good-bye; what goes wrong with that changes nothing."""
        with contextlib.suppress(Exception):
            self._box.client.sock.settimeout(3)
            self._box.client.logout()
        with contextlib.suppress(Exception):
            self._box.client.shutdown()

    def _command(self, name: str, *args: str | bytes, refused: str = REFUSED) -> list[object]:
        with _told():
            status, lines = self._box.client.uid(name, *args)  # type: ignore[arg-type]
            if status != "OK":
                raise AccountTrouble(refused, f"{name}: {_text(lines[0] if lines else b'')}")
            return list(lines or [])


def connect(login: Login, *, renewed: Renewed | None = None) -> Connection:
    """An account opened and signed in. Raises AccountTrouble."""
    box = _open(login)
    try:
        _sign_in(box, login, renewed)
        return Connection(box)
    except BaseException:
        with contextlib.suppress(Exception):
            box.client.shutdown()
        raise


def try_out(
    login: Login, folders: Sequence[str], afterwards: Afterwards, move_to: str, *, renewed: Renewed | None = None
) -> dict[str, int]:
    """Open the account and look into each folder, changing nothing: {folder: mails in it}. Raises AccountTrouble."""
    link = connect(login, renewed=renewed)
    try:
        counts = {}
        for folder in folders:
            link.select(folder, read_only=True)
            counts[folder] = len(link.search("ALL"))
        if afterwards is Afterwards.MOVE and not link.exists(move_to):
            raise AccountTrouble(NO_TARGET, move_to)
        return counts
    finally:
        link.close()


def forget_tokens() -> None:
    """Let every access token be asked for anew."""
    with _guard:
        _tokens.clear()


# --- steps ---------------------------------------------------------------------------------------------------------------


def _open(login: Login) -> BaseMailBox:
    try:
        if login.tls is Tls.IMPLICIT:
            return MailBox(login.host, login.port, timeout=PATIENCE_S, ssl_context=ssl.create_default_context())
        if login.tls is Tls.STARTTLS:
            return _encrypted(login)
        return MailBoxUnencrypted(login.host, login.port, timeout=PATIENCE_S)
    except socket.gaierror as wrong:
        raise AccountTrouble(NO_SERVER, f"{login.host}: {wrong.strerror}") from None
    except ssl.SSLCertVerificationError as wrong:
        raise AccountTrouble(NOT_TRUSTED, wrong.verify_message) from None
    except ssl.SSLError as wrong:
        raise AccountTrouble(NO_TLS, str(wrong.reason or wrong)) from None
    except ValueError as wrong:  # a name that cannot be one
        raise AccountTrouble(NO_SERVER, f"{login.host}: {wrong}") from None
    except TimeoutError:
        raise AccountTrouble(NO_ANSWER, f"{login.host}:{login.port}") from None
    except ConnectionRefusedError:
        raise AccountTrouble(NOBODY_LISTENS, f"{login.host}:{login.port}") from None
    except (imaplib.IMAP4.error, ImapToolsError) as wrong:
        raise AccountTrouble(NOT_IMAP, _said(wrong)) from None
    except OSError as wrong:
        raise AccountTrouble(BROKE_OFF, str(wrong)) from None


def _encrypted(login: Login) -> BaseMailBox:
    """STARTTLS or nothing: a password never travels in the clear because somebody in between ate the offer."""
    try:
        return MailBoxStartTls(login.host, login.port, timeout=PATIENCE_S, ssl_context=ssl.create_default_context())
    except MailboxStarttlsError as wrong:
        raise AccountTrouble(NO_STARTTLS, _said(wrong)) from None
    except imaplib.IMAP4.error as wrong:
        raise AccountTrouble(NO_STARTTLS if "TLS" in str(wrong) else NOT_IMAP, _said(wrong)) from None


def _sign_in(box: BaseMailBox, login: Login, renewed: Renewed | None) -> None:
    try:
        if login.sign_in is SignIn.OAUTH:
            box.xoauth2(login.username, _access_token(login, renewed), initial_folder=None)
        elif login.username.isascii() and login.password.isascii():
            box.login(login.username, login.password, initial_folder=None)
        else:
            box.login_utf8(login.username, login.password, initial_folder=None)
    except imaplib.IMAP4.abort as wrong:
        raise AccountTrouble(BROKE_OFF, _said(wrong)) from None
    except (imaplib.IMAP4.error, ImapToolsError) as wrong:
        if login.sign_in is SignIn.OAUTH:
            with _guard:
                _tokens.pop(_token_key(login), None)
        raise AccountTrouble(BAD_TOKEN if login.sign_in is SignIn.OAUTH else BAD_LOGIN, _said(wrong)) from None
    except OSError as wrong:
        raise AccountTrouble(BROKE_OFF, str(wrong)) from None


def _access_token(login: Login, renewed: Renewed | None) -> str:
    with _guard:
        token, until = _tokens.get(_token_key(login), ("", 0.0))
    if token and time.monotonic() < until:
        return token
    made = oauth.refresh(login)
    with _guard:
        _tokens[_token_key(login)] = (made.access, time.monotonic() + max(made.lasts_s - 120, 30))
    if made.refresh_token != login.refresh_token and renewed is not None:
        renewed(login, made.refresh_token)
    return made.access


def _token_key(login: Login) -> tuple[str, str, str]:
    return (login.token_url, login.client_id, login.username)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Whatever the protocol, the network or the server does wrong, as an AccountTrouble."""
    try:
        yield
    except AccountTrouble:
        raise
    except (imaplib.IMAP4.abort, OSError, EOFError) as wrong:
        raise AccountTrouble(BROKE_OFF, _said(wrong)) from None
    except (imaplib.IMAP4.error, ImapToolsError) as wrong:
        raise AccountTrouble(REFUSED, _said(wrong)) from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as wrong:  # an answer that follows no grammar
        raise AccountTrouble(NOT_IMAP, type(wrong).__name__) from None


def _set(uids: Sequence[int]) -> str:
    return ",".join(str(uid) for uid in uids)


def _folder(name: str) -> bytes:
    encoded = encode_folder(name)
    return encoded if isinstance(encoded, bytes) else encoded.encode()


def _said(wrong: Exception) -> str:
    """The server's words in an error, as text."""
    result = getattr(wrong, "command_result", None)
    if result:
        lines = result[1] if isinstance(result[1], list) else [result[1]]
        return _text(lines[0] if lines else b"") or str(result[0])
    first = wrong.args[0] if wrong.args else ""
    if isinstance(first, bytes):
        return _text(first)
    return _decoded(str(first)) or type(wrong).__name__


def _text(line: object) -> str:
    return line.decode("utf-8", "replace") if isinstance(line, bytes) else str(line)


def _decoded(words: str) -> str:
    """Some providers explain a refused token in base64 JSON."""
    try:
        return base64.b64decode(words, validate=True).decode() if len(words) > 40 and " " not in words else words
    except ValueError:
        return words
