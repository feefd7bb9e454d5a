"""The import wizard and the exports as people use them; and who may not."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from click.testing import CliRunner

from helpdesk import cli, db
from helpdesk.crm import contacts
from helpdesk.crm.base_models import Import
from helpdesk.crm.exchange import exporting
from helpdesk.crm.models import Contact
from helpdesk.events import Event
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.test_customers import buys, said

LIST = "Name;Email;Shoe size\nHenry Hale;henry@hale.example;44\nBad;no address;1\n"


def uploads(browser: Browser, text: str | bytes = LIST, name: str = "list.csv") -> Any:
    raw = text.encode() if isinstance(text, str) else text
    data = {"csrf_token": browser.token("/customers"), "file": (io.BytesIO(raw), name)}
    return browser.client.post("/customers/imports", data=data, content_type="multipart/form-data")


def sheet(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200 and answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


def test_a_list_is_uploaded_looked_at_checked_taken_in_and_undone(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.dana)
    answer = uploads(browser)
    assert answer.status_code == 303
    place = answer.headers["Location"]
    page = browser.open(place).text
    assert "Henry Hale" in page and "is not an e-mail address" in page and re.search(r'<option value="email" selected', page)
    with db.read():
        assert contacts.find_by_email("henry@hale.example") is None
    assert browser.save(place, then="check").status_code == 303
    desk.work()
    assert "Checked; nothing was written." in browser.open(place).text
    assert browser.save(place, then="run").status_code == 303
    assert "Being taken in" in browser.open(place).text
    desk.work()
    done = said(browser.open(place).text)
    assert "New 1" in done and "Refused 1" in done and "Row 2: “no address” is not an e-mail address" in done
    faults = sheet(browser.open(f"{place}/faults.csv"))
    assert faults[0] == ["Row", "Why", "Name", "Email", "Shoe size"] and faults[1][2:] == ["Bad", "no address", "1"]
    with db.read() as session:
        assert contacts.find_by_email("henry@hale.example") is not None
        assert {row.kind for row in session.query(Event)} >= {"import_started", "import_finished"}
    assert browser.send(f"{place}/undo", page="/customers").status_code == 303
    desk.work()
    assert "Undone." in browser.open(place).text
    with db.read():
        assert contacts.find_by_email("henry@hale.example") is None


def test_a_column_can_be_meant_otherwise_and_two_cannot_mean_the_same(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.dana)
    place = uploads(browser, "A;B;C\nHenry;henry@hale.example;Hale\n").headers["Location"]
    refused = browser.save(place, **{"column-0": "name", "column-2": "name", "then": "run"})
    assert refused.status_code == 422 and "Two columns mean the same" in refused.text
    refused = browser.save(place, **{"column-0": "name", "then": "run"})
    assert refused.status_code == 422 and "nobody could be recognised" in refused.text
    assert browser.save(place, **{"column-0": "first_name", "column-1": "email", "column-2": "last_name", "then": "run"}).status_code == 303
    desk.work()
    with db.read():
        made = contacts.find_by_email("henry@hale.example")
        assert made is not None and made.name == "Henry Hale"


@pytest.mark.parametrize("raw", [b"", b"\xd0\xcf\x11\xe0old", b"PK\x03\x04broken"])
def test_what_is_no_list_is_explained(desk: TestDesk, raw: bytes) -> None:
    answer = uploads(Browser(desk, desk.people.dana), raw)
    assert answer.status_code == 422 and "field-error" in answer.text
    with db.read() as session:
        assert session.query(Import).count() == 0


def test_the_command_takes_a_list_in_and_says_what_it_did(desk: TestDesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(cli, "desk", lambda **_options: desk.app)
    file = tmp_path / "list.csv"
    file.write_text(LIST)
    dry = CliRunner().invoke(cli.helpdesk, ["import", "contacts", str(file), "--dry-run"])
    assert dry.exit_code == 1 and "Would be: 1 new, 0 changed, 0 as before, 1 refused" in dry.output
    for told in ("1 new, 0 changed, 0 as before, 1 refused", "0 new, 0 changed, 1 as before, 1 refused"):
        done = CliRunner().invoke(cli.helpdesk, ["import", "contacts", str(file)])
        assert done.exit_code == 1 and told in done.output and "row 2: “no address”" in done.output
    wrong = CliRunner().invoke(cli.helpdesk, ["import", "contacts", str(file), "--map", "Nothing=name"])
    assert wrong.exit_code == 2 and "there is no column Nothing" in wrong.output
    assert CliRunner().invoke(cli.helpdesk, ["import", "contacts", str(tmp_path / "none.csv")]).exit_code == 2
    assert "maildir" in CliRunner().invoke(cli.helpdesk, ["import", "mail", "--help"]).output


# --- going out -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", ['=HYPERLINK("http://evil")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "＝1"])
def test_no_cell_of_an_export_is_a_formula(desk: TestDesk, evil: str) -> None:
    with db.transaction() as session:
        session.get_one(Contact, desk.people.carol).name = evil
    browser = Browser(desk, desk.people.dana)
    rows = sheet(browser.send("/customers/export", page="/customers", format="csv"))
    (cell,) = [cell for row in rows for cell in row if evil.strip() in cell]
    assert cell.startswith("'")
    book = browser.send("/customers/export", page="/customers", format="xlsx").data
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    cells = [cell for row in load_workbook(io.BytesIO(book)).active.iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in cells) and any(cell.value and evil.strip() in str(cell.value) for cell in cells)


def test_an_export_holds_the_list_as_it_is_narrowed_and_is_recorded(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE", 1)
    browser = Browser(desk, desk.people.dana)
    rows = sheet(browser.send("/customers/export", page="/customers", format="csv"))
    assert [row[1] for row in rows] == ["Name", "Carol Jones", "Олег Тарасенко"] and "Value" in rows[0]
    rows = sheet(browser.send("/customers/export", page="/customers", format="csv", q="oleg"))
    assert [row[1] for row in rows] == ["Name", "Олег Тарасенко"]
    with db.read() as session:
        told = [row.data for row in session.query(Event).filter_by(kind="list_exported").order_by(Event.id)]
    assert told == [{"what": "customers", "rows": 2}, {"what": "customers", "rows": 1}]
    buys(desk.people.carol, 1000)
    assert sheet(browser.send("/customers/purchases/export", page="/customers"))[1][3:] == ["Carol Jones", "", "10.0", "EUR", "paid", "2.5"]
    assert sheet(browser.send("/organizations/export", page="/customers")) == [
        ["ID", "Name", "Kind", "Mail domain", "Tier", "People", "Tags"]
    ]


def test_an_export_read_in_again_changes_nothing(desk: TestDesk) -> None:
    browser = Browser(desk, desk.people.dana)
    out = browser.send("/customers/export", page="/customers", format="csv").data
    place = uploads(browser, out).headers["Location"]
    browser.save(place, then="run", **{"column-0": ""})
    desk.work()
    assert "As before 2" in said(browser.open(place).text)


# --- who may -------------------------------------------------------------------------------------------------------------

OUT = ("/customers/export", "/organizations/export", "/customers/purchases/export")


@pytest.mark.parametrize("path", OUT)
def test_agents_take_no_list_out_unless_the_desk_lets_them(desk: TestDesk, path: str) -> None:
    agent, lead = Browser(desk, desk.people.alice), Browser(desk, desk.people.dana)
    assert agent.send(path, page="/customers").status_code == 404 and "Export" not in agent.open("/customers").text
    assert lead.send(path, page="/customers").status_code == 200 and "Export" in lead.open("/customers").text
    with db.transaction():
        prefer(exported_by="all", value_seen_by="admins")
    answer = sheet(agent.send(path, page="/customers"))
    assert "Value" not in answer[0] and "Margin" not in answer[0], "what customers are worth stays with those who may see it"
    with db.transaction():
        prefer(exported_by="admins")
    assert lead.send(path, page="/customers").status_code == 404


def test_agents_take_no_list_in(desk: TestDesk) -> None:
    place = uploads(Browser(desk, desk.people.dana)).headers["Location"]
    agent = Browser(desk, desk.people.alice)
    assert agent.open("/customers/imports").status_code == 404 and "Imports" not in agent.open("/customers").text
    assert uploads(agent).status_code == 404
    for path in ("", "/undo", "/stop"):
        assert agent.send(place + path, page="/customers", then="run").status_code == 404
    assert agent.open(place).status_code == 404 and agent.open(place + "/faults.csv").status_code == 404
