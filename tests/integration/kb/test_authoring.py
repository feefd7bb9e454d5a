"""Where colleagues write: who may do what, and that no words are lost."""

from __future__ import annotations

from io import BytesIO

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.kb.models import Article, ArticleFile, Audience, Category, Translation
from tests.desks import TestDesk
from tests.integration.kb.shelf import says, writes
from tests.integration.portal.visitors import account, hidden, token, typed


def words(article_id: int, language: str = "en") -> Translation:
    with db.read() as session:
        return session.scalars(select(Translation).where(Translation.article_id == article_id, Translation.language == language)).one()


def test_only_colleagues_come_here(desk: TestDesk) -> None:
    article = writes(desk, "Title")
    customer = desk.client(account(desk.people.carol))
    for path in (
        "/kb/manage",
        "/kb/manage/new",
        f"/kb/manage/{article.id}/en",
        f"/kb/manage/{article.id}/en/history",
        "/kb/manage/insights",
    ):
        assert desk.client().get(path).status_code == 303
        assert customer.get(path).status_code == 404
    csrf = token(customer)
    for path in ("new", "preview", f"{article.id}/en", f"{article.id}/withdrawal", f"{article.id}/about", f"{article.id}/files", "topics"):
        assert customer.post(f"/kb/manage/{path}", data={"csrf_token": csrf}).status_code == 404


def test_an_agent_writes_a_draft_and_a_supervisor_publishes_it(desk: TestDesk) -> None:
    alice, dana = desk.client(desk.people.alice), desk.client(desk.people.dana)
    sent = {"csrf_token": token(alice), "language": "ru", "title": "Возврат", "body": "Упакуйте.", "deed": "save"}
    made = alice.post("/kb/manage/new", data=sent)
    assert made.status_code == 303
    assert 'value="publish"' not in alice.get(made.location).text and 'value="publish"' in dana.get(made.location).text
    assert alice.post(made.location, data={**sent, "deed": "publish"}).status_code == 403
    with db.read() as session:
        article = session.scalars(select(Article)).one()
    assert words(article.id, "ru").published_revision is None and article.owner_id == desk.people.alice
    assert dana.post(made.location, data={**sent, "csrf_token": token(dana), "deed": "publish"}).status_code == 303
    assert words(article.id, "ru").published_revision == 1 and desk.client().get("/kb/ru/vozvrat").status_code == 200


def test_what_readers_see_is_not_an_agents_to_change(desk: TestDesk) -> None:
    article = writes(desk, "Title")
    alice = desk.client(desk.people.alice)
    csrf = token(alice)
    for path in (f"{article.id}/withdrawal", f"{article.id}/about", f"{article.id}/en/confirmation"):
        assert alice.post(f"/kb/manage/{path}", data={"csrf_token": csrf, "audience": "agents"}).status_code == 403
    assert alice.post("/kb/manage/topics", data={"csrf_token": csrf, "name_en": "A", "name_ru": "А"}).status_code == 404
    assert desk.client().get("/kb/en/title").status_code == 200


def test_the_slower_of_two_authors_keeps_their_words_and_sees_the_others(desk: TestDesk) -> None:
    article = writes(desk, "Title", "Start.")
    dana, ada = desk.client(desk.people.dana), desk.client(desk.people.ada)
    url = f"/kb/manage/{article.id}/en"
    seen = hidden(ada.get(url).text, "version")
    dana.post(url, data={"csrf_token": token(dana), "title": "Title", "body": "Dana's words.", "version": seen, "deed": "save"})
    late = ada.post(url, data={"csrf_token": token(ada), "title": "Title", "body": "Ada's words.", "version": seen, "deed": "publish"})
    assert late.status_code == 409 and typed(late.text, "body") == "Ada's words." and "Dana&#39;s words." in late.text
    again = {"csrf_token": token(ada), "title": "Title", "body": "Both.", "version": hidden(late.text, "version"), "deed": "publish"}
    assert ada.post(url, data=again).status_code == 303 and words(article.id).body == "Both."


def test_a_refused_publication_keeps_the_words_and_the_version(desk: TestDesk) -> None:
    dana = desk.client(desk.people.dana)
    refused = dana.post(
        "/kb/manage/new", data={"csrf_token": token(dana), "language": "en", "title": "", "body": "Long work", "deed": "publish"}
    )
    assert refused.status_code == 422 and typed(refused.text, "body") == "Long work"
    with db.read() as session:
        assert session.scalars(select(Article)).all() == []
    article = writes(desk, "Title", "Start.")
    url = f"/kb/manage/{article.id}/en"
    seen = hidden(dana.get(url).text, "version")
    refused = dana.post(url, data={"csrf_token": token(dana), "title": "", "body": "More", "version": seen, "deed": "publish"})
    assert refused.status_code == 422 and hidden(refused.text, "version") == seen and words(article.id).draft_body == "Start."


def test_preview_shows_and_keeps_nothing_with_and_without_scripts(desk: TestDesk) -> None:
    dana = desk.client(desk.people.dana)
    sent = {"csrf_token": token(dana), "title": "T", "body": "## Head <script>", "deed": "preview", "language": "en"}
    assert "Head &lt;script&gt;</h2>" in dana.post("/kb/manage/preview", data=sent).text
    page = dana.post("/kb/manage/new", data=sent).text
    assert "Head &lt;script&gt;</h2>" in page and typed(page, "body") == "## Head <script>"
    with db.read() as session:
        assert session.scalars(select(Article)).all() == []


