"""Files of customers taken in: every fault of a row named, nothing done twice, undone without a trace."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.crm import contacts, editing, fields
from helpdesk.crm.exchange import columns, customers_in, importing, reading
from helpdesk.crm.models import Contact, Identity, Interaction, Membership, Organization
from helpdesk.errors import Conflict, Invalid
from helpdesk.preferences import prefer
from tests.desks import TestDesk
from tests.integration.crm.lists import counts, reasons, run_of, takes_back, takes_in


def base() -> dict[str, list[tuple[Any, ...]]]:
    """Everything that an import may touch, row by row."""
    with db.read() as session:
        tables = (Contact, Identity, Membership, Organization)
        return {
            table.__tablename__: sorted(
                (tuple(str(getattr(row, column.key)) for column in inspect(table).column_attrs) for row in session.scalars(select(table))),
            )
            for table in tables
        }


# --- what a file is ------------------------------------------------------------------------------------------------------

RUSSIAN = "Имя;Фамилия;Рабочий e-mail;Мобильный телефон;Компания\nПётр;Иванов;petr@klient.example;+7 916 123-45-67;ООО «Берег»\n"


@pytest.mark.parametrize(
    "raw",
    [
        RUSSIAN.encode(), RUSSIAN.encode("utf-8-sig"), RUSSIAN.encode("cp1251"), RUSSIAN.encode("utf-16"),
        RUSSIAN.encode("koi8-r", "replace"), RUSSIAN.replace(";", "\t").encode(), RUSSIAN.replace(";", ",").encode(),
        ("sep=;\r\n" + RUSSIAN.replace("\n", "\r\n")).encode("cp1251"),
        RUSSIAN.replace("Имя;", " Имя ;").replace("Пётр", "  Пётр ").encode(),
    ],
)  # fmt: skip
def test_a_list_is_read_whatever_its_encoding_and_delimiter(desk: TestDesk, raw: bytes) -> None:
    run = takes_in(desk, raw)
    assert counts(run) == (1, 0, 0, 0), reasons(run)
    with db.read() as session:
        petr = contacts.find_by_email("petr@klient.example")
        assert petr is not None and petr.name == "Пётр Иванов"
        assert {one.value_norm for one in session.scalars(select(Identity).where(Identity.contact_id == petr.id))} == {
            "petr@klient.example", "+79161234567",
        }  # fmt: skip
        assert "Берег" in session.get_one(Organization, petr.organization_id).name or "koi8" in run_of(run).encoding


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("First Name,Last Name,Email,Phone Number,Company name,Contact owner,Lifecycle Stage,Record ID",
         "first_name last_name email phone organization owner lifecycle external"),
        ("Имя,Фамилия,Рабочий телефон,Рабочий email,Компания,Ответственный,Теги,ID",
         "first_name last_name phone email organization owner tags external"),
        ("ID,Тип контакта,Имя,Отчество,Фамилия,Должность,Рабочий телефон,Мобильный телефон,Рабочий e-mail,Частный e-mail,Ответственный",
         "external lifecycle first_name middle_name last_name role phone phone email email owner"),
        ("firstName,lastName,accountName,emailAddress,phoneNumber,assignedUser,title",
         "first_name last_name organization email phone owner role"),
        ("Name,E-mail 1 - Value,Phone 1 - Value,Phone,Shoe size", "name email phone phone "),
        ("Имя,Телефон,Телефон (2)", "name phone phone"),
    ],
)  # fmt: skip
def test_columns_of_other_programs_are_recognised(desk: TestDesk, header: str, meant: str) -> None:
    with db.read():
        assert columns.suggest(header.split(",")) == meant.split(" ")


def test_excel_and_vcards_are_taken_in_too(desk: TestDesk) -> None:
    from openpyxl import Workbook  # type: ignore[import-untyped]

    book, kept = Workbook(), io.BytesIO()
    book.active.append(["Name", "E-mail", "Phone"])
    book.active.append(["Henry Hale", "henry@hale.example", 442079460018.0])
    book.active.append([None, None, None])
    book.save(kept)
    with db.transaction():
        prefer(phone_region="GB")
    assert counts(takes_in(desk, kept.getvalue(), name="list.xlsx"))[0] == 1
    card = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=98=D0=B2=\r\n=D0=B0=D0=BD=D0=BE=D0=B2;=D0=9F=D1=91=D1=82=D1=80\r\n"
        "item1.EMAIL;TYPE=work:petr@vcard.example\r\nTEL;VALUE=uri:tel:+7-916-123-45-67\r\nnonsense\r\n"
        "ORG:Берег\\; и сыновья;Отдел\r\nEND:VCARD\r\n"
        "BEGIN:VCARD\nVERSION:4.0\nFN:Long\n er name\nEMAIL:a@vcard.example\nEMAIL:b@vcard.example\nX-TELEGRAM:@longer\n"
    )
    run = takes_in(desk, card, name="people.vcf")
    assert counts(run) == (2, 0, 0, 0), reasons(run)
    with db.read() as session:
        petr, long = contacts.find_by_email("petr@vcard.example"), contacts.find_by_email("b@vcard.example")
        assert petr is not None and petr.name == "Пётр Иванов" and long is not None and long.name == "Longer name"
        assert session.get_one(Organization, petr.organization_id).name == "Берег; и сыновья"
        assert session.scalar(select(func.count()).where(Identity.contact_id == long.id)) == 3


@pytest.mark.parametrize(
    "raw", [b"", b"\xef\xbb\xbf\r\n", b"\xd0\xcf\x11\xe0\xa1\xb1", b"PK\x03\x04 not really", b'Name,Email\n"never closed' + b"x" * 2**21]
)
def test_what_is_no_list_is_refused_and_nothing_is_kept(desk: TestDesk, raw: bytes) -> None:
    before = base()
    try:
        run = run_of(takes_in(desk, raw))
        assert run.state == "stopped" and "quotation mark" in run.error
    except Invalid as wrong:
        assert wrong.fields
    assert base() == before


# --- rows ----------------------------------------------------------------------------------------------------------------

FAULTY = """Name,Email,Phone,Id,Language,Owner
Good One,good@list.example,+442079460018,1,en,Alice
,,,,,
Good One,good@list.example,+442079460018,1,en,Alice
No address,,,,,
,nobody@list.example,,,,
Bad mail,not an address,,,,
Bad phone,bad@list.example,12,,,
No country,nc@list.example,020 7946 0019,,,
Wrong tongue,wt@list.example,,,Klingon,
Wrong owner,wo@list.example,,,,Nobody Here
Taken phone,taken@list.example,+442079460018,,,
Too many,tm@list.example,,,,,more
Carol again,CAROL@Customer.example,+442079460020,,ru,
Two mails,"two@list.example; second@list.example",,,,
"""


def test_each_faulty_row_is_named_good_ones_are_in_and_a_second_run_changes_nothing(desk: TestDesk) -> None:
    run = takes_in(desk, FAULTY, match_on="email")
    told = reasons(run)
    assert counts(run) == (3, 1, 1, 8), told
    for number, words in {
        6: "is not an e-mail address", 7: "not a phone number", 8: "has no country", 9: "Klingon", 10: "No colleague",
        11: "belongs to another", 12: "more cells",
    }.items():  # fmt: skip
        assert words in told.get(number - 1, ""), (number, told)
    with db.read() as session:
        carol = session.get_one(Contact, desk.people.carol)
        assert carol.language == "ru" and carol.name == "Carol again"
    before = base()
    again = takes_in(desk, FAULTY, match_on="email")
    assert counts(again)[:2] == (0, 0) and base() == before


def test_undoing_leaves_no_trace(desk: TestDesk) -> None:
    before = base()
    run = takes_in(
        desk,
        FAULTY.replace("Name,", "Name,Company,Tags,")
        .replace("Good One,", "Good One,New Company,loyal,")
        .replace("Carol again,", "Carol again,Another Company,vip,"),
        match_on="email",
    )
    assert base() != before
    assert takes_back(desk, run).state == "undone" and run_of(run).kept == 0
    after = base()
    assert after == before
    with pytest.raises(Conflict):
        takes_back(desk, run)


def test_what_changed_since_stays_and_is_counted(desk: TestDesk) -> None:
    run = takes_in(desk, FAULTY, match_on="email")
    with db.transaction() as session:
        good = contacts.find_by_email("good@list.example")
        assert good is not None
        editing.rename(good, "Good Two", by=SYSTEM)
        editing.rename(session.get_one(Contact, desk.people.carol), "Carol by hand", by=SYSTEM)
        two = contacts.find_by_email("two@list.example")
        assert two is not None
        session.add(Interaction(contact_id=two.id, kind="call", at=two.created_at))
    undone = takes_back(desk, run)
    assert (undone.state, undone.kept) == ("undone", 3)
    with db.read() as session:
        assert contacts.find_by_email("good@list.example") and contacts.find_by_email("two@list.example")
        assert contacts.find_by_email("nobody@list.example") is None
        carol = session.get_one(Contact, desk.people.carol)
        assert (carol.name, carol.language) == ("Carol by hand", "en")


def test_a_dry_run_says_the_same_and_writes_nothing(desk: TestDesk) -> None:
    before = base()
    run = takes_in(desk, FAULTY, match_on="email", dry=True)
    assert counts(run)[0] == 3 and run_of(run).state == "checked" and base() == before
    assert set(reasons(run)) >= {5, 6, 7, 8, 9, 11}


@pytest.mark.parametrize(("mode", "expected"), [("create", (1, 0, 1, 0)), ("update", (0, 1, 0, 1)), ("both", (1, 1, 0, 0))])
def test_the_mode_says_who_is_made_and_who_is_changed(desk: TestDesk, mode: str, expected: tuple[int, ...]) -> None:
    run = takes_in(desk, "Name,Email\nCarol X,carol@customer.example\nNew One,new@list.example\n", mode=mode)
    assert counts(run) == expected


@pytest.mark.parametrize(("match_on", "row"), [("phone", "+44 20 7946 0018"), ("external", "42"), ("name", "")])
def test_customers_are_recognised_by_what_was_chosen(desk: TestDesk, match_on: str, row: str) -> None:
    text = f"Name,Phone,Id,Tags\nHenry Hale,{row if match_on == 'phone' else ''},{row if match_on == 'external' else ''},%s\n"
    assert counts(takes_in(desk, text % "a", match_on=match_on))[0] == 1
    assert counts(takes_in(desk, text % "b", match_on=match_on)) == (0, 1, 0, 0)
    with db.read() as session:
        assert session.scalars(select(Contact).where(Contact.name == "Henry Hale")).one().tags == ["a", "b"]


def test_the_desks_own_fields_are_filled_and_checked(desk: TestDesk) -> None:
    with db.transaction():
        for label, kind, options in (
            ("Size", "number", ""),
            ("Since", "date", ""),
            ("Plan", "choice", "Basic\nPro"),
            ("Vegan", "yes_no", ""),
        ):
            fields.add("contact", label=label, kind=kind, options=options, by=SYSTEM)
    text = 'Name,Email,Size,Since,Plan,Vegan\nA,a@list.example,"1 234,5",31.03.2026,PRO,да\nB,b@list.example,many,,Gold,perhaps\n'
    run = takes_in(desk, text)
    assert counts(run) == (1, 0, 0, 1)
    assert all(word in reasons(run)[2] for word in ("many", "Basic, Pro", "yes or no"))
    with db.read():
        made = contacts.find_by_email("a@list.example")
        assert made is not None and sorted(map(str, made.custom.values())) == ["1234.5", "2026-03-31", "Pro", "True"]


def test_an_import_that_dies_between_batches_goes_on_where_it_was(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers_in, "BATCH", 2)
    monkeypatch.setattr(importing, "STINT_S", 0.0)
    text = "Name,Email\n" + "".join(f"N{n},n{n}@list.example\n" for n in range(9))
    assert counts(takes_in(desk, text)) == (9, 0, 0, 0)


def many_rows(size: int, seed: int) -> tuple[str, int]:
    """A list with every fault; how many different good people are in it."""
    chance = random.Random(seed)
    lines, good = ["Имя;Фамилия;E-mail;Телефон;Компания;Теги;Язык"], set()
    for number in range(size):
        mail, phone, language = f"person{number}@many.example", "", "ru"
        match chance.randrange(14):
            case 0:
                mail = "no address"
            case 1:
                phone = "12"
            case 2:
                language = "Klingon"
            case 3:
                mail, _good_one = "", False
            case 4:
                lines.append("")
            case 5:
                mail = f" PERSON{number}@Many.Example "
            case 6:
                phone = f"+7916{number:07}"
            case 7 if number > 100:
                mail = f"person{number - 100}@many.example"
        name = "" if chance.random() < 0.02 else f"Имя{number}"
        lines.append(f'{name};"Фамилия; {number}";{mail};{phone};Компания {number % 50};"a,b";{language}')
        if "@" in mail and phone != "12" and language == "ru":
            good.add(mail.strip().lower())
    return "\n".join(lines) + "\n", len(good)


def round_trip(desk: TestDesk, size: int) -> None:
    text, good = many_rows(size, seed=size)
    raw = text.encode("cp1251")
    before = base() if size < 5000 else {}
    first = takes_in(desk, raw, match_on="email")
    run = run_of(first)
    with db.read() as session:
        found = session.scalar(select(func.count()).select_from(Identity).where(Identity.value_norm.like("%@many.example")))
    assert found == good and run.state == "done" and run.created + run.updated + run.unchanged + run.refused == run.rows_total
    with db.read() as session:
        people = session.scalar(select(func.count()).select_from(Contact))
    second = counts(takes_in(desk, raw, match_on="email"))
    assert second[:2] == (0, 0) and second[3] == run.refused
    with db.read() as session:
        named = session.scalar(select(func.count()).select_from(Contact))
        assert named is not None and people is not None and named - people == second[0]
    if before:
        assert takes_back(desk, first).state == "undone"


def test_many_rows_with_every_fault_are_taken_in_named_and_taken_back(desk: TestDesk) -> None:
    round_trip(desk, 300)


@pytest.mark.soak
def test_a_hundred_thousand_rows_with_every_fault(desk: TestDesk) -> None:
    round_trip(desk, 100_000)


def test_reading_never_needs_more_than_the_path(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a;b;a\n1;2\n\n ;3;4;5\n")
    assert list(reading.rows(file, reading.sniff(file))) == [["a", "b", "a (2)"], ["1", "2"], ["", "3", "4", "5"]]
