"""Lists of purchases taken in: orders with lines, payments and returns; nothing counted twice, undone without a trace."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from sqlalchemy import inspect, select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.crm import identities, purchases, triage
from helpdesk.crm.base_models import ImportRow, Unmatched
from helpdesk.crm.exchange import importing, purchase_columns, purchases_in
from helpdesk.crm.models import Contact, Interaction, Order, OrderLine
from helpdesk.crm.worth_models import Payment, Return
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.crm.lists import counts, reasons, run_of, takes_back, takes_in

SHOP = """Order number;Customer email;Date;Currency;Status;Product;Qty;Price;Payment;Payment date;Refund;Refund date;Return reason
A-1;carol@customer.example;05.01.2026;EUR;paid;Kettle;2;30,00;;;;;
A-2;carol@customer.example;2026-01-09;EUR;paid;Lamp;1;12.50;12.50;2026-01-10;;;
A-1;carol@customer.example;05.01.2026;EUR;paid;Cup;1;5;40;06.01.2026;;;
A-1;carol@customer.example;05.01.2026;EUR;paid;;;;25;07.01.2026;5;20.01.2026;product
"""


def takes(desk: TestDesk, text: str, **more: Any) -> int:
    return takes_in(desk, text, subject="orders", **more)


def ledger() -> dict[str, list[tuple[str, ...]]]:
    """Everything that a list of purchases may touch, row by row."""
    with db.read() as session:
        return {
            table.__tablename__: sorted(
                tuple(str(getattr(row, column.key)) for column in inspect(table).column_attrs) for row in session.scalars(select(table))
            )
            for table in (Order, OrderLine, Payment, Return, Interaction, Contact, Unmatched)
        }


def order(number: str) -> Order:
    with db.read() as session:
        return session.scalars(select(Order).where(Order.number == number)).one()


def test_orders_come_with_their_lines_payments_and_returns_wherever_their_rows_stand(desk: TestDesk) -> None:
    run = takes(desk, SHOP)
    assert counts(run) == (4, 0, 0, 0) and run_of(run).state == "done"
    first = order("A-1")
    assert (first.total_cents, first.status, first.contact_id, f"{first.at:%Y-%m-%d}") == (6500, "paid", desk.people.carol, "2026-01-05")
    with db.read() as session:
        lines = session.execute(select(OrderLine.title, OrderLine.quantity, OrderLine.price_cents).where(OrderLine.order_id == first.id))
        assert sorted(tuple(row) for row in lines) == [("Cup", 1, 500), ("Kettle", 2, 3000)]
        assert sorted(session.scalars(select(Payment.amount_cents))) == [1250, 2500, 4000]
        back = session.scalars(select(Return)).one()
        assert (back.amount_cents, back.reason, back.order_id) == (500, "product", first.id)
        assert sorted(session.scalars(select(Interaction.title).where(Interaction.kind == "order"))) == ["A-1", "A-2"]


def test_a_second_run_changes_nothing_and_undo_leaves_no_trace(desk: TestDesk) -> None:
    before = ledger()
    run = takes(desk, SHOP)
    there = ledger()
    assert counts(takes(desk, SHOP)) == (0, 0, 4, 0) and ledger() == there
    done = takes_back(desk, run)
    assert (done.state, done.kept) == ("undone", 0) and ledger() == before


def test_a_known_order_gets_what_is_new_and_undo_takes_only_that(desk: TestDesk) -> None:
    takes(desk, SHOP)
    there = ledger()
    more = "Order;Payment;Refund;Reason;Status\nA-2;;12,50;price;\nA-1;;1;slow;shipped\n"
    run = takes(desk, more)
    assert counts(run) == (0, 2, 0, 0)
    assert (order("A-2").status, order("A-1").status) == ("returned", "shipped")
    assert counts(takes(desk, more)) == (0, 0, 2, 0)
    assert takes_back(desk, run).kept == 0 and ledger() == there


def test_what_was_added_since_keeps_an_order(desk: TestDesk) -> None:
    run = takes(desk, SHOP)
    with db.transaction() as session:
        found = session.scalars(select(Order).where(Order.number == "A-1")).one()
        purchases.take_back(found, 100, reason="slow", by=Actor("user", desk.people.ada))
    assert takes_back(desk, run).kept == 1
    assert order("A-1").total_cents == 6500
    with db.read() as session:
        assert session.scalars(select(Order.number)).all() == ["A-1"]


def test_a_dry_run_says_the_same_and_writes_nothing(desk: TestDesk) -> None:
    before = ledger()
    text = SHOP + "A-2;;;;;;;;99;;;;\nB-1;nobody@nowhere.example;;;;Cup;1;5;;;;;\n"
    dry = takes(desk, text, dry=True)
    assert ledger() == before
    assert counts(dry) == (3, 0, 0, 3) and counts(takes(desk, text)) == counts(dry)
    assert reasons(dry).keys() == {2, 5, 6}


HEAD = "Number,Email,Phone,Date,Currency,Total,Product,Qty,Price,Payment,Refund,Reason\n"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("C-1,carol@customer.example,,2026-01-05,EUR,10,,,,-5,,", "above zero"),
        ("C-1,carol@customer.example,,2026-01-05,EUR,10,,,,11,,", "More than is due"),
        ("C-1,carol@customer.example,,2026-01-05,EUR,10,,,,,5,", "Say why"),
        ("C-1,carol@customer.example,,2026-01-05,EUR,10,,,,,11,slow", "what is left"),
        ("C-1,carol@customer.example,,2126-01-05,EUR,10,,,,,,", "not happened yet"),
        ("C-1,carol@customer.example,,31.31.2026,EUR,10,,,,,,", "not a day"),
        ('C-1,carol@customer.example,,2026-01-05,EUR,"1,250",,,,,,', "no sum"),
        ("C-1,carol@customer.example,,2026-01-05,euro,10,,,,,,", "three capital letters"),
        ("C-1,carol@customer.example,,2026-01-05,EUR,,,,,,,", "total, or the lines"),
        ("C-1,carol@customer.example,,2026-01-05,EUR,,Cup,0,5,,,", "at least one piece"),
        ("C-1,carol@customer.example,,2026-01-05,EUR,,Cup,1,,,,", "no price"),
        ("C-1,,,2026-01-05,EUR,10,,,,,,", "names no customer"),
        (",carol@customer.example,,2026-01-05,EUR,10,,,,,,", "names no order"),
        ("C-1,carol@customer.example,12,2026-01-05,EUR,10,,,,,,", "not a phone number"),
        ("C-1,carol@customer.example,,2026-01-05,EUR,10,,,,,,,9", "more cells"),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_faulty_order_is_named_with_its_reason_and_leaves_nothing(desk: TestDesk, row: str, why: str) -> None:
    before = ledger()
    run = takes(desk, HEAD + row + "\n")
    assert counts(run) == (0, 0, 0, 1) and why in reasons(run)[1], reasons(run)
    assert ledger() == before


def test_one_faulty_row_keeps_a_new_order_out_whole_but_not_the_others(desk: TestDesk) -> None:
    run = takes(desk, SHOP.replace("Cup;1;5", "Cup;1;-5"))
    assert counts(run) == (1, 0, 0, 3) and "at least one piece" in " ".join(reasons(run).values())
    with db.read() as session:
        assert session.scalars(select(Order.number)).all() == ["A-2"]


def test_rows_of_one_order_that_contradict_each_other_are_named(desk: TestDesk) -> None:
    run = takes(
        desk, SHOP.replace("A-1;carol@customer.example;05.01.2026;EUR;paid;Cup", "A-1;carol@customer.example;06.01.2026;EUR;paid;Cup")
    )
    assert "another one than in row 1" in reasons(run)[3] and "Row 3 of the same order" in reasons(run)[1]


def test_an_order_with_another_total_or_of_somebody_else_is_not_written_over(desk: TestDesk) -> None:
    takes(desk, SHOP)
    there = ledger()
    run = takes(desk, f"Number,Total,Currency,Customer ID\nA-1,70,EUR,\nA-2,12.5,EUR,{desk.people.oleg}\n")
    assert counts(run)[3] == 1 and "another total" in reasons(run)[1] and ledger()["payment"] == there["payment"]
    # Oleg may have an order of the same number; he has none, so this one is new and his.
    assert counts(run)[0] == 1


@pytest.mark.parametrize("mode", ["create", "update"])
def test_the_mode_says_which_orders_count(desk: TestDesk, mode: str) -> None:
    takes(desk, SHOP)
    run = takes(desk, SHOP.replace("A-2", "A-3") + "A-1;;;;;;;;;;1;;slow\n", mode=mode)
    assert counts(run) == ((1, 0, 4, 0) if mode == "create" else (0, 1, 3, 1)), reasons(run)


def test_an_order_of_nobody_we_know_waits_in_triage_until_its_address_is_somebodys(desk: TestDesk) -> None:
    text = "Number,Phone,Total,Currency\nD-1,+49 30 1234567,10,EUR\n"
    run = takes(desk, text)
    assert "waits under" in reasons(run)[1]
    assert counts(takes(desk, text))[3] == 1
    with db.read() as session:
        one = session.scalars(select(Unmatched)).one()
        assert (one.kind, one.why, one.address) == ("order", "unknown", "+49301234567")
    alice = Browser(desk, desk.people.alice)
    page = alice.open("/customers/unknown").text
    assert "D-1" in page and "+49301234567" in page
    settled = alice.send(f"/customers/unknown/{one.id}", page="/customers", do="choose", contact=str(desk.people.carol))
    assert settled.status_code == 303
    assert counts(takes(desk, text)) == (1, 0, 0, 0) and order("D-1").contact_id == desk.people.carol


def test_an_order_of_several_waits_with_who_may_be_meant_and_undo_takes_it_out_of_triage(desk: TestDesk) -> None:
    by = Actor("user", desk.people.ada)
    with db.transaction() as session:
        for contact_id in (desk.people.carol, desk.people.oleg):
            identities.add(session.get_one(Contact, contact_id), identities.read("phone", "+49 30 1234567"), shared=True, by=by)
    run = takes(desk, "Number,Phone,Total,Currency\nD-1,+49 30 1234567,10,EUR\n")
    with db.read():
        (one,) = triage.waiting()
        assert one.why == "several" and set(one.candidates) == {desk.people.carol, desk.people.oleg}
    takes_back(desk, run)
    with db.read():
        assert triage.waiting() == []


def test_an_import_of_orders_that_dies_between_batches_goes_on_where_it_was(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchases_in, "BATCH", 2)
    monkeypatch.setattr(importing, "STINT_S", 0.0)
    rows = "".join(f"N{n % 7},carol@customer.example,Cup {n},1,5,EUR\n" for n in range(14))
    assert counts(takes(desk, "Number,Email,Product,Qty,Price,Currency\n" + rows)) == (14, 0, 0, 0)
    with db.read() as session:
        assert sorted(session.scalars(select(Order.total_cents))) == [1000] * 7


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("Name,Email,Created at,Currency,Lineitem name,Lineitem quantity,Lineitem price",
         " email at currency title quantity price"),
        ("Номер заказа;Телефон клиента;Дата;Товар;Кол-во;Цена;Сумма оплаты;Дата оплаты;Причина возврата",
         "number phone at title quantity price paid paid_at reason"),
        ("Record ID - Deal;Deal Name;Amount;Close Date", "order_id number total at"),
    ],
)  # fmt: skip
def test_columns_of_shops_and_other_programs_are_recognised(header: str, meant: str) -> None:
    assert purchase_columns.suggest(re.split("[;,]", header)) == meant.split(" ")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_list_of_purchases_is_uploaded_looked_at_and_its_faults_are_given_back(desk: TestDesk) -> None:
    dana = Browser(desk, desk.people.dana)
    assert "Purchases" in dana.open("/customers/imports").text
    content = (SHOP + "E-1;nobody@nowhere.example;;EUR;;Cup;1;=5;;;;;\n").encode()
    form = {"csrf_token": dana.token("/customers"), "subject": "orders", "file": (io.BytesIO(content), "shop.csv")}
    place = dana.client.post("/customers/imports", data=form, content_type="multipart/form-data").headers["Location"]
    shown = dana.open(place).text
    assert "2 × Kettle" in shown and "Carol Jones" in shown and "is no sum" in shown and "Known by" not in shown
    assert dana.save(place, then="run").status_code == 303
    desk.work()
    faults = dana.open(f"{place}/faults.csv").text
    assert "E-1" in faults and "is no sum" in faults and "'=5" in faults
    alice = Browser(desk, desk.people.alice)
    assert alice.open(place).status_code == 404 and alice.send(f"{place}/undo", page="/customers").status_code == 404
    with db.read() as session:
        assert session.scalars(select(ImportRow.contact_id).where(ImportRow.outcome == "created")).all() == [desk.people.carol] * 4
