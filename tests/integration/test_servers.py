"""The throw-away servers themselves: if these lie, every test above them does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests import servers
from tests.servers import PostgresServer, RedisServer, ServerMissingError

ROOT = Path(__file__).resolve().parents[2]


def connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


@pytest.mark.postgres
def test_each_test_gets_an_empty_database_of_its_own(postgres_server: PostgresServer, postgres_url: str) -> None:
    other = postgres_server.create()
    with connect(postgres_url) as connection:
        connection.execute("CREATE TABLE ticket (id int)")
    with connect(other) as connection:
        assert connection.execute("SELECT to_regclass('ticket')").fetchone() == (None,)
    postgres_server.drop(other)
    with pytest.raises(psycopg.OperationalError):
        connect(other)


@pytest.mark.postgres
def test_a_prepared_database_can_be_cloned(postgres_server: PostgresServer, postgres_url: str) -> None:
    with connect(postgres_url) as connection:
        connection.execute("CREATE TABLE ticket (id int); INSERT INTO ticket VALUES (7)")
    copy = postgres_server.create(template=postgres_url.rsplit("/", 1)[1])
    with connect(copy) as connection:
        assert connection.execute("SELECT id FROM ticket").fetchone() == (7,)
    postgres_server.drop(copy)


@pytest.mark.postgres
@pytest.mark.slow
def test_an_own_postgres_keeps_what_it_acknowledged_through_a_kill(own_postgres: PostgresServer) -> None:
    url = own_postgres.create()
    with connect(url) as connection:
        connection.execute("CREATE TABLE ticket (id int); INSERT INTO ticket VALUES (7)")
    own_postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        connect(url)
    own_postgres.start()
    with connect(url) as connection:
        assert connection.execute("SELECT id FROM ticket").fetchone() == (7,)


@pytest.mark.redis
def test_redis_starts_each_test_without_keys(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    assert client.dbsize() == 0
    client.set("left", "over")


@pytest.mark.redis
def test_redis_starts_the_next_test_without_keys_too(redis_url: str) -> None:
    assert redis.Redis.from_url(redis_url).dbsize() == 0


@pytest.mark.redis
def test_an_own_redis_can_vanish_and_come_back_on_the_same_port(own_redis: RedisServer) -> None:
    client = redis.Redis.from_url(own_redis.url)
    own_redis.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    own_redis.start()
    assert client.ping()


@pytest.mark.redis
def test_a_server_ends_with_the_process_that_started_it_even_by_kill_9() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent("""
            import time
            from tests.servers import RedisServer
            server = RedisServer()
            server.start()
            print(server.process.pid, flush=True)
            time.sleep(60)
        """)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    server = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdout.close()
    deadline = time.monotonic() + 5
    while runs(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(server)


def test_a_missing_server_fails_with_a_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers.shutil, "which", lambda name: None)
    with pytest.raises(ServerMissingError, match="redis-server was not found. Install it"):
        RedisServer()
    with pytest.raises(ServerMissingError, match="Chromium was not found. Install it"):
        servers.chromium_path()


@pytest.mark.browser
def test_the_browser_opens_a_page_and_reaches_nothing_outside(page: Any) -> None:
    page.set_content("<h1>Здравствуйте</h1>")
    assert page.inner_text("h1") == "Здравствуйте"
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://desk.example.com/")


def runs(pid: int) -> bool:
    """Whether the process is alive; a zombie that nobody collected is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")