def test_history_compares_line_by_line_and_an_earlier_wording_comes_back_as_draft(desk: TestDesk) -> None:
    article = writes(desk, "Title", "one\ntwo\nthree")
    says(desk, article, "Title", "one\nTWO <b>\nthree", note="louder")
    dana = desk.client(desk.people.dana)
    page = dana.get(f"/kb/manage/{article.id}/en/history?old=1&new=2").text
    assert "<del>two</del>" in page and "<ins>TWO &lt;b&gt;</ins>" in page and "louder" in page
    restored = dana.post(f"/kb/manage/{article.id}/en/restoration", data={"csrf_token": token(dana), "number": "1"})
    assert restored.status_code == 303
    assert words(article.id).draft_body == "one\ntwo\nthree" and words(article.id).body == "one\nTWO <b>\nthree"
    assert dana.get(f"/kb/manage/{article.id}/en/history?old=9&new=2").status_code == 404
    assert dana.post(f"/kb/manage/{article.id}/en/restoration", data={"csrf_token": token(dana), "number": "9"}).status_code == 404


def test_a_topic_an_audience_and_an_address_are_set_beside_the_text(desk: TestDesk) -> None:
    article = writes(desk, "Title")
    dana = desk.client(desk.people.dana)
    dana.post("/kb/manage/topics", data={"csrf_token": token(dana), "name_en": "Returns", "name_ru": "Возвраты", "icon": "package"})
    with db.read() as session:
        topic = session.scalars(select(Category)).one()
    version = hidden(dana.get(f"/kb/manage/{article.id}/en").text, "version")
    about = {
        "csrf_token": token(dana), "version": version, "language": "en", "category": str(topic.id), "audience": "agents",
        "tags": "Box, label , box", "owner": str(desk.people.alice), "review_at": "2026-05-01", "slug": "send back",
    }  # fmt: skip
    for wrong in ({"audience": "everybody"}, {"audience": "organizations"}, {"review_at": "soon"}, {"category": "77"}, {"owner": "x"}):
        answer = dana.post(f"/kb/manage/{article.id}/about", data={**about, **wrong})
        assert answer.status_code == 422 and "field-error" in answer.text
    assert dana.post(f"/kb/manage/{article.id}/about", data=about).status_code == 303
    with db.read() as session:
        row = session.get_one(Article, article.id)
        assert (row.category_id, row.audience, row.tags, row.owner_id) == (topic.id, Audience.AGENTS, ["box", "label"], desk.people.alice)
    assert words(article.id).slug == "send-back" and desk.client().get("/kb/en/send-back").status_code == 404
    refused = dana.post("/kb/manage/topics", data={"csrf_token": token(dana), "id": str(topic.id), "deed": "remove"})
    assert refused.status_code == 409 and "Move them first" in refused.text


def test_the_list_narrows_by_words_state_language_and_owner(desk: TestDesk) -> None:
    shown = writes(desk, "Return a parcel")
    says(desk, shown, "Вернуть посылку", language="ru")
    writes(desk, "Pay by card")
    alice = desk.client(desk.people.alice)
    alice.post("/kb/manage/new", data={"csrf_token": token(alice), "language": "en", "title": "Only a draft", "body": "x", "deed": "save"})
    for query, here, elsewhere in (
        ("q=ПОСЫЛКУ", "Return a parcel", "Pay by card"),
        ("state=draft", "Only a draft", "Pay by card"),
        ("state=published", "Pay by card", "Only a draft"),
        ("language=ru", "Return a parcel", "Pay by card"),
        ("owner=me", "Only a draft", "Pay by card"),
        ("state=withdrawn", "Nothing found", "Pay by card"),
        ("state=outdated", "Nothing found", "Pay by card"),
        ("state=review", "Nothing found", "Pay by card"),
    ):
        page = alice.get(f"/kb/manage?{query}").text
        assert here in page and f">{elsewhere}<" not in page, query


def test_pictures_are_seen_by_those_who_may_read_the_article(desk: TestDesk) -> None:
    article = writes(desk, "For colleagues", audience=Audience.AGENTS)
    dana = desk.client(desk.people.dana)
    names = [(BytesIO(b"\x89PNG\r\n\x1a\n0000"), "a.png"), (BytesIO(b"<svg onload=alert(1)>"), "b.png")]
    sent = {"csrf_token": token(dana), "language": "en", "files": names}
    assert dana.post(f"/kb/manage/{article.id}/files", data=sent).status_code == 303
    with db.read() as session:
        picture, fake = session.scalars(select(ArticleFile).order_by(ArticleFile.id))
    assert dana.get(f"/kb/files/{picture.id}").mimetype == "image/png"
    answer = dana.get(f"/kb/files/{fake.id}")
    assert answer.mimetype == "application/octet-stream" and answer.headers["Content-Disposition"].startswith("attachment")
    assert desk.client().get(f"/kb/files/{picture.id}").status_code == 404 and dana.get("/kb/files/999").status_code == 404


def test_a_draft_is_thrown_away_but_a_published_article_only_withdrawn(desk: TestDesk) -> None:
    article = writes(desk, "Shown")
    dana = desk.client(desk.people.dana)
    csrf = token(dana)
    assert dana.post(f"/kb/manage/{article.id}/discard", data={"csrf_token": csrf}).status_code == 409
    assert dana.post(f"/kb/manage/{article.id}/withdrawal", data={"csrf_token": csrf}).status_code == 303
    assert desk.client().get("/kb/en/shown").status_code == 404


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_insights_name_what_is_missing(desk: TestDesk, language: str) -> None:
    writes(desk, "Return a parcel")
    reader = desk.client()
    for _ in range(2):
        reader.get("/kb/search?q=teleporter")
    reader.post("/kb/en/return-a-parcel/feedback", data={"csrf_token": token(reader), "helpful": "no", "reason": "Too long"})
    page = desk.client(desk.people.alice).get(f"/kb/manage/insights?lang={language}").text
    assert "teleporter" in page and "Too long" in page and "Return a parcel" in page
