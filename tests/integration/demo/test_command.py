"""`helpdesk demo` as a visitor starts it: first and second start, a taken port, another desk's folder, the end with open sockets."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from helpdesk.demo import command
from tests.servers import dies_with_us, free_port

ROOT = Path(__file__).resolve().parents[3]


def words(port: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "helpdesk", "demo", "--port", str(port), "--tickets", "12", *more]


def environ(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HELPDESK_DATA": str(folder), "PYTHONUNBUFFERED": "1", "MAIL_LISTEN": f"127.0.0.1:{free_port()}"}


@contextmanager
def running(folder: Path, port: int, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A started demo and what it printed until it was ready."""
    process = subprocess.Popen(
        [*dies_with_us(signal.SIGTERM), *words(port, *more)],
        cwd=ROOT, env=environ(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    printed = []
    assert process.stdout is not None
    for line in process.stdout:
        printed.append(line)
        if line.startswith("Ctrl-C stops it"):
            break
    try:
        yield process, "".join(printed)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()


def run(folder: Path, port: int, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(port, *more), cwd=ROOT, env=environ(folder), capture_output=True, text=True, timeout=60)


def tried(folder: Path, *more: str) -> Result:
    """A start that is refused before anything is served, in this process."""
    return CliRunner().invoke(command.demo, ["--port", str(free_port()), *more], env=environ(folder))


def open_socket(port: int) -> socket.socket:
    """An open screen: a websocket after its handshake, as a browser would hold it."""
    made = socket.create_connection(("127.0.0.1", port), timeout=20)
    made.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    heard = b""
    while b'"sid"' not in heard:
        more = made.recv(4096)
        assert more, heard
        heard += more
    assert heard.startswith(b"HTTP/1.1 101")
    return made


@pytest.mark.slow
def test_a_demo_is_made_once_kept_and_ends_within_seconds_with_a_socket_open(tmp_path: Path) -> None:
    folder, port = tmp_path / "here", free_port()
    with running(folder, port) as (process, printed):
        assert f"http://127.0.0.1:{port}" in printed and "12 tickets" in printed and "anna@samovar.example" in printed
        assert "samovar-and-tea" in printed and "interrupted" not in printed
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/there-is-no-such-page", timeout=10)
        assert missing.value.code == 404
        missing.value.close()

        taken = run(folder, port)
        assert taken.returncode == 1 and f"127.0.0.1:{port} cannot be had" in taken.stderr
        second = tried(folder, "--reset")
        assert second.exit_code == 1 and "another demo is running" in second.output

        screen = open_socket(port)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - begun <= 5
        screen.close()

    with running(folder, port, "--traffic") as (process, printed):
        assert "as you left it" in printed
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert time.monotonic() - begun <= 5
    up = re.search(r"Up after ([\d.]+) s", printed)
    assert up is not None and float(up[1]) < 30, printed


def test_a_folder_that_is_not_a_demos_is_never_touched_not_even_by_reset(tmp_path: Path) -> None:
    (tmp_path / "helpdesk.db").write_text("a desk in use")
    refused = tried(tmp_path, "--reset")
    assert refused.exit_code == 1
    assert "is not a demo" in refused.output and "Nothing was touched" in refused.output
    assert (tmp_path / "helpdesk.db").read_text() == "a desk in use"
    assert [path.name for path in tmp_path.iterdir()] == ["helpdesk.db"]


def test_reset_says_what_it_deletes_and_keeps_the_mark(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command.check_folder(folder)
    assert not command.unfinished(folder)
    (folder / "files" / "ab").mkdir(parents=True)
    (folder / "files" / "ab" / "x").write_bytes(b"1" * 1_000_000)
    (folder / "helpdesk.db").write_bytes(b"")
    said = command.clear(folder)
    assert "files, helpdesk.db (1.0 MB)" in said and str(folder) in said
    assert [path.name for path in folder.iterdir()] == [command.MARK]
    assert command.unfinished(folder)


def test_two_demos_never_share_a_folder(tmp_path: Path) -> None:
    command.check_folder(tmp_path / "demo")
    with command.only_one(tmp_path / "demo"), pytest.raises(click.ClickException, match="another demo is running"):
        command.only_one(tmp_path / "demo").__enter__()
    with command.only_one(tmp_path / "demo"):
        pass


def test_a_demo_touches_no_server_of_the_environment(tmp_path: Path) -> None:
    settings = command.demo_settings(
        {
            "DATABASE_URL": "postgresql://me@production/desk",
            "REDIS_URL": "redis://production/0",
            "SMTP_URL": "smtp://mail.production:25",
            "HELPDESK_DATA": "/somewhere/else",
        },
        tmp_path, "0.0.0.0", 8080, smtp_port=2526,
    )  # fmt: skip
    assert settings.sqlite and settings.embedded and settings.demo
    assert settings.smtp_url == "smtp://127.0.0.1:2526?tls=none"
    assert settings.data == tmp_path and settings.base_url == "http://127.0.0.1:8080"


def test_a_taken_mail_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        host, port = command.free_address("127.0.0.1", taken)
    assert host == "127.0.0.1" and port not in (0, taken)
