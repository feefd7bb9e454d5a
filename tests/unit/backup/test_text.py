"""A value's text: out and in again it is the same, whatever it holds."""

from __future__ import annotations

import io
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, create_engine

from helpdesk.backup import tables
from helpdesk.backup.tables import Table

TABLE = Table("t", (("id", "int"), ("word", "text"), ("number", "float"), ("at", "time"), ("yes", "bool")), ("id",))

rows = st.tuples(
    st.one_of(st.none(), st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)))),
    st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    st.one_of(st.none(), st.datetimes().map(lambda at: at.isoformat(" ", "microseconds"))),
    st.one_of(st.none(), st.integers(0, 1)),
)


@given(st.lists(rows, max_size=5))
def test_rows_come_back_as_they_were(given_rows: list[tuple[object, ...]]) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, number FLOAT, at DATETIME, yes BOOLEAN)")
        for number, row in enumerate(given_rows):
            connection.exec_driver_sql("INSERT INTO t VALUES (?, ?, ?, ?, ?)", (number, *row))
        before = connection.exec_driver_sql("SELECT * FROM t ORDER BY id").fetchall()
        text = io.BytesIO()
        written = tables.write(connection, TABLE, text)
        connection.exec_driver_sql("DELETE FROM t")
        text.seek(0)
        assert tables.read(connection, TABLE, text) == written.rows or not given_rows
        assert connection.exec_driver_sql("SELECT * FROM t ORDER BY id").fetchall() == before
        assert tables.write(connection, TABLE, io.BytesIO()) == written


@pytest.mark.postgres
def test_numbers_and_moments_are_written_as_postgresql_writes_them(postgres_url: str) -> None:
    numbers = [0.1, 100.0, -2.5, 1 / 3, 1e-7, 0.0001, 1e15, 1.5e15, 123456789012345680.0, 1e22, -1e300, 5e-324, 999999999999999.9]
    moments = ["2026-03-02 10:00:00.000000", "2026-03-02 10:00:00.500000", "2026-12-31 23:59:59.999999", "1999-01-01 00:00:00.000010"]
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET TIME ZONE 'UTC'")
        for number in numbers:
            assert tables._float(number) == connection.exec_driver_sql("SELECT %s::float8::text", (number,)).scalar(), number
        for moment in moments:
            assert tables._time(moment) == connection.exec_driver_sql("SELECT (%s || '+00')::timestamptz::text", (moment,)).scalar()
            assert tables._stored_time(tables._time(moment)) == moment
    engine.dispose()
    assert sqlite3.sqlite_version_info >= (3, 35)


def test_a_column_without_a_text_form_is_refused_rather_than_lost() -> None:
    with pytest.raises(TypeError, match="no place in a backup"):
        tables.kind_of(LargeBinary())
