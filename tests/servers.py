"""Throw-away servers for tests: PostgreSQL, Redis and Chromium, on loopback, started when a test first asks.

Each pytest process starts its own (so xdist workers never meet) and stops them at the end; the kernel stops them even
when pytest itself is killed. A server that cannot be had fails the test with a sentence that says what to install: a
test that needs PostgreSQL and does not get one has not passed.

    postgres_url       a fresh, empty database per test (SQLAlchemy URL with psycopg)
    postgres_server    the server behind it; .create(template=…) clones a prepared database in milliseconds
    redis_url          a Redis without keys
    own_postgres       a server of this test's own, to kill -9, stop and start again
    own_redis          the same for Redis
    page, context, browser   from pytest-playwright, on Debian's Chromium without a network
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

START_LIMIT = 30.0  # seconds that a server may take to answer
STOP_LIMIT = 10.0
INSTALL = "Install it (make packages does, as root)."

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page asks for, only this machine answers.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


class ServerMissingError(RuntimeError):
    """A server that the test needs is not installed or does not start."""


class Server:
    """One child process on a free port, with a folder of its own that goes away with it."""

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"helpdesk-{self.name}-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start on the same port and folder as before, and wait for an answer."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*dies_with_us(self.stop_signal), *self.command()],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_LIMIT
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                self.stop()
                raise ServerMissingError(f"{self.name} did not start on port {self.port}:\n{tail}")
            time.sleep(0.03)

    def stop(self) -> None:
        """Stop in good order; twice does no harm."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it the way a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_LIMIT)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresServer(Server):
    """PostgreSQL with its safety off (nothing here must survive a power cut, except when `durable`)."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": roll back, disconnect, stop
    user = "desk"

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.bin = postgres_bin()
        super().__init__()
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        #: By URL: who puts rows back. A connection that stays knows the tables and has its plans ready.
        self._keepers: dict[str, psycopg.Connection[Any]] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            for path in (self.folder, self.data):
                shutil.chown(path, unprivileged())
        done = subprocess.run(
            [*as_unprivileged(), str(self.bin / "initdb"), "-D", str(self.data), "-U", self.user, "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            cwd=self.folder, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise ServerMissingError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "shared_buffers": "64MB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "jit": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*as_unprivileged(), str(self.bin / "postgres"), "-D", str(self.data), *options]

    def answers(self) -> bool:
        try:
            self._admin().close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL to the postmaster and its children, then forget its lock file, as after a power cut."""
        if self.process is None:
            return
        group = children_of(self.process.pid)
        super().kill()
        for child in group:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{self.user}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of the database named `template`, whose connections end."""
        name = f"test_{secrets.token_hex(6)}"
        with self._admin() as connection:
            if template:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template])
                self._keepers.pop(self.url(template), None)
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        with self._admin() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{url.rsplit("/", 1)[1]}" WITH (FORCE)')

    def keep(self, url: str) -> None:
        """Remember every row and sequence of this database for `put_back`."""
        with psycopg.connect(plain(url), autocommit=True) as connection:
            connection.execute(KEEP)

    def forget(self, url: str) -> None:
        """Remember nothing of this copy of a database that was kept."""
        with psycopg.connect(plain(url), autocommit=True) as connection:
            connection.execute("DROP SCHEMA kept CASCADE")

    def put_back(self, url: str) -> None:
        """Make this database what it was at `keep`, whoever is still connected to it."""
        keeper = self._keepers.get(url)
        if keeper is None or keeper.closed:
            keeper = self._keepers[url] = psycopg.connect(plain(url), autocommit=True, connect_timeout=5)
        keeper.execute(END_THE_BUSY, [url.rsplit("/", 1)[1]])
        keeper.execute("CALL kept.put_back()")

    def leave(self, url: str) -> None:
        """Close the connection that puts rows back, for a test that wants its database alone; the next `put_back` opens another."""
        keeper = self._keepers.pop(url, None)
        if keeper is not None:
            keeper.close()

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host="127.0.0.1", port=self.port, user=self.user, dbname="postgres", autocommit=True, connect_timeout=5)


#: Connections that wait in a pool may stay; what works or holds a lock for itself is of a test that has ended.
END_THE_BUSY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity a WHERE datname = %s AND pid <> pg_backend_pid()
AND (state <> 'idle' OR EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'advisory'))
"""

