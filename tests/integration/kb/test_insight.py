"""How the knowledge base served its readers, and what search learns from them."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.crm import contacts
from helpdesk.kb import insight, log, measuring, search, teaching
from helpdesk.kb.models import ArticleUse, KbState, SearchLog
from helpdesk.kb.ranking import Weights
from helpdesk.kb_commands import kb
from helpdesk.tickets import knowledge, lifecycle, thread
from helpdesk.tickets.models import Ticket
from tests import people
from tests.desks import TestDesk
from tests.integration.kb.shelf import writes
from tests.integration.kb.test_search import found
from tests.integration.portal.visitors import asks, token


def searches_and_reads(reader: FlaskClient, words: str, *, opens: str = "") -> str:
    """A reader searches and opens an article; the key of the search."""
    page = reader.get(f"/kb/search?q={words}").text
    key = re.search(r"\?s=([\w-]+)", page)
    if opens and key:
        reader.get(f"/kb/en/{opens}?s={key[1]}")
    return key[1] if key else ""


def figures(desk: TestDesk, days: int = 30) -> insight.Insight:
    with desk.app.app_context(), db.read():
        return insight.insight(days=days)


def test_confirmed_assumed_and_those_who_wrote_are_counted_apart(desk: TestDesk, stopped: clock.Hand) -> None:
    writes(desk, "Return a parcel")
    confirms, reads, gives_up, writer, looks = (desk.client() for _ in range(5))
    key = searches_and_reads(confirms, "parcel", opens="return-a-parcel")
    confirms.post("/kb/en/return-a-parcel/feedback", data={"csrf_token": token(confirms), "helpful": "yes", "s": key})
    searches_and_reads(reads, "return+parcel", opens="return-a-parcel")
    key = searches_and_reads(gives_up, "parcel+back", opens="return-a-parcel")
    gives_up.post("/kb/en/return-a-parcel/feedback", data={"csrf_token": token(gives_up), "helpful": "no", "s": key})
    searches_and_reads(writer, "parcel+return", opens="return-a-parcel")
    assert asks(writer).status_code == 303
    searches_and_reads(looks, "zeppelin")
    assert figures(desk).visits == {"confirmed": 1, "assumed": 0, "refuted": 1, "wrote": 1, "left": 2}
    stopped.move(minutes=24 * 60 + 1)
    seen = figures(desk)
    assert seen.visits == {"confirmed": 1, "assumed": 1, "refuted": 1, "wrote": 1, "left": 1}
    assert (seen.searches, seen.not_found, [one.query for one in seen.missed]) == (5, 1, ["zeppelin"])
    assert [(one.title, one.outcomes["confirmed"], one.helpful, one.unhelpful) for one in seen.served] == [("Return a parcel", 1, 1, 1)]
    assert sum(sum(day.visits.values()) for day in seen.series) == 5
    assert figures(desk, 7).all_visits == 5


def test_who_tries_twice_is_one_visit_and_colleagues_are_none(desk: TestDesk) -> None:
    writes(desk, "Return a parcel")
    reader = desk.client()
    searches_and_reads(reader, "zeppelin")
    searches_and_reads(reader, "parcel", opens="return-a-parcel")
    with db.read() as session:
        assert len({row.visitor for row in session.scalars(select(SearchLog))}) == 1
    assert (figures(desk).searches, figures(desk).all_visits) == (2, 1)
    searches_and_reads(desk.client(desk.people.alice), "parcel", opens="return-a-parcel")
    with db.read() as session:
        assert [row.visitor for row in session.scalars(select(SearchLog).order_by(SearchLog.id))][-1] is None


def test_an_article_named_in_a_reply_counts_once_the_ticket_is_solved(desk: TestDesk) -> None:
    article = writes(desk, "Return a parcel")
    ticket = people.writes(desk.people.carol, "How?", inbox=desk.people.mail)
    alice = Actor("user", desk.people.alice)
    with db.transaction() as session:
        again = session.get_one(Ticket, ticket.id)
        thread.reply(again, "Look: http://localhost/kb/en/return-a-parcel, and http://elsewhere.example/kb/en/return-a-parcel", by=alice)
        thread.reply(again, "Once more: http://localhost/kb/en/return-a-parcel http://localhost/kb/en/no-such", by=alice)
    desk.work()
    desk.work()
    with db.read() as session:
        assert {(row.article_id, row.ticket_id) for row in session.scalars(select(ArticleUse))} == {(article.id, ticket.id)}
    assert figures(desk).in_replies == 0
    with db.transaction() as session:
        lifecycle.solve(session.get_one(Ticket, ticket.id), by=alice)
    assert figures(desk).in_replies == 1 and figures(desk).served[0].tickets == 1


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_screen_shows_pictures_with_their_numbers_and_what_stands_behind(desk: TestDesk, language: str) -> None:
    writes(desk, "Return a parcel")
    reader = desk.client()
    searches_and_reads(reader, "=cmd|zeppelin")
    searches_and_reads(desk.client(), "parcel", opens="return-a-parcel")
    alice = desk.client(desk.people.alice)
    page = alice.get(f"/kb/manage/insights?lang={language}").text
    chart = re.search(r'data-chart="([^"]+)"', page)
    assert chart and len(json.loads(chart[1].replace("&#34;", '"'))["series"]) == 4
    assert "zeppelin" in alice.get("/kb/manage/insights/missed?days=7").text
    assert alice.get("/kb/manage/insights/searches?outcome=left").status_code == 200
    assert alice.get("/kb/manage/insights/searches?outcome=nonsense").status_code == 404
    sheet = alice.get("/kb/manage/insights/missed?as=csv")
    assert sheet.mimetype == "text/csv" and list(csv.reader(io.StringIO(sheet.text)))[1][1] == "'=cmd|zeppelin"
    assert alice.get("/kb/manage/insights/articles?as=csv").status_code == 200
    assert desk.client().get("/kb/manage/insights/missed").status_code == 303


def test_words_treated_alike_are_kept_by_leads_and_searched_at_once(desk: TestDesk) -> None:
    writes(desk, "Espresso machine")
    assert found(desk.app, "brewomat") == []
    dana, alice = desk.client(desk.people.dana), desk.client(desk.people.alice)
    assert alice.post("/kb/manage/words", data={"csrf_token": token(alice), "words": "brewomat espresso"}).status_code == 403
    for wrong in ("brewomat", "brewomat Brewomats", "", "a " * 3):
        assert dana.post("/kb/manage/words", data={"csrf_token": token(dana), "words": wrong}).status_code == 422
    assert dana.post("/kb/manage/words", data={"csrf_token": token(dana), "words": "Brewomat, espresso"}).status_code == 303
    assert found(desk.app, "brewomat") == ["Espresso machine"] and "brewomat · espresso" in alice.get("/kb/manage/words").text
    dana.post("/kb/manage/words", data={"csrf_token": token(dana), "deed": "remove", "id": "1"})
    assert found(desk.app, "brewomat") == []


def test_the_log_suggests_words_that_readers_replaced_before_they_found(desk: TestDesk) -> None:
    writes(desk, "Espresso machine leaks")
    for _ in range(2):
        reader = desk.client()
        searches_and_reads(reader, "brewomat+leaks")
        searches_and_reads(reader, "espresso+leaks", opens="espresso-machine-leaks")
    once = desk.client()
    searches_and_reads(once, "teapot+leaks")
    searches_and_reads(once, "espresso+leaks", opens="espresso-machine-leaks")
    dana = desk.client(desk.people.dana)
    page = dana.get("/kb/manage/words").text
    assert "<b>brewomat</b> → <b>espresso</b>" in page and "teapot" not in page
    dana.post("/kb/manage/words", data={"csrf_token": token(dana), "deed": "refuse", "words": "brewomat espresso"})
    assert "brewomat" not in dana.get("/kb/manage/words").text and found(desk.app, "brewomat") == []


def test_words_that_several_customers_write_are_no_slips_and_those_of_one_are_not_learnt(desk: TestDesk) -> None:
    writes(desk, "Parcel")
    assert search_corrects(desk, "parcex") == "parcel"
    with db.transaction():
        fay = contacts.by_email("fay@customer.example", name="Fay", by=SYSTEM).id
    for contact in (desk.people.carol, desk.people.oleg, fay):
        people.writes(contact, "My Parcex is late. Call +49 30 1234 or me@example.com", inbox=desk.people.mail)
    people.writes(desk.people.carol, "Secretword secretword", inbox=desk.people.mail)
    with desk.app.app_context(), db.transaction():
        knowledge.learn_words(None)  # type: ignore[arg-type]
    with db.read() as session:
        familiar = session.get_one(KbState, 1).familiar.split()
    assert "secretword" not in familiar and "1234" not in familiar
    assert "parcex" in familiar and search_corrects(desk, "parcex") is None


def search_corrects(desk: TestDesk, query: str) -> str | None:
    with desk.app.app_context(), db.read():
        return search.engine().find(query, audience=("public",)).did_you_mean


def confirmed(desk: TestDesk, questions: dict[str, int]) -> None:
    with db.transaction() as session:
        for number, (question, article_id) in enumerate(questions.items()):
            log.searched(f"key-{number:06}", question, language="en", place="portal", found=1)
            session.flush()
            row = session.scalars(select(SearchLog).where(SearchLog.key == f"key-{number:06}")).one()
            row.clicked_article_id, row.solved = article_id, True


def test_tuning_fits_to_confirmed_questions_and_is_put_in_force_unless_it_is_a_dry_run(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpdesk.cli.desk", lambda **_: desk.app)
    few = CliRunner().invoke(kb, ["tune"])
    assert few.exit_code == 1 and "too few" in few.output
    ids = [writes(desk, f"Topic {word}", f"About {word} and more.").id for word in ("parcel", "invoice", "espresso", "grinder")]
    words = ("parcel", "invoice", "espresso", "grinder")
    confirmed(desk, {f"{words[n % 4]} question {n}": ids[n % 4] for n in range(120)})
    with desk.app.app_context(), db.read():
        material = measuring.from_log()
    learnt = {question for document in material.documents for question in document.asked}
    assert len(material.queries) >= measuring.LEAST and not learnt & {query["text"] for query in material.queries}
    dry = CliRunner().invoke(kb, ["tune", "--dry-run"])
    assert dry.exit_code == 0, dry.output
    report = json.loads(dry.output)
    assert report["ndcg10"]["after"] >= report["ndcg10"]["before"] and report["in_force"] is False
    with db.read():
        assert teaching.tuned() == {}
    assert CliRunner().invoke(kb, ["tune"]).exit_code == 0
    with db.read():
        assert teaching.tuned()["questions"] == len(material.queries)
    assert "Fitted to" in desk.client(desk.people.alice).get("/kb/manage/insights").text


def test_weights_in_force_are_taken_over_by_every_process_and_forgotten_again(desk: TestDesk) -> None:
    writes(desk, "Grinder")
    found(desk.app, "grinder")
    with db.transaction():
        teaching.keep_weights(Weights(grams=0.0, stop_words=("the",), cap=2000), report={}, by=SYSTEM)
    found(desk.app, "grinder")
    with desk.app.app_context(), db.read():
        assert search.engine().weights == Weights(grams=0.0, stop_words=("the",), cap=2000)
    with db.transaction():
        teaching.forget_weights(by=SYSTEM)
    with desk.app.app_context(), db.read():
        assert search.engine().weights == Weights()
    assert teaching.weights_of({"grams": "0", "nonsense": 1, "cap": True, "body": 1}) == Weights(body=1.0)
