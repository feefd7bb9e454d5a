"""The knowledge base as its readers see it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from helpdesk import db
from helpdesk.actor import Actor
from helpdesk.kb import about, articles, categories
from helpdesk.kb.models import AnswerFeedback, Article, Audience
from tests.desks import TestDesk
from tests.integration.kb.shelf import says, withdraws, writes
from tests.integration.portal.visitors import account, dangers, token

HOSTILE = """# <img src=x onerror=alert(1)>

<script>alert(1)</script> [click](javascript:alert(1)) [mail](mailto:a@b.example) ![x](https://evil.example/pixel.png)
<iframe src="//evil.example"></iframe> <a href="//evil.example" onclick="alert(1)">z</a> [data](data:text/html,<script>1</script>)

```html
<svg onload=alert(1)>
```
"""


def verdicts() -> list[tuple[bool, str]]:
    with db.read() as session:
        return [(row.helpful, row.reason) for row in session.scalars(select(AnswerFeedback).order_by(AnswerFeedback.id))]


def test_hostile_words_of_an_article_stay_words_everywhere(desk: TestDesk) -> None:
    writes(desk, "<script>alert(2)</script> & more", HOSTILE)
    reader = desk.client()
    pages = [
        reader.get(path).text for path in ("/", "/kb", "/kb/search?q=alert", "/kb/suggest?q=alert", "/kb/en/script-alert-2-script-more")
    ]
    assert [dangers(page) for page in pages] == [[]] * len(pages)
    assert "&lt;script&gt;alert(2)&lt;/script&gt; &amp; more" in pages[-1] and 'href="mailto:a@b.example"' in pages[-1]


def test_an_article_tells_its_languages_and_where_it_lives(desk: TestDesk) -> None:
    article = writes(desk, "Return a parcel", "## Pack it\n\nWell.\n\n## Send it\n\nSoon.\n\n## Wait\n\nA week.")
    says(desk, article, "Вернуть посылку", "Упакуйте.", language="ru")
    page = desk.client().get("/kb/en/return-a-parcel").text
    assert '<link rel="canonical" href="http://localhost/kb/en/return-a-parcel">' in page
    assert 'hreflang="ru" href="http://localhost/kb/ru/vernut-posylku"' in page and 'href="/kb/ru/vernut-posylku" lang="ru"' in page
    assert 'href="#s-send-it"' in page and 'id="s-send-it"' in page
    assert 'hreflang="x-default" href="http://localhost/kb/en/return-a-parcel"' in page
    sitemap = desk.client().get("/sitemap.xml").text
    assert "http://localhost/kb/en/return-a-parcel" in sitemap and 'hreflang="ru"' in sitemap
    assert "Disallow: /t/" in desk.client().get("/robots.txt").text


def test_a_former_address_leads_to_the_present_one(desk: TestDesk) -> None:
    article = writes(desk, "Old name")
    with db.transaction() as session:
        about.readdress(session.get_one(Article, article.id), "en", "new-name", by=Actor("user", desk.people.dana))
    answer = desk.client().get("/kb/en/old-name")
    assert (answer.status_code, answer.location) == (301, "/kb/en/new-name")
    assert desk.client().get("/kb/ru/old-name").status_code == 404


@pytest.mark.parametrize("audience", [Audience.AGENTS, Audience.ORGANIZATIONS])
def test_whom_an_article_is_not_meant_for_finds_nothing_at_its_address(desk: TestDesk, audience: Audience) -> None:
    writes(desk, "Not for you", "Hidden words", audience=audience)
    for reader in (desk.client(), desk.client(account(desk.people.oleg, name="Oleg", email="o@x.example"))):
        for path in ("/", "/kb", "/kb/search?q=hidden", "/kb/suggest?q=hid", "/sitemap.xml"):
            assert "Not for you" not in reader.get(path).text
        assert reader.get("/kb/en/not-for-you").status_code == 404
        assert reader.post("/kb/en/not-for-you/feedback", data={"csrf_token": token(reader), "helpful": "yes"}).status_code == 404
    assert desk.client(desk.people.alice).get("/kb/en/not-for-you").status_code == 200


def test_withdrawn_and_unpublished_articles_have_no_address(desk: TestDesk) -> None:
    article = writes(desk, "Gone soon")
    withdraws(desk, article)
    with db.transaction():
        draft = articles.create(by=Actor("user", desk.people.dana))
        articles.save_draft(draft, "en", title="Not yet", body="x", by=Actor("user", desk.people.dana))
    assert desk.client().get("/kb/en/gone-soon").status_code == desk.client().get("/kb/en/not-yet").status_code == 404


def test_readers_say_whether_it_helped_without_signing_in_and_may_change_their_mind(desk: TestDesk) -> None:
    article = writes(desk, "Return a parcel")
    reader, other = desk.client(), desk.client()
    url = "/kb/en/return-a-parcel/feedback"
    assert reader.post(url, data={"csrf_token": token(reader), "helpful": "no"}).status_code == 303
    assert "What was missing or wrong?" in reader.get("/kb/en/return-a-parcel").text
    reader.post(url, data={"csrf_token": token(reader), "helpful": "no", "reason": "No <b>picture</b>"})
    assert verdicts() == [(False, "No <b>picture</b>")]
    reader.post(url, data={"csrf_token": token(reader), "helpful": "yes"})
    other.post(url, data={"csrf_token": token(other), "helpful": "yes"})
    assert verdicts() == [(True, ""), (True, "")]
    with db.read() as session:
        row = session.get_one(Article, article.id)
        assert (row.helpful, row.unhelpful) == (2, 0)


def test_feedback_from_another_page_is_refused(desk: TestDesk) -> None:
    writes(desk, "Return a parcel")
    assert desk.client().post("/kb/en/return-a-parcel/feedback", data={"helpful": "no"}).status_code == 400
    assert desk.client().get("/kb/en/return-a-parcel/feedback").status_code == 405
    assert verdicts() == []


def test_the_script_gets_only_the_part_that_changed(desk: TestDesk) -> None:
    writes(desk, "Return a parcel")
    reader = desk.client()
    sent = {"csrf_token": token(reader), "helpful": "yes"}
    part = reader.post("/kb/en/return-a-parcel/feedback", data=sent, headers={"HX-Request": "true"}).text
    assert 'id="helped"' in part and "<html" not in part


def test_nothing_found_helps_on_and_takes_the_words_into_the_form(desk: TestDesk) -> None:
    writes(desk, "Return a parcel")
    page = desk.client().get("/kb/search?q=teleporter+%3Cb%3E").text
    assert "Nothing found" in page and "<b>”" not in page and "What helped others" in page
    assert 'href="/requests/new?subject=teleporter' in page
    assert 'value="teleporter &lt;b&gt;"' in desk.client().get("/requests/new?subject=teleporter+<b>").text


def test_odd_questions_are_answered_calmly(desk: TestDesk) -> None:
    writes(desk, "Return a parcel")
    reader = desk.client()
    for asked in ("", "   ", "NOT id:1 *", "(" * 500, "the and of", "🙂", "a" * 10_000, "пароль?", "e\u0301", "\x00return"):
        assert reader.get("/kb/search", query_string={"q": asked}).status_code == 200
        assert reader.get("/kb/suggest", query_string={"q": asked}).status_code == 200


def test_a_slip_of_the_finger_still_finds_and_says_what_was_meant(desk: TestDesk) -> None:
    for title in ("Return a parcel", "Return a kettle", "Return policy"):
        writes(desk, title)
    page = desk.client().get("/kb/search?q=retrun+parcel").text
    assert "return-a-parcel" in page


def test_suggestions_are_also_there_for_programs(desk: TestDesk) -> None:
    writes(desk, "Return a parcel")
    answer = desk.client().get("/kb/suggest?q=ret", headers={"Accept": "application/json"})
    assert answer.json == {"items": [{"title": "Return a parcel", "language": "en", "url": "/kb/en/return-a-parcel"}]}
    assert desk.client().get("/kb/suggest?q=x", headers={"Accept": "application/json"}).json == {"items": []}


def test_topics_and_the_list_name_their_other_language_and_an_empty_topic_asks_not_to_be_listed(desk: TestDesk) -> None:
    with db.transaction():
        by = Actor("user", desk.people.dana)
        returns = categories.add(name_en="Returns", name_ru="Возвраты", by=by)
        categories.add(name_en="Nothing", name_ru="Ничего", by=by)
    writes(desk, "Return a parcel", category_id=returns.id)
    client = desk.client()
    for path in ("/kb", "/kb/topics/returns"):
        page = client.get(path, headers={"Accept-Language": "en"}).text
        assert f'<link rel="canonical" href="http://localhost{path}?lang=en">' in page
        assert (
            f'hreflang="ru" href="http://localhost{path}?lang=ru"' in page and f'hreflang="x-default" href="http://localhost{path}"' in page
        )
    assert 'content="noindex"' in client.get("/kb/topics/nothing").text and 'rel="canonical"' not in client.get("/kb/topics/nothing").text
    sitemap = client.get("/sitemap.xml").text
    assert "<loc>http://localhost/kb/topics/returns?lang=en</loc>" in sitemap and "topics/nothing" not in sitemap
