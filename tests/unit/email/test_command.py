"""`helpdesk mail parse FILE`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from helpdesk.channels.email import bounded
from helpdesk.channels.email.commands import parse_file
from tests.unit.email.mails import FOLDER, raw


def test_every_odd_mail_is_printed_as_one_json_object_and_ends_well() -> None:
    for path in sorted(FOLDER.glob("*.eml")):
        result = CliRunner().invoke(parse_file, [str(path)])
        assert result.exit_code == 0, path.stem
        assert isinstance(json.loads(result.output)["problems"], list)


def test_a_mail_is_read_from_standard_input_too() -> None:
    result = CliRunner().invoke(parse_file, ["-"], input=raw("russian-in-koi8-r"))
    assert json.loads(result.output)["subject"] == "Принтер не печатает"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert CliRunner().invoke(parse_file, [str(tmp_path / "none.eml")]).exit_code == 2


def test_a_mail_out_of_bounds_says_why_and_ends_with_1(monkeypatch: object) -> None:
    def fail(raw: bytes) -> None:
        raise bounded.ParseFailed("parsing took more than 10 s of processor time")

    monkeypatch.setattr(bounded, "parse", fail)  # type: ignore[attr-defined]
    result = CliRunner().invoke(parse_file, ["-"], input=b"x")
    assert result.exit_code == 1
    assert "more than 10 s of processor time" in result.output
