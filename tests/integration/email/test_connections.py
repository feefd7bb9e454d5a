"""Connections to mail servers that serve a batch: kept, checked, given up; and never a mail handed over twice at once."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from helpdesk import smtp
from helpdesk.channels.email import connections, handover
from helpdesk.channels.email.handover import Verdict
from tests.integration.email.test_misbehaving_servers import server


@dataclass
class Hall:
    """A mail server that counts: how many connections it had, and every mail that it was handed whole. It treats the mails as `said`.

    `said`: for the n-th command of a name over all connections, what is answered instead of 250; nothing hangs up.
    """

    said: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    connections: int = 0
    mails: list[bytes] = field(default_factory=list)
    seen: Counter[bytes] = field(default_factory=Counter)

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        with connection.makefile("rwb", buffering=0) as line:
            line.write(b"220 here\r\n")
            for command in iter(line.readline, b""):
                name = command[:4].upper().strip()
                self.seen[name] += 1
                answer = self.said.get((name, self.seen[name]), b"354 go on" if name == b"DATA" else b"250 ok")
                if answer.startswith(b"354"):
                    line.write(answer + b"\r\n")
                    mail = b""
                    while (read := line.readline()) not in (b".\r\n", b""):
                        mail += read
                    self.mails.append(mail)
                    answer = self.said.get((b".", len(self.mails)), b"250 kept")
                if not answer:
                    return
                line.write(answer + b"\r\n")
                if name == b"QUIT" or answer.startswith(b"421"):
                    return


def hand_over(url: str, *recipients: str) -> list[handover.Answer]:
    """Mails to these people, one after the other."""
    mail = b"Message-ID: <1@example.com>\r\n\r\nHello\r\n"
    return [handover.deliver(smtp.read(url), "support@example.com", recipient, mail, within_s=5) for recipient in recipients or "abc"]


@pytest.fixture
def _hung_up() -> Iterator[None]:
    handover.forget()
    yield
    handover.forget()


pytestmark = pytest.mark.usefixtures("_hung_up")


def test_the_mails_of_a_batch_leave_over_one_connection_and_another_server_or_user_gets_its_own() -> None:
    hall, other = Hall(), Hall()
    with server(hall) as url, server(other) as elsewhere:
        assert {answer.verdict for answer in hand_over(url)} == {Verdict.TAKEN}
        hand_over(elsewhere)
        assert (hall.connections, len(hall.mails), hall.seen[b"EHLO"]) == (1, 3, 1) and (other.connections, len(other.mails)) == (1, 3)
        connections.close_all()
        hand_over(url, "d")
        assert hall.connections == 2 and hall.seen[b"QUIT"] == 1


def test_a_connection_that_has_served_long_enough_or_rested_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()
    monkeypatch.setattr(connections, "MOST_MAILS", 2)
    with server(hall) as url:
        hand_over(url, *"abcd")
        assert (hall.connections, len(hall.mails), hall.seen[b"QUIT"]) == (2, 4, 2)
        monkeypatch.setattr(connections, "MOST_MAILS", 100)
        hand_over(url, "e")
        monkeypatch.setattr(connections, "IDLE_S", 0.0)
        hand_over(url, "f")
        assert (hall.connections, len(hall.mails)) == (4, 6)


def test_a_refused_mail_leaves_nothing_behind_for_the_next_over_the_same_connection() -> None:
    hall = Hall({(b"RCPT", 1): b"550 5.1.1 Unknown", (b"DATA", 1): b"451 4.3.0 Not now", (b".", 1): b"552 5.3.4 Too large"})
    with server(hall) as url:
        answers = hand_over(url, "a", "b", "c", "d")
    assert [answer.code for answer in answers] == [550, 451, 552, 250]
    assert hall.connections == 1 and hall.seen[b"RSET"] == 3 and hall.seen[b"MAIL"] == 4


@pytest.mark.parametrize(
    "said",
    [
        {(b"RSET", 1): b""},
        {(b"RSET", 1): b"421 4.3.2 Closing"},
        {(b"RSET", 1): b"500 What?"},
        {(b"MAIL", 2): b""},
        {(b"MAIL", 2): b"421 4.7.0 Too many mails in this session"},
        {(b"RCPT", 2): b""},
        {(b"RCPT", 2): b"421 4.3.2 Closing"},
    ],
)
def test_a_kept_connection_that_breaks_before_the_mail_is_handed_over_gives_way_to_a_new_one(said: dict[tuple[bytes, int], bytes]) -> None:
    hall = Hall(said)
    with server(hall) as url:
        answers = hand_over(url, "a", "b")
    assert [answer.verdict for answer in answers] == [Verdict.TAKEN, Verdict.TAKEN]
    assert (hall.connections, len(hall.mails)) == (2, 2)


def test_a_kept_connection_on_which_nobody_answers_is_left_in_time_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CHECK_S", 0.1)
    calls = Hall()
    with server(lambda connection: silent_on_rset(calls, connection)) as url:
        answers = hand_over(url, "a", "b")
    assert [answer.verdict for answer in answers] == [Verdict.TAKEN, Verdict.TAKEN] and len(calls.mails) == 2


def silent_on_rset(hall: Hall, connection: socket.socket) -> None:
    """Answers RSET with nothing until the other side has had enough."""
    hall.said = {(b"RSET", 1): b"250-"}  # more is to follow, and never does
    hall(connection)


@pytest.mark.parametrize("end", [b"", b"421 4.3.0 Perhaps kept, perhaps not"])
def test_a_break_after_the_mail_was_handed_over_is_never_followed_by_another_try_at_once(end: bytes) -> None:
    hall = Hall({(b".", 2): end})
    with server(hall) as url:
        first, second = hand_over(url, "a", "b")
        assert (first.verdict, second.verdict) == (Verdict.TAKEN, Verdict.LATER)
        assert (hall.connections, len(hall.mails)) == (1, 2), (
            "the server may have it: the next try is the outbox's, with the same Message-ID"
        )
        assert hand_over(url, "b")[0].verdict is Verdict.TAKEN and hall.connections == 2


def test_a_new_connection_that_breaks_is_not_followed_by_another() -> None:
    hall = Hall({(b"MAIL", 1): b""})
    with server(hall) as url:
        (answer,) = hand_over(url, "a")
    assert answer.verdict is Verdict.LATER and hall.connections == 1 and not hall.mails


def test_kept_connections_are_hung_up_when_nobody_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.05)
    hall = Hall()
    with server(hall) as url:
        hand_over(url, "a")
        until = time.monotonic() + 5
        while not hall.seen[b"QUIT"] and time.monotonic() < until:
            time.sleep(0.01)
    assert hall.seen[b"QUIT"] == 1
