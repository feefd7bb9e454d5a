"""The list of tickets as a file: as it is narrowed, of what the person may see, harmless, and told of."""

from __future__ import annotations

import csv
import io

import pytest

from helpdesk import db
from helpdesk.agents import exporting
from helpdesk.events import Event
from helpdesk.preferences import prefer
from tests import people
from tests.desks import TestDesk
from tests.forms import Browser


def taken(browser: Browser, **narrowed: str) -> list[list[str]]:
    answer = browser.send("/inbox/export", page="/inbox", **{"list": "all", "format": "csv", **narrowed})
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


def test_the_list_leaves_as_it_is_narrowed_and_that_is_recorded(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE", 1)
    one = people.writes(desk.people.carol, "Where is it?", inbox=desk.people.mail, subject="Parcel")
    two = people.writes(desk.people.oleg, "Заказ не пришёл", inbox=desk.people.mail, subject="Заказ")
    dana = Browser(desk, desk.people.dana)
    rows = taken(dana)
    assert rows[0][:3] == ["Number", "Subject", "Status"]
    assert [row[:2] for row in rows[1:]] == [[str(one.number), "Parcel"], [str(two.number), "Заказ"]]
    assert "Carol Jones" in rows[1] and "Support" in rows[1]
    assert [row[1] for row in taken(dana, q="parcel")[1:]] == ["Parcel"]
    assert taken(dana, status="solved")[1:] == [] and taken(dana, overdue="1")[1:] == []
    with db.read() as session:
        told = [row.data for row in session.query(Event).filter_by(kind="list_exported").order_by(Event.id)]
    assert told == [{"what": "tickets", "rows": number} for number in (2, 1, 0, 0)]
    assert "Take this list out" in dana.open("/inbox").text


@pytest.mark.parametrize("evil", ['=HYPERLINK("http://evil")', "\u200b=1+1", "  @SUM(1)", "-2+3"])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_no_cell_is_a_formula(desk: TestDesk, evil: str) -> None:
    people.writes(desk.people.carol, "Hello", inbox=desk.people.mail, subject=evil)
    (row,) = taken(Browser(desk, desk.people.dana))[1:]
    assert row[1].startswith("'")


def test_agents_take_out_nothing_unless_the_desk_lets_them_and_then_only_what_they_see(desk: TestDesk) -> None:
    people.writes(desk.people.carol, "Hello", inbox=desk.people.mail, subject="Seen")
    people.writes(desk.people.carol, "Hello", inbox=desk.people.billing_mail, subject="Of another queue")
    alice = Browser(desk, desk.people.alice)
    assert alice.send("/inbox/export", page="/inbox", list="all").status_code == 404
    assert "Take this list out" not in alice.open("/inbox").text
    with db.transaction():
        prefer(exported_by="all")
    assert [row[1] for row in taken(alice)[1:]] == ["Seen"]
    other = {"list": f"queue:{desk.people.billing}"}
    assert alice.send("/inbox/export", page="/inbox", **other).status_code == 404
    assert alice.send("/inbox/export", page="/inbox", list="nonsense").status_code == 404
