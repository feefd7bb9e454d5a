"""Passwords: which are good enough, and that hashing one never holds anybody up."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from helpdesk import db, passwords
from tests.desks import TestDesk

GOOD = [
    "four ordinary words",
    "correct horse battery staple",
    "три медведя в лесу",
    "xK9#mQ2$vL",
    "aliceinwonderland2",
    "пирожки с капустой",
]
WEAK = [
    "", "short", "123456789", "1234567890", "0987654321", "qwertyuiop", "QWERTYUIOP", "poiuytrewq", "asdfghjklz", "aaaaaaaaaaaa",
    "abababababab", "abcabcabcabc", "password1234", "Password!!!!", "P@ssword2024", "!!!letmein!!!", "йцукенгшщз", "ЙЦУКЕНГШЩЗ",
    "пароль12345", "1q2w3e4r5t6y",
    "administrator", "alice@example.com", "Alice@Example.COM", "alice2024!!", "Alice Adams", "alice adams 1",
]  # fmt: skip


pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # no database has a say in this


@pytest.fixture(autouse=True)
def in_a_desk(desk: TestDesk):  # type: ignore[no-untyped-def]
    with desk.app.test_request_context():
        yield


def test_good_passwords_are_good_and_weak_ones_are_told_why() -> None:
    for password in GOOD:
        assert str(passwords.weakness(password, email="alice@example.com", name="Alice Adams")) == "", password
    for password in WEAK:
        assert str(passwords.weakness(password, email="alice@example.com", name="Alice Adams")), password


def test_the_same_password_typed_on_another_system_is_the_same() -> None:
    stored = passwords.kept("fünf große Wörter")
    assert passwords.right("fünf große Wörter", stored)


def test_nothing_fits_no_password_and_longer_ones_are_not_cut_to_fit() -> None:
    stored = passwords.kept("x" * 190 + "0123456789")
    assert passwords.right("x" * 190 + "0123456789", stored)
    assert not passwords.right("x" * 190 + "0123456789!", stored)
    assert not passwords.right("nobody has this password", None)


def test_a_hash_inside_a_transaction_is_a_fault_of_ours() -> None:
    with db.transaction(), pytest.raises(RuntimeError, match="inside a transaction"):
        passwords.kept("four ordinary words")
    with db.read(), pytest.raises(RuntimeError, match="inside a transaction"):
        passwords.right("four ordinary words", None)


@pytest.mark.slow
def test_under_gevent_others_go_on_while_a_password_is_hashed() -> None:
    script = textwrap.dedent("""
        from gevent import monkey; monkey.patch_all()
        import gevent, time, tempfile
        from helpdesk import config, passwords
        from helpdesk.app import create_app
        app = create_app(config.load({"HELPDESK_DATA": tempfile.mkdtemp(), "SECRET_KEYS": "k" * 40}))
        with app.app_context():
            stored = passwords.kept("four ordinary words")
            gaps, going = [], True
            def tick():
                last = time.perf_counter()
                while going:
                    gevent.sleep(0.005)
                    gaps.append(time.perf_counter() - last); last = time.perf_counter()
            ticker = gevent.spawn(tick)
            begun = time.perf_counter()
            assert all(passwords.right("four ordinary words", stored) for _ in range(5))
            took = time.perf_counter() - begun
            going = False; ticker.join()
        print(took / 5, sorted(gaps)[len(gaps) // 2], len(gaps))
    """)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    hashing, pause, ticks = map(float, ran.stdout.split())
    assert ticks >= 5 and pause < hashing, ran.stdout
