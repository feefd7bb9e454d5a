"""Lists going out as CSV or Excel: written row by row, with cells that a spreadsheet would take for a formula made harmless.

A list is read in pages by keys, each in its own snapshot, so that a long export holds no transaction open.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from helpdesk import db
from helpdesk.auth import Principal
from helpdesk.crm import fields, policy, queries
from helpdesk.crm import organizations as companies
from helpdesk.crm.models import Contact, Order, Organization

FORMATS = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
PAGE = 500
#: What Excel, LibreOffice and Google read as a formula at a cell's beginning (OWASP, CSV injection); a plain +number is none.
_FORMULA = re.compile(r"[=+\-@\t\r\n]|[＝＋－＠]")
#: What people do not see, and spreadsheets skip, before the sign that begins a formula.
_UNSEEN = " \u00a0\u00ad\u200b\u200c\u200d\u2060\ufeff"
_NUMBER = re.compile(r"[+-]?\d[\d ]*(\.\d+)?")

Row = Sequence[Any]


@dataclass(frozen=True)
class Sheet:
    """A list to be written: its file's name without ending, its header, and a function that yields the rows anew."""

    name: str
    header: Row
    rows: Callable[[], Iterator[Row]]


def harmless(cell: Any) -> str:
    """A cell as text that no spreadsheet runs: what looks like a formula gets an apostrophe before it."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if _FORMULA.match(text.lstrip(_UNSEEN)) and not _NUMBER.fullmatch(text) else text


def as_csv(sheet: Sheet) -> Iterator[bytes]:
    """The list as CSV with a byte order mark, so that Excel reads it as UTF-8."""
    yield b"\xef\xbb\xbf"
    kept = io.StringIO(newline="")
    writer = csv.writer(kept)
    for number, row in enumerate(_with_header(sheet), 1):
        writer.writerow([harmless(cell) for cell in row])
        if number % 200 == 0:
            yield _emptied(kept)
    yield _emptied(kept)


def as_xlsx(sheet: Sheet) -> Iterator[bytes]:
    """The list as an Excel file; every text is typed as text, so none is a formula."""
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet.name[:31])
    for row in _with_header(sheet):
        cells = []
        for value in row:
            cell = WriteOnlyCell(page, value=None)
            if isinstance(value, int | float) and not isinstance(value, bool):
                cell.value = value
            else:
                cell.value = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", "" if value is None else str(value))[:32_000]
                cell.data_type = "s"
            cells.append(cell)
        page.append(cells)
    with tempfile.TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        while chunk := file.read(64 * 1024):
            yield chunk


def _with_header(sheet: Sheet) -> Iterable[Row]:
    yield sheet.header
    yield from sheet.rows()


def _emptied(kept: io.StringIO) -> bytes:
    written = kept.getvalue().encode()
    kept.seek(0)
    kept.truncate()
    return written


# --- the lists -----------------------------------------------------------------------------------------------------------


def customers(who: Principal, wanted: queries.Wanted) -> Sheet:
    """The customers that this person may see, as the list is narrowed; what they are worth only for those who may see that."""
    with db.read():
        own = [(one.key, fields.label_of(one)) for one in fields.defined("contact")]
        value = policy.may_see_value(who)
    header = [
        "ID", "Name", "E-mail", "Phone", "Organization", "Language", "Lifecycle stage", "Tags", "Owner", "Last contact", "Customer since",
        "Satisfaction", "Tier",
    ]  # fmt: skip
    header += ["Value", "Currency"] if value else []
    header += [label for _key, label in own]

    def rows() -> Iterator[Row]:
        cursor: str | None = None
        while True:
            with db.read():
                page = queries.page(who, queries.by_name(wanted), cursor=cursor, limit=PAGE)
                owners = queries.names({one.contact.owner_id for one in page.rows if one.contact.owner_id})
            for one in page.rows:
                yield _customer(one, owners, own, value)
            if (cursor := page.next) is None:
                return

    return Sheet("customers", header, rows)


def _customer(one: queries.Listed, owners: dict[int, str], own: list[tuple[str, str]], value: bool) -> Row:
    c = one.contact
    row: list[Any] = [
        c.id, c.name, one.email, one.phone, c.organization.name if c.organization else "", c.language, c.lifecycle, ", ".join(c.tags),
        owners.get(c.owner_id or 0, ""), one.last_at.date().isoformat(), (c.acquired_at or c.created_at).date().isoformat(),
        round(c.satisfaction, 1) if c.satisfaction is not None and c.ratings_count else "", c.tier,
    ]  # fmt: skip
    row += [c.value_cents / 100, c.currency] if value else []
    return [*row, *((c.custom or {}).get(key, "") for key, _label in own)]


def organizations(q: str) -> Sheet:
    """The companies, with how many people of each we know."""

    def rows() -> Iterator[Row]:
        cursor: str | None = None
        while True:
            with db.read():
                page = companies.listed(q=q, cursor=cursor, limit=PAGE)
            for one in page.rows:
                o = one.organization
                yield (o.id, o.name, o.kind, o.domain, o.tier, one.people, ", ".join(o.tags or []))
            if (cursor := page.next) is None:
                return

    return Sheet("organizations", ["ID", "Name", "Kind", "Mail domain", "Tier", "People", "Tags"], rows)


def purchases(who: Principal) -> Sheet:
    """Every order of the customers that this person may see."""
    with db.read():
        value = policy.may_see_value(who)
    header = ["Number", "Date", "Customer ID", "Customer", "Organization", "Total", "Currency", "Status", *(["Margin"] if value else [])]

    def rows() -> Iterator[Row]:
        last = 0
        while True:
            with db.read() as session:
                found = session.execute(
                    select(Order, Contact.canonical_id, Contact.name, Organization.name)
                    .join(Contact, Contact.id == Order.contact_id)
                    .outerjoin(Organization, Organization.id == Order.organization_id)
                    .where(Order.id > last, policy.visible(who), Contact.erased_at.is_(None))
                    .order_by(Order.id)
                    .limit(PAGE)
                ).all()
            for order, contact_id, name, company in found:
                margin = [order.margin_cents / 100] if value else []
                total = [order.total_cents / 100, order.currency, order.status]
                yield [order.number, order.at.date().isoformat(), contact_id, name, company or "", *total, *margin]
            if len(found) < PAGE:
                return
            last = found[-1][0].id

    return Sheet("purchases", header, rows)
