"""What the machine needs to know, read once from the environment and checked before anything starts.

What an administrator changes on a screen is a row in the database (`helpdesk.preferences`), never a variable here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from helpdesk.errors import SettingsError

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """One desk's machine settings.

    `database_url` empty means embedded: SQLite in `data`. `redis_url` empty means one process: memory broker and in-process sockets.
    `secret_keys`: the first signs, all verify, so that keys can be rotated.
    """

    data: Path
    database_url: str
    redis_url: str
    base_url: str
    secret_keys: tuple[str, ...]
    trusted_proxies: int = 0
    mail_listen: tuple[str, int] | None = None
    mail_relays: tuple[IPv4Network | IPv6Network, ...] = ()
    smtp_url: str = ""
    mail_from: str = "support@localhost"
    max_mail_bytes: int = 40 * 2**20
    max_upload_bytes: int = 25 * 2**20
    default_language: str = "en"
    time_zone: str = "UTC"
    log_level: str = "INFO"
    pool_size: int = 10
    api_per_minute: int = 3000
    metrics_token: str = ""
    demo: bool = False

    @property
    def embedded(self) -> bool:
        """True when nothing but this process carries the desk."""
        return not self.redis_url

    @property
    def sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def secure(self) -> bool:
        """Whether customers reach the desk through TLS; cookies get the `__Host-` prefix then."""
        return self.base_url.startswith("https://")


DOCS: dict[str, str] = {
    "HELPDESK_DATA": "folder for the database, files and the search index (default: ./data)",
    "DATABASE_URL": "empty for SQLite in HELPDESK_DATA, or postgresql://user:password@host/name",
    "REDIS_URL": "empty for a single process, or redis://host:6379/0 to run several",
    "BASE_URL": "the address people open, used in every link (default: http://127.0.0.1:8080)",
    "SECRET_KEYS": "one or more keys of 32 characters or more, comma separated; the first signs, all verify "
    "(default: made once and kept in HELPDESK_DATA/secret)",
    "TRUSTED_PROXIES": "how many reverse proxies stand in front (default: 0)",
    "MAIL_LISTEN": "host:port of the SMTP and LMTP intake, empty for none (default: empty; the demo listens)",
    "MAIL_RELAYS": "addresses or networks of our own mail servers that hand mail to MAIL_LISTEN over the internet, comma separated; their "
    "address says nothing of the sender (default: none; private networks always count as our own)",
    "SMTP_URL": "smtp://user:password@host:587?tls=starttls for outgoing mail; empty keeps mails in the outbox",
    "MAIL_FROM": "sender address when an inbox has none (default: support@localhost)",
    "MAX_MAIL_MB": "largest mail taken in, in MB (default: 40)",
    "MAX_UPLOAD_MB": "largest upload, in MB (default: 25)",
    "DEFAULT_LANGUAGE": "en or ru (default: en)",
    "TIME_ZONE": "the company's zone, such as Europe/Moscow (default: UTC)",
    "LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR (default: INFO)",
    "METRICS_TOKEN": "a word of 16 characters or more that lets Prometheus read /metrics from another machine (default: this machine only)",
    "DB_POOL": "PostgreSQL connections per process (default: 10)",
    "API_PER_MINUTE": "requests that one API token may make per minute (default: 3000)",
}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the environment. Raises SettingsError with every fault at once."""
    env = dict(os.environ if environ is None else environ)
    faults: list[str] = []

    def take(name: str, default: str, parse: Callable[[str], T], right: str) -> T | None:
        text = env.get(name, "").strip() or default
        try:
            return parse(text)
        except (ValueError, KeyError) as wrong:
            # A connection string may hold a password: say its name, never its text.
            shown = "" if "URL" in name or "SECRET" in name or "TOKEN" in name else f" is {text!r}"
            faults.append(f"{name}{shown}: {wrong}. It should be {right}.")
            return None

    data = take("HELPDESK_DATA", "data", _folder, "a folder this user may write to")
    sqlite = f"sqlite:///{data / 'helpdesk.db'}" if data else ""
    values = {
        "data": data,
        "database_url": take("DATABASE_URL", sqlite, _database, DOCS["DATABASE_URL"]),
        "redis_url": take("REDIS_URL", "", _redis, DOCS["REDIS_URL"]),
        "base_url": take("BASE_URL", "http://127.0.0.1:8080", _base_url, "such as https://help.example.com"),
        "secret_keys": take("SECRET_KEYS", "", lambda text: _keys(text, data), DOCS["SECRET_KEYS"]) if data else (),
        "trusted_proxies": take("TRUSTED_PROXIES", "0", lambda text: _whole(text, 0, 10), "a number from 0 to 10"),
        "mail_listen": take("MAIL_LISTEN", "", _address, "such as 127.0.0.1:2525"),
        "mail_relays": take("MAIL_RELAYS", "", _networks, "such as 203.0.113.25, 2001:db8::/48"),
        "smtp_url": take("SMTP_URL", "", _smtp, DOCS["SMTP_URL"]),
        "mail_from": take("MAIL_FROM", "support@localhost", _mail_address, "such as support@example.com"),
        "max_mail_bytes": take("MAX_MAIL_MB", "40", lambda text: _whole(text, 1, 500) * 2**20, "a number from 1 to 500"),
        "max_upload_bytes": take("MAX_UPLOAD_MB", "25", lambda text: _whole(text, 1, 500) * 2**20, "a number from 1 to 500"),
        "default_language": take("DEFAULT_LANGUAGE", "en", lambda text: _one_of(text, ("en", "ru")), "en or ru"),
        "time_zone": take("TIME_ZONE", "UTC", _zone, "a zone's name such as Europe/Moscow"),
        "log_level": take(
            "LOG_LEVEL",
            "INFO",
            lambda text: _one_of(text.upper(), ("DEBUG", "INFO", "WARNING", "ERROR")),
            "DEBUG, INFO, WARNING or ERROR",
        ),
        "metrics_token": take("METRICS_TOKEN", "", _token, DOCS["METRICS_TOKEN"]),
        "pool_size": take("DB_POOL", "10", lambda text: _whole(text, 1, 200), "a number from 1 to 200"),
        "api_per_minute": take("API_PER_MINUTE", "3000", lambda text: _whole(text, 1, 10**6), "a number from 1 to 1000000"),
    }
    if values["redis_url"] and values["database_url"] and str(values["database_url"]).startswith("sqlite"):
        faults.append(
            "REDIS_URL is set but DATABASE_URL is not: several processes share PostgreSQL, not SQLite. Set DATABASE_URL=postgresql://…"
        )
    if faults:
        raise SettingsError(faults)
    return Settings(**values)  # type: ignore[arg-type]


