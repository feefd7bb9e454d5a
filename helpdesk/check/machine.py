"""This machine: its disk, keys, address and search index."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from helpdesk.check.finding import Finding
from helpdesk.config import Settings

#: Free space below which somebody should act, and below which mail will soon be refused.
LITTLE_SPACE, NO_SPACE = 2 * 2**30, 200 * 2**20


def data_folder(settings: Settings) -> Iterator[Finding]:
    probe = settings.data / f".check-{os.getpid()}"
    try:
        probe.write_bytes(b"x" * 8192)
    except OSError as wrong:
        yield Finding(
            "data folder", "fault", f"{settings.data} cannot be written: {wrong.strerror}", "Give the desk's user the right to write there."
        )
        return
    finally:
        probe.unlink(missing_ok=True)
    free = shutil.disk_usage(settings.data).free
    says = f"{settings.data} is writable, {free / 2**30:.1f} GB free"
    if free < NO_SPACE:
        yield Finding("data folder", "fault", says, "Make room now: without it, mail and uploads are refused.")
    elif free < LITTLE_SPACE:
        yield Finding("data folder", "warning", says, "Make room before it gets tight.")
    else:
        yield Finding("data folder", "ok", says)


def secret_keys(settings: Settings) -> Iterator[Finding]:
    kept = settings.data / "secret"
    given = bool(os.environ.get("SECRET_KEYS", "").strip())
    if any(len(set(key)) < 10 for key in settings.secret_keys):
        yield Finding(
            "secret keys",
            "fault",
            "a key repeats few characters, so it can be guessed",
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'",
        )
    elif not given and not settings.embedded:
        yield Finding(
            "secret keys", "fault", f"kept in {kept}, which other hosts do not have",
            "Set SECRET_KEYS to the same keys for every process, or links and sessions of one are refused by another.",
        )  # fmt: skip
    elif not given and kept.stat().st_mode & 0o077:
        yield Finding("secret keys", "fault", f"{kept} can be read by other users", f"chmod 600 {kept}")
    else:
        where = "from SECRET_KEYS" if given else f"kept in {kept}"
        yield Finding("secret keys", "ok", f"{len(settings.secret_keys)} {where}; the first signs, all verify")


def base_url(settings: Settings) -> Iterator[Finding]:
    host = urlsplit(settings.base_url).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        yield Finding(
            "base URL", "fault", f"{settings.base_url}: {host} has no address", "Correct BASE_URL: every link in every mail begins with it."
        )
        return
    local = host in ("localhost", "127.0.0.1", "::1")
    if local:
        yield Finding(
            "base URL", "warning", f"{settings.base_url} works on this machine only", "Set BASE_URL to the address that customers open."
        )
    elif not settings.secure:
        yield Finding(
            "base URL", "warning", f"{settings.base_url} is not encrypted", "Put a proxy with TLS in front and set BASE_URL=https://…."
        )
    elif not settings.trusted_proxies:
        yield Finding(
            "base URL", "warning", f"{settings.base_url}, but no proxy is trusted",
            "TLS ends at a proxy: set TRUSTED_PROXIES=1 (or how many there are), or every visitor seems to have the proxy's address.",
        )  # fmt: skip
    else:
        yield Finding("base URL", "ok", settings.base_url)


def search_index(settings: Settings) -> Iterator[Finding]:
    from helpdesk.kb.index import Damaged, Index

    index = Index(settings.data / "kb-index")
    if index.stamp() == (0, 0):
        yield Finding("search index", "ok", "not built yet: the first search builds it")
        return
    try:
        state, files = index.load({})
    except Damaged as wrong:
        yield Finding(
            "search index", "warning", f"unusable: {wrong}", "The next search builds it anew by itself; helpdesk kb reindex does it now."
        )
        return
    size = sum(len(content) for _checksum, content in files.values())
    yield Finding("search index", "ok", f"opens, {size / 1e6:.1f} MB, at revision {state.revision} of the knowledge base")
