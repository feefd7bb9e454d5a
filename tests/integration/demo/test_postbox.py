"""The demo's postbox takes what the desk sends, to the byte, and keeps only the newest."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpdesk.demo import postbox
from helpdesk.demo.postbox import Postbox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Postbox]:
    made = Postbox(tmp_path / "sent")
    made.start()
    yield made
    made.stop()


def test_a_mail_lies_in_the_folder_as_it_was_sent(box: Postbox) -> None:
    mail = "Subject: Чай\r\n\r\nпервая строка\r\n.начинается с точки\r\n".encode()
    with smtplib.SMTP("127.0.0.1", box.port, timeout=5) as server:
        assert server.sendmail("a@samovar.example", ["b@post.example"], mail) == {}
    assert [path.read_bytes() for path in box.folder.iterdir()] == [mail]


def test_only_the_newest_are_kept_and_numbers_go_on_after_a_restart(box: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postbox, "KEPT", 2)
    for number in range(4):
        box.lay_down(f"mail {number}".encode())
    assert sorted(path.name for path in box.folder.iterdir()) == ["000003.eml", "000004.eml"]
    again = Postbox(box.folder)
    again.lay_down(b"mail 5")
    again.server_close()
    assert (box.folder / "000005.eml").exists()


def test_what_is_not_mail_is_refused_and_the_server_stays(box: Postbox) -> None:
    with smtplib.SMTP("127.0.0.1", box.port, timeout=5) as server:
        assert server.docmd("EXPN", "everybody")[0] == 502
        assert server.noop()[0] == 250
    assert not list(box.folder.iterdir())
