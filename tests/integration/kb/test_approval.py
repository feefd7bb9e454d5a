"""From a draft to its readers: who may approve, what comes back, and what appears by itself when its time comes."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import select

from helpdesk import clock, db
from helpdesk.auth import User
from helpdesk.crm.models import Organization
from helpdesk.events import Event
from helpdesk.kb.models import Article, Revision, Translation
from tests.desks import TestDesk
from tests.integration.kb.shelf import says, writes
from tests.integration.portal.visitors import hidden, token, typed


def begun(desk: TestDesk, title: str = "Return a parcel", body: str = "Pack it.", **values: str) -> str:
    """Alice's draft; the address of its editor."""
    alice = desk.client(desk.people.alice)
    sent = {"csrf_token": token(alice), "language": "en", "title": title, "body": body, "deed": "save", **values}
    made = alice.post("/kb/manage/new", data=sent)
    assert made.status_code == 303
    return str(made.location)


def draft(url: str) -> Translation:
    with db.read() as session:
        return session.scalars(select(Translation).where(Translation.article_id == int(url.split("/")[3]))).one()


def test_an_agent_sends_a_draft_for_review_and_it_comes_back_with_a_reason(desk: TestDesk) -> None:
    url = begun(desk, deed="review")
    alice, dana = desk.client(desk.people.alice), desk.client(desk.people.dana)
    assert draft(url).sent_by_id == desk.people.alice and "in review" in alice.get("/kb/manage").text
    assert "Return a parcel" in dana.get("/kb/manage?state=waiting").text
    assert dana.post(f"{url}/return", data={"csrf_token": token(dana), "returned_note": " "}).status_code == 422
    assert dana.post(f"{url}/return", data={"csrf_token": token(dana), "returned_note": "Say where the label is."}).status_code == 303
    assert draft(url).sent_at is None and "Say where the label is." in alice.get(url).text
    assert dana.post(f"{url}/return", data={"csrf_token": token(dana), "returned_note": "Again"}).status_code == 409
    assert "Return a parcel" not in dana.get("/kb/manage?state=waiting").text


def test_only_who_may_publish_returns_plans_or_takes_a_date_back(desk: TestDesk) -> None:
    url = begun(desk, deed="review")
    alice = desk.client(desk.people.alice)
    sent = {"csrf_token": token(alice), "title": "Return a parcel", "body": "Pack it.", "deed": "schedule", "publish_at": "2030-01-01T10"}
    assert alice.post(url, data=sent).status_code == 403
    for what in ("return", "unscheduling"):
        assert alice.post(f"{url}/{what}", data={"csrf_token": token(alice), "returned_note": "No"}).status_code == 403
    assert draft(url).publish_at is None and draft(url).sent_at is not None


def test_what_was_planned_appears_at_its_time_by_itself(desk: TestDesk, stopped: clock.Hand) -> None:
    url = begun(desk)
    dana = desk.client(desk.people.dana)
    sent = {"csrf_token": token(dana), "title": "Return a parcel", "body": "Pack it.", "deed": "schedule", "note": "Spring prices"}
    assert dana.post(url, data={**sent, "publish_at": "soon"}).status_code == 422
    assert dana.post(url, data={**sent, "publish_at": "2026-03-01T10:00"}).status_code == 422
    assert dana.post(url, data={**sent, "publish_at": "2026-03-02T12:00"}).status_code == 303
    assert draft(url).publish_at == datetime(2026, 3, 2, 12, tzinfo=UTC) and "planned" in dana.get("/kb/manage?state=planned").text
    stopped.move(minutes=119)
    desk.work()
    assert draft(url).published_revision is None and desk.client().get("/kb/en/return-a-parcel").status_code == 404
    stopped.move(minutes=1)
    desk.work()
    desk.work()
    assert draft(url).published_revision == 1 and draft(url).publish_at is None
    assert "Pack it." in desk.client().get("/kb/en/return-a-parcel").text
    with db.read() as session:
        revision = session.scalars(select(Revision)).one()
        assert (revision.by_user_id, revision.note) == (desk.people.dana, "Spring prices")
        assert len(session.scalars(select(Event).where(Event.kind == "article_published")).all()) == 1


