"""Articles in and out of the desk, through the command line as an administrator types it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from helpdesk import cli, db
from helpdesk.kb.models import Article, Audience, Category, Translation
from tests.desks import TestDesk
from tests.integration.kb.shelf import says, writes

Run = Callable[..., Result]


@pytest.fixture
def run(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`helpdesk kb …` against the test's desk."""
    monkeypatch.setattr(cli, "desk", lambda **_options: desk.app)
    return lambda *words: CliRunner().invoke(cli.helpdesk, ["kb", *map(str, words)])


def titles() -> list[tuple[str, str]]:
    with db.read() as session:
        return [(row.language, row.title) for row in session.scalars(select(Translation).order_by(Translation.language, Translation.title))]


def test_questions_and_answers_of_a_table_become_articles(desk: TestDesk, run: Run, tmp_path: Path) -> None:
    table = tmp_path / "faq.csv"
    table.write_text(
        'Question,Answer,Topic,Tags\n"Where is my parcel?","Look, it is there.",Delivery,"box, label"\n"Где посылка?",Там.,Delivery,\n',
        "utf-8",
    )
    told = run("import", table)
    assert told.exit_code == 0 and "2 new, 0 changed, 0 as they were." in told.output
    assert titles() == [("en", "Where is my parcel?"), ("ru", "Где посылка?")]
    with db.read() as session:
        assert session.scalars(select(Category.name_en)).all() == ["Delivery"]
    assert "/kb/en/where-is-my-parcel" in desk.client().get("/kb/search?q=parcel").text


def test_loading_again_changes_only_what_differs(desk: TestDesk, run: Run, tmp_path: Path) -> None:
    rows = [{"id": f"d{n}", "q": f"Question {n}", "a": "Answer", "cat": ""} for n in range(45)] + [
        {"id": "x", "q": "", "a": "No title here at all."}
    ]
    docs = tmp_path / "docs.jsonl"
    docs.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert "46 new, 0 changed, 0 as they were." in run("load", tmp_path).output
    docs.write_text("\n".join(map(json.dumps, [{**rows[0], "a": "Better"}, *rows[1:]])), "utf-8")
    assert "0 new, 1 changed, 45 as they were." in run("load", tmp_path).output
    with db.read() as session:
        assert len(session.scalars(select(Article)).all()) == 46
    assert ("en", "No title here at all.") in titles()


def test_an_export_taken_in_elsewhere_is_the_same(desk: TestDesk, run: Run, tmp_path: Path) -> None:
    article = writes(desk, "Return a parcel", "## Pack it\n\nWell: done.", tags=["box"])
    says(desk, article, "Вернуть посылку", "Упакуйте.", language="ru")
    writes(desk, "For colleagues", audience=Audience.AGENTS)
    folder = tmp_path / "out"
    assert "3 files written" in run("export", folder).output
    assert "0 new, 0 changed, 3 as they were." in run("import", folder).output
    assert run("export", folder).exit_code == 1
    page = folder / "en" / "return-a-parcel.md"
    page.write_text(page.read_text("utf-8").replace("Well: done.", "Better."), "utf-8")
    assert "0 new, 1 changed, 2 as they were." in run("import", folder).output
    with db.read() as session:
        assert session.scalars(select(Translation.body).where(Translation.title == "Return a parcel")).one() == "## Pack it\n\nBetter."
        assert len(session.scalars(select(Article)).all()) == 2


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # files are read the same
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "Question|Answer\nx|y\n", "question and answer must be among them"),
        ("a.csv", "question,answer\nx,\n", "line 2: there is no text"),
        ("a.csv", "question,answer,language\nx,y,tlh\n", "the language “tlh”"),
        ("a.csv", b"question,answer\n\xff\xfe,y\n", "a.csv"),
        ("en/a.md", "no head", "begins with a head"),
        ("en/a.md", "---\ntitle: x\n", "not closed"),
        ("en/a.md", "---\ntitle x\n---\nbody", "line 2"),
        ("tlh/a.md", "---\ntitle: x\n---\nbody", "the first folder names the language"),
        ("docs.jsonl", '{"id": "1", "a": "fine"}\n{"id": }\n', "line 2"),
        ("docs.jsonl", "[1]\n", "line 1"),
    ],
)
def test_what_cannot_be_read_is_named_and_changes_nothing(
    desk: TestDesk, run: Run, tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    path = tmp_path / "in" / name
    os.makedirs(path.parent)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = run("load", tmp_path / "in") if name == "docs.jsonl" else run("import", path if name.endswith("csv") else tmp_path / "in")
    assert told.exit_code == 1 and words in told.output and "Nothing was taken in" in told.output
    assert titles() == []


def test_the_index_is_built_anew_on_demand(desk: TestDesk, run: Run) -> None:
    writes(desk, "Return a parcel")
    assert "The index is new." in run("reindex").output