def _folder(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise ValueError(f"cannot make the folder ({wrong.strerror})") from None
    if not os.access(path, os.W_OK):
        raise ValueError("cannot write there")
    return path


def _database(text: str) -> str:
    scheme = urlsplit(text).scheme
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return "postgresql+psycopg" + text[len(scheme) :]
    if scheme == "sqlite":
        return text
    raise ValueError(f"unknown kind of database {scheme or '(none)'!r}")


def _redis(text: str) -> str:
    if text and urlsplit(text).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("not a redis:// address")
    return text


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// address")
    return text.rstrip("/")


def _smtp(text: str) -> str:
    if text and (urlsplit(text).scheme not in ("smtp", "smtps") or not urlsplit(text).hostname):
        raise ValueError("not an smtp:// address")
    return text


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host:
        raise ValueError("no port")
    return host.strip("[]"), _whole(port, 0, 65535)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(word.strip()) for word in text.split(",") if word.strip())


def _mail_address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not local or not domain or any(c.isspace() for c in text):
        raise ValueError("not a mail address")
    return text


def _whole(text: str, low: int, high: int) -> int:
    number = int(text)
    if not low <= number <= high:
        raise ValueError("out of range")
    return number


def _one_of(text: str, words: tuple[str, ...]) -> str:
    if text not in words:
        raise ValueError("not known")
    return text


def _token(text: str) -> str:
    if text and len(text) < 16:
        raise ValueError("shorter than 16 characters")
    return text


def _zone(text: str) -> str:
    from zoneinfo import ZoneInfo

    ZoneInfo(text)
    return text


def _keys(text: str, data: Path) -> tuple[str, ...]:
    if not text:
        return (_kept_key(data / "secret"),)
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys or any(len(key) < 32 for key in keys):
        raise ValueError("a key is shorter than 32 characters")
    return keys


def _kept_key(path: Path) -> str:
    """The key made at the first start. Created exclusively, so that two processes starting at once agree on one."""
    import secrets

    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    key = path.read_text().strip()
    if len(key) < 32:
        raise ValueError(f"the key kept in {path} is too short")
    return key