def test_a_date_is_meant_on_the_planners_own_clock(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        session.get_one(User, desk.people.dana).time_zone = "Europe/Moscow"
    url, dana = begun(desk), desk.client(desk.people.dana)
    sent = {"csrf_token": token(dana), "title": "Return a parcel", "body": "Pack it.", "deed": "schedule"}
    dana.post(url, data={**sent, "publish_at": "2026-03-02T18:00"})
    assert draft(url).publish_at == datetime(2026, 3, 2, 15, tzinfo=UTC) and "18:00" in dana.get(url).text


def test_words_that_nobody_approved_never_appear_by_themselves(desk: TestDesk, stopped: clock.Hand) -> None:
    url = begun(desk)
    dana, alice = desk.client(desk.people.dana), desk.client(desk.people.alice)
    sent = {"csrf_token": token(dana), "title": "Return a parcel", "body": "Pack it.", "deed": "schedule", "publish_at": "2026-03-02T12:00"}
    dana.post(url, data=sent)
    alice.post(url, data={"csrf_token": token(alice), "title": "Return a parcel", "body": "Burn it.", "deed": "save"})
    assert draft(url).publish_at is None
    stopped.move(minutes=180)
    desk.work()
    assert draft(url).published_revision is None


def test_a_date_is_moved_taken_back_and_ends_with_a_withdrawal(desk: TestDesk, stopped: clock.Hand) -> None:
    article = writes(desk, "Return a parcel", "Pack it.")
    says(desk, article, "Return a parcel", "Pack it well.", publish=False)
    url, dana = f"/kb/manage/{article.id}/en", desk.client(desk.people.dana)
    sent = {"csrf_token": token(dana), "title": "Return a parcel", "body": "Pack it well.", "deed": "schedule"}
    for hour in (14, 11):
        dana.post(url, data={**sent, "publish_at": f"2026-03-02T{hour}:00"})
    stopped.move(minutes=60)
    desk.work()
    assert draft(url).body == "Pack it well." and draft(url).published_revision == 2
    says(desk, article, "Return a parcel", "Pack it twice.", publish=False)
    dana.post(url, data={**sent, "body": "Pack it twice.", "publish_at": "2026-03-02T15:00"})
    dana.post(f"{url}/unscheduling", data={"csrf_token": token(dana)})
    assert draft(url).publish_at is None
    dana.post(url, data={**sent, "body": "Pack it twice.", "publish_at": "2026-03-02T15:00"})
    dana.post(f"/kb/manage/{article.id}/withdrawal", data={"csrf_token": token(dana)})
    stopped.move(minutes=600)
    desk.work()
    assert draft(url).published_revision == 2 and desk.client().get("/kb/en/return-a-parcel").status_code == 404


def test_a_draft_is_kept_while_it_is_written_and_a_conflict_is_told(desk: TestDesk) -> None:
    url = begun(desk)
    alice, dana = desk.client(desk.people.alice), desk.client(desk.people.dana)
    seen = hidden(alice.get(url).text, "version")
    sent = {"csrf_token": token(alice), "title": "Return a parcel", "body": "Pack it w", "version": seen}
    kept = alice.put(f"{url}/draft", data=sent)
    assert kept.status_code == 200 and draft(url).draft_body == "Pack it w"
    again = alice.put(f"{url}/draft", data={**sent, "body": "Pack it well", "version": kept.get_json()["version"]})
    assert again.status_code == 200 and draft(url).published_revision is None
    late = dana.put(f"{url}/draft", data={**sent, "csrf_token": token(dana), "body": "Mine", "version": seen})
    assert late.status_code == 409 and "Somebody else edited" in late.get_json()["trouble"]
    assert draft(url).draft_body == "Pack it well"
    assert alice.put(f"{url}/draft", data={**sent, "title": "x" * 400, "version": again.get_json()["version"]}).status_code == 422


def test_an_article_is_looked_at_again_as_often_as_was_set(desk: TestDesk, stopped: clock.Hand) -> None:
    article = writes(desk, "Return a parcel", owner_id=desk.people.alice)
    dana, alice, bob = (desk.client(id) for id in (desk.people.dana, desk.people.alice, desk.people.bob))
    about = {"csrf_token": token(dana), "language": "en", "audience": "public", "owner": str(desk.people.alice)}
    dana.post(f"/kb/manage/{article.id}/about", data={**about, "review_at": "2026-03-01", "review_days": "30"})
    assert "Return a parcel" in alice.get("/kb/manage?state=review&owner=me").text
    assert bob.post(f"/kb/manage/{article.id}/look", data={"csrf_token": token(bob)}).status_code == 403
    assert alice.post(f"/kb/manage/{article.id}/look", data={"csrf_token": token(alice)}).status_code == 303
    with db.read() as session:
        assert session.get_one(Article, article.id).review_at == datetime(2026, 4, 1, 10, tzinfo=UTC)
    assert "Nothing found" in alice.get("/kb/manage?state=review&owner=me").text


def test_the_other_language_stands_beside_with_what_changed_there(desk: TestDesk) -> None:
    article = writes(desk, "Return", "Pack it in a box.\n\nSend it.")
    says(desk, article, "Возврат", "Упакуйте.", language="ru")
    says(desk, article, "Return", "Pack it in a big box.\n\nSend it.")
    page = desk.client(desk.people.dana).get(f"/kb/manage/{article.id}/ru?beside=1").text
    assert "What has changed there since" in page and "<mark>big </mark>" in page
    assert typed(page, "body") == "Упакуйте." and "Pack it in a big box." in page


def test_chosen_related_articles_come_first_and_hidden_ones_not_at_all(desk: TestDesk) -> None:
    article, other, secret = writes(desk, "Return a parcel"), writes(desk, "Opening hours"), writes(desk, "Limits", audience="agents")  # type: ignore[arg-type]
    dana = desk.client(desk.people.dana)
    about = {"csrf_token": token(dana), "language": "en", "audience": "public", "related": f"{secret.id}, {other.id}, {article.id}, 99999"}
    assert dana.post(f"/kb/manage/{article.id}/about", data=about).status_code == 303
    page = desk.client().get("/kb/en/return-a-parcel").text
    assert "Opening hours" in page and "Limits" not in page
    assert "Limits" in dana.get("/kb/en/return-a-parcel").text


def test_related_articles_are_found_by_words_and_ticked_with_and_without_scripts(desk: TestDesk) -> None:
    article, pay, hours = writes(desk, "Return a parcel"), writes(desk, "Ways to pay"), writes(desk, "Opening hours")
    dana = desk.client(desk.people.dana)
    url = f"/kb/manage/{article.id}"
    part = dana.get(f"{url}/en/related?related={hours.id}&related_words=ways+to+p").text
    assert ticked(part) == [str(hours.id)] and f'value="{pay.id}"' in part and "<html" not in part
    assert "Nothing found" in dana.get(f"{url}/en/related?related_words=xyzzy").text
    assert f'value="{article.id}"' not in dana.get(f"{url}/en/related?related_words=return").text
    about = {"csrf_token": token(dana), "language": "en", "audience": "public", "tags": "half typed"}
    page = dana.post(f"{url}/about", data={**about, "deed": "find", "related": ["", str(hours.id)], "related_words": "ways to pay"}).text
    assert ticked(page) == [str(hours.id)] and f'value="{pay.id}"' in page and typed(page, "tags") == "half typed"
    dana.post(f"{url}/about", data={**about, "related": ["", str(hours.id), str(pay.id)]})
    assert ticked(dana.get(f"{url}/en").text) == [str(hours.id), str(pay.id)]
    dana.post(f"{url}/about", data={**about, "related": [""]})
    assert ticked(dana.get(f"{url}/en").text) == []


def ticked(page: str) -> list[str]:
    """The articles that are ticked as related."""
    return re.findall(r'name="related" value="(\d+)" checked', page)


def test_a_refused_form_keeps_the_companies_that_were_chosen(desk: TestDesk) -> None:
    article = writes(desk, "Return a parcel")
    with db.transaction() as session:
        firm = Organization(name="Cups Ltd")
        session.add(firm)
    dana = desk.client(desk.people.dana)
    about = {"csrf_token": token(dana), "language": "en", "audience": "organizations", "organizations": [str(firm.id)], "review_at": "soon"}
    page = dana.post(f"/kb/manage/{article.id}/about", data=about)
    assert page.status_code == 422 and f'<option value="{firm.id}" selected>Cups Ltd' in page.text


def test_a_template_is_kept_by_leads_and_begins_an_article(desk: TestDesk) -> None:
    dana, alice = desk.client(desk.people.dana), desk.client(desk.people.alice)
    sent = {"csrf_token": token(dana), "name": "How to", "language": "en", "title": "How to …", "body": "## Before\n\n## Steps"}
    assert alice.post("/kb/manage/templates", data={**sent, "csrf_token": token(alice)}).status_code == 403
    assert dana.post("/kb/manage/templates", data={**sent, "body": ""}).status_code == 422
    assert dana.post("/kb/manage/templates", data=sent).status_code == 303
    again = dana.post("/kb/manage/templates", data=sent)
    assert again.status_code == 422 and typed(again.text, "body") == "## Before\n\n## Steps"
    page = alice.get("/kb/manage/templates").text
    assert "How to" in page and "New template" not in page
    assert typed(alice.get("/kb/manage/new?language=en&template=1").text, "body") == "## Before\n\n## Steps"
    assert alice.get("/kb/manage/new?template=77").status_code == 404
    dana.post("/kb/manage/templates", data={**sent, "id": "1", "name": "Guide"})
    dana.post("/kb/manage/templates", data={"csrf_token": token(dana), "id": "1", "deed": "remove"})
    assert "No templates yet" in dana.get("/kb/manage/templates").text


def test_a_picture_pasted_into_the_text_is_kept_and_answered_as_markdown(desk: TestDesk) -> None:
    from io import BytesIO

    article = writes(desk, "Return")
    alice = desk.client(desk.people.alice)
    files = [(BytesIO(b"\x89PNG\r\n\x1a\n0000"), "shot [1].png"), (BytesIO(b"%PDF-1.4"), "form.pdf")]
    answer = alice.post(
        f"/kb/manage/{article.id}/files", data={"csrf_token": token(alice), "files": files}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 201
    assert answer.get_json()["files"] == ["![shot (1).png](/kb/files/1)", "[form.pdf](/kb/files/2)"]
