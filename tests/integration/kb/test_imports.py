"""Articles taken in and out on the screen: what would happen is shown first, errors name their row, and an import can be taken back."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.kb.models import Article, ArticleImport, Category, Translation
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.kb.shelf import says, writes

PAGE = "---\nkey: {key}\ntitle: {title}\ntags: box, label\n---\n{body}\n"
TABLE = 'question,answer,topic\nWhere is my parcel?,"Look here.\n\nThen there.",Delivery\nWho are you?,Us.,\n,,\n'


def packed(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
    return made.getvalue()


class Screen(Browser):
    """The import screen as somebody uses it; `page` is the import they look at."""

    page = ""

    def __init__(self, desk: TestDesk, user: int) -> None:
        super().__init__(desk, user)
        self.desk = desk

    def upload(self, name: str, content: str | bytes) -> str:
        """What the page says after the upload."""
        data = content.encode() if isinstance(content, str) else content
        answer = self.send("/kb/manage/imports", file=(io.BytesIO(data), name))
        if answer.status_code != 303:
            return answer.text
        self.page = answer.headers["Location"]
        return self.open(self.page).text

    def press(self, deed: str) -> int:
        return self.send(self.page, deed=deed).status_code

    def does(self, deed: str) -> str:
        """What the page says after the deed and everything that follows from it."""
        assert self.press(deed) == 303
        self.desk.work()
        return self.open(self.page).text

    def export(self, **fields: str) -> bytes:
        answer = self.send("/kb/manage/export", **fields)
        assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"]
        return answer.data


@pytest.fixture
def screen(desk: TestDesk) -> Screen:
    return Screen(desk, desk.people.dana)


def shown() -> dict[str, str]:
    """What readers see, by title."""
    with db.read() as session:
        found = select(Translation).join(Article).where(Translation.published_revision.is_not(None), Article.withdrawn_at.is_(None))
        return {one.title: one.body for one in session.scalars(found)}


def test_a_table_is_shown_first_and_taken_in_after_a_yes(screen: Screen) -> None:
    page = screen.upload("faq.csv", TABLE)
    assert "Where is my parcel?" in page and "faq.csv, line 6" in page and "there is no text" in page and "Delivery" in page
    assert "Publish 2" in page and shown() == {}
    page = screen.does("start")
    assert "Readers see it now" in page
    assert shown() == {"Where is my parcel?": "Look here.\n\nThen there.", "Who are you?": "Us."}
    with db.read() as session:
        run = session.scalars(select(ArticleImport)).one()
        assert (run.state, run.new, run.changed, run.same, run.refused) == ("done", 2, 0, 0, 1)
        assert session.scalars(select(Category.name_en)).all() == ["Delivery"]


def test_what_stands_there_already_is_left_alone_wherever_its_row_moved(screen: Screen) -> None:
    screen.upload("faq.csv", TABLE)
    screen.does("start")
    page = screen.upload("other.csv", "question;answer\nNew?;Yes.\nWho are you?;Us.\nwhere is  my parcel?;Nowhere.\n")
    assert "Publish 2" in page and re.search(r"Left as they are</h2><p class=\"v\">1<", page)
    screen.does("start")
    assert shown() == {"where is my parcel?": "Nowhere.", "Who are you?": "Us.", "New?": "Yes."}


def test_an_import_is_taken_back_but_for_what_was_edited_since(desk: TestDesk, screen: Screen, stopped: clock.Hand) -> None:
    screen.upload("a.csv", "key,question,answer\none,One?,First.\ntwo,Two?,Second.\n")
    screen.does("start")
    stopped.move(minutes=1)
    screen.upload("a.csv", "key,question,answer\none,One?,Other.\ntwo,Two?,Other.\nthree,Three?,Third.\nfour,Four?,Fourth.\n")
    screen.does("start")
    stopped.move(minutes=1)
    with db.read() as session:
        two, four = (session.scalars(select(Article).where(Article.external_id == key)).one() for key in ("two", "four"))
    says(desk, two, "Two?", "By hand.")
    says(desk, four, "Четыре?", "Четвёртое.", language="ru")
    page = screen.does("undo")
    assert "but for 2" in page
    assert shown() == {"One?": "First.", "Two?": "By hand.", "Four?": "Fourth.", "Четыре?": "Четвёртое."}
    assert screen.press("undo") == 409


def test_both_languages_of_a_new_article_go_and_come_back_with_the_next_import(screen: Screen) -> None:
    file = packed({
        "help/en/returns/back.md": PAGE.format(key="r", title="Send it back", body="Pack it."),
        "help/ru/returns/back.md": PAGE.format(key="r", title="Верните", body="Упакуйте."),
        "help/README.txt": "no article", "__MACOSX/help/en/x.md": "rubbish",
    })  # fmt: skip
    screen.upload("help.zip", file)
    screen.does("start")
    assert shown() == {"Send it back": "Pack it.", "Верните": "Упакуйте."}
    assert "Taken back" in screen.does("undo") and shown() == {}
    assert "Publish 2" in screen.upload("help.zip", file)
    screen.does("start")
    assert shown() == {"Send it back": "Pack it.", "Верните": "Упакуйте."}


def test_a_stopped_import_keeps_what_is_in_and_a_file_can_be_thrown_away(screen: Screen) -> None:
    screen.upload("a.csv", TABLE)
    assert screen.press("start") == 303
    assert "What was in by then stays" in screen.does("stop") and shown() == {}
    screen.upload("b.csv", TABLE)
    assert screen.press("dance") == 422 and screen.press("forget") == 303
    assert screen.open(screen.page).status_code == 404 and screen.press("start") == 404 and shown() == {}


def test_the_part_that_moves_is_fetched_alone(screen: Screen) -> None:
    screen.upload("a.csv", TABLE)
    screen.press("start")
    part = screen.open(screen.page, headers={"HX-Request": "true"}).text
    assert "every 2s" in part and "0 of 3" in part and "<html" not in part


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "question|answer\nx|y\n", "question and answer must be among them"),
        ("a.csv", b"question,answer\n\xff\xfe,y\n", "no UTF-8 text"),
        ("a.csv", "question,answer\n", "There is no article in this file"),
        ("a.zip", b"PK\x03\x04 and then rubbish", "cannot be opened"),
        ("a.zip", packed({"README.txt": "x"}), "There is no article in this file"),
    ],
)
def test_a_file_that_means_nothing_is_refused_with_the_reason(screen: Screen, name: str, content: str | bytes, words: str) -> None:
    assert words in screen.upload(name, content)
    with db.read() as session:
        assert session.scalars(select(ArticleImport)).all() == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_each_page_that_cannot_be_read_is_named_and_the_others_are_taken(screen: Screen) -> None:
    page = screen.upload("a.zip", packed({
        "en/fine.md": PAGE.format(key="a", title="Fine", body="Yes."),
        "en/twice.md": PAGE.format(key="a", title="Twice", body="No."),
        "en/headless.md": "words",
        "fr/x.md": PAGE.format(key="b", title="Non", body="Non."),
        "en/bad.md": "---\ntitle: x\naudience: kings\n---\nbody",
    }))  # fmt: skip
    for words in ("the same article stands at en/fine.md", "begins with a head", "the first folder names the language", "not “kings”"):
        assert words in page
    assert "Publish 1" in page


def test_the_list_leaves_as_it_is_narrowed_and_comes_back_the_same(desk: TestDesk, screen: Screen) -> None:
    first = writes(desk, "Return a parcel", "## Pack it\n\nWell, “done”; yes.", tags=["box"])
    says(desk, first, "Вернуть посылку", "Упакуйте.", language="ru")
    writes(desk, "Pay")
    with zipfile.ZipFile(io.BytesIO(screen.export(shape="markdown"))) as all_of_it:
        assert sorted(all_of_it.namelist()) == ["en/pay.md", "en/return-a-parcel.md", "ru/vernut-posylku.md"]
    table = screen.export(shape="csv", q="parcel", language="en").decode("utf-8-sig")
    assert "Return a parcel" in table and "Pay" not in table and "посылку" not in table
    for name, content in (("a.csv", screen.export(shape="csv")), ("a.zip", screen.export(shape="markdown"))):
        assert "everything in this file stands here already" in screen.upload(name, content)


def test_agents_may_take_the_list_out_but_nothing_in(desk: TestDesk, screen: Screen) -> None:
    agent = Screen(desk, desk.people.alice)
    assert b"question" in agent.export(shape="csv")
    assert "Take articles in" not in agent.open("/kb/manage").text and "Take articles in" in screen.open("/kb/manage").text
    screen.upload("a.csv", TABLE)
    agent.page = screen.page
    assert agent.open("/kb/manage/imports").status_code == 403 and agent.send("/kb/manage/imports").status_code == 403
    assert agent.open(screen.page).status_code == 403 and agent.press("start") == 403
    desk.work()
    assert shown() == {}