#: Rows go and come by table without asking foreign keys; a sequence that moved is set back. Written out table by table, so that a
#: connection plans each statement once.
KEEP = """
CREATE SCHEMA kept;
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', t, t);
  END LOOP;
END $$;
CREATE TABLE kept."the sequences" AS SELECT sequencename, start_value, last_value FROM pg_sequences WHERE schemaname = 'public';
DO $outer$ DECLARE t text; kept_rows boolean; body text := ''; BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    body := body || format('DELETE FROM public.%I; ', t);
    EXECUTE format('SELECT EXISTS (SELECT FROM kept.%I)', t) INTO kept_rows;
    IF kept_rows THEN body := body || format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE SELECT * FROM kept.%I; ', t, t); END IF;
  END LOOP;
  EXECUTE 'CREATE PROCEDURE kept.put_rows_back() LANGUAGE plpgsql AS $body$ BEGIN ' || body || ' END $body$';
END $outer$;
CREATE PROCEDURE kept.put_back() LANGUAGE plpgsql AS $$ DECLARE s record; BEGIN
  SET session_replication_role = replica;
  CALL kept.put_rows_back();
  FOR s IN SELECT k.* FROM kept."the sequences" k JOIN pg_sequences p USING (sequencename)
           WHERE p.schemaname = 'public' AND p.last_value IS DISTINCT FROM k.last_value LOOP
    PERFORM setval(format('public.%I', s.sequencename)::regclass, coalesce(s.last_value, s.start_value), s.last_value IS NOT NULL);
  END LOOP;
END $$;
"""


def plain(url: str) -> str:
    """A database's address as the driver itself takes it."""
    return url.replace("+psycopg", "", 1)


class RedisServer(Server):
    """Redis that keeps nothing on disk."""

    name = "redis"

    def __init__(self) -> None:
        if not shutil.which("redis-server"):
            raise ServerMissingError(f"redis-server was not found. {INSTALL}")
        super().__init__()

    def command(self) -> list[str]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return ["redis-server", *options, "--dir", str(self.folder)]

    def answers(self) -> bool:
        try:
            return bool(self._client().ping())
        except redis.RedisError:
            return False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        self._client().flushall()

    def _client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5, socket_connect_timeout=5)


# ---- fixtures


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Keeps what it acknowledged even through kill(): fsync stays on."""
    with PostgresServer(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """What pytest-playwright launches: the system's Chromium, not a download."""
    return {"executable_path": chromium_path(), "args": CHROMIUM_ARGS, "headless": True}


@pytest.fixture(scope="session")
def chromium(browser: Any) -> Any:
    """The browser itself, for tests that open several contexts (two agents at once)."""
    return browser


@pytest.fixture
def page_errors(page: Any) -> Callable[[], list[str]]:
    """What the page's console complained about so far: script errors and refusals by the content security policy."""
    seen: list[str] = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
    return lambda: list(seen)


# ---- helpers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_bin() -> Path:
    """The folder with initdb and postgres: Debian keeps them off PATH, the newest version wins."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("postgres")
    if not found:
        raise ServerMissingError(f"PostgreSQL was not found. {INSTALL}")
    return Path(found).resolve().parent


def chromium_path() -> str:
    """Chromium, best as its headless shell: the same engine without windows, of which each that is opened takes half a second."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise ServerMissingError(f"Chromium was not found. {INSTALL}")


def unprivileged() -> str:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServerMissingError("PostgreSQL does not run as root, and there is neither a postgres nor a nobody user.")


def as_unprivileged() -> list[str]:
    if os.geteuid() != 0:
        return []
    name = unprivileged()
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--init-groups"]


def dies_with_us(how: signal.Signals) -> list[str]:
    """A prefix after which the kernel signals the process when pytest dies, even by kill -9."""
    return ["setpriv", f"--pdeathsig={how.name.removeprefix('SIG')}"] if shutil.which("setpriv") else []


def children_of(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listing.read_text().split()] if listing.exists() else []
