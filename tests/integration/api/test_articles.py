"""Articles through the API: who reads what, who writes, who publishes."""

from __future__ import annotations

from typing import Any

from helpdesk import db
from helpdesk.actor import SYSTEM
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact
from helpdesk.kb import search
from helpdesk.kb.models import Category
from tests.desks import TestDesk
from tests.integration.api.programs import customer, program


def words(
    language: str = "en", title: str = "Reset your password", body: str = "Press **Forgotten**.", *, publish: bool = True
) -> dict[str, Any]:
    return {"language": language, "title": title, "body": body, "publish": publish}


def test_dana_publishes_an_article_in_two_languages_and_everybody_reads_it(desk: TestDesk) -> None:
    with db.transaction() as session:
        topic = Category(slug="accounts", name_en="Accounts", name_ru="Учётные записи")
        session.add(topic)
        session.flush()
        category = topic.id
    dana = program(desk, desk.people.dana)
    wish = {"translations": [words(), words("ru", "Сброс пароля", "Нажмите «Забыли».")], "category_id": category, "tags": ["Login"]}
    made = dana.post("/articles", wish)
    assert made.status_code == 201 and made.json["tags"] == ["login"] and made.json["category"]["name"] == "Accounts"
    carol = program(desk, customer(desk.people.carol, "Carol"))
    shown = carol.get(f"/articles/{made.json['id']}").json
    assert [(one["language"], one["title"], one["draft_body"]) for one in shown["translations"]] == [
        ("en", "Reset your password", None),
        ("ru", "Сброс пароля", None),
    ]
    listed = carol.get("/articles?language=ru&category=accounts").json["items"]
    assert [one["id"] for one in listed] == [made.json["id"]] and listed[0]["translations"][0]["body"] is None
    assert carol.get("/articles?category=other").json["items"] == []


def test_agents_write_drafts_and_leads_publish_them(desk: TestDesk) -> None:
    alice, dana = program(desk, desk.people.alice), program(desk, desk.people.dana)
    assert alice.post("/articles", {"translations": [words()]}).status_code == 403
    made = alice.post("/articles", {"translations": [words(publish=False)]})
    path = f"/articles/{made.json['id']}"
    assert made.status_code == 201 and made.json["translations"][0]["revision"] is None
    carol = program(desk, customer(desk.people.carol, "Carol"))
    assert carol.get(path).json == carol.get("/articles/999").json
    assert carol.get("/articles").json["items"] == []
    assert alice.patch(path, {"tags": ["new"]}).status_code == 200
    assert alice.patch(path, {"translations": [words()]}).status_code == 403
    assert dana.patch(path, {"translations": [words()]}).json["translations"][0]["revision"] == 1
    assert carol.get(path).status_code == 200
    assert alice.patch(path, {"audience": "agents"}).status_code == 403
    assert alice.patch(path, {"withdrawn": True}).status_code == 403
    draft = alice.patch(path, {"translations": [words(body="Better.", publish=False)]}).json["translations"][0]
    assert (draft["body"], draft["draft_body"]) == ("Press **Forgotten**.", "Better.")
    assert dana.patch(path, {"withdrawn": True}).json["withdrawn_at"]
    assert carol.get(path).status_code == 404 and alice.get(path).status_code == 200
    assert carol.patch(path, {"tags": []}).status_code == 404
    assert carol.post("/articles", {"translations": [words(publish=False)]}).status_code == 403


def test_an_article_for_one_company_or_for_colleagues_is_for_nobody_else(desk: TestDesk) -> None:
    with db.transaction() as session:
        acme = contacts.add_organization("Acme", by=SYSTEM)
        session.get_one(Contact, desk.people.carol).organization_id = acme.id
    dana = program(desk, desk.people.dana)
    theirs = dana.post("/articles", {"translations": [words()], "audience": "organizations", "organizations": [acme.id]}).json["id"]
    ours = dana.post("/articles", {"translations": [words()], "audience": "agents"}).json["id"]
    carol, oleg = program(desk, customer(desk.people.carol, "Carol")), program(desk, customer(desk.people.oleg, "Oleg"))
    assert [carol.get(f"/articles/{id}").status_code for id in (theirs, ours)] == [200, 404]
    assert [oleg.get(f"/articles/{id}").status_code for id in (theirs, ours)] == [404, 404]
    assert [one["id"] for one in carol.get("/articles").json["items"]] == [theirs] and oleg.get("/articles").json["items"] == []


def test_who_saw_an_older_version_is_told(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    made = dana.post("/articles", {"translations": [words()]}).json
    path, seen = f"/articles/{made['id']}", f'"{made["version"]}"'
    assert dana.patch(path, {"tags": ["a"]}, headers={"If-Match": seen}).status_code == 200
    assert dana.patch(path, {"tags": ["b"]}, headers={"If-Match": seen}).status_code == 409
    assert dana.get(path).json["tags"] == ["a"]


def test_wrong_fields_are_refused_by_name_and_nothing_is_begun(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    for wish, field in (
        ({"translations": []}, "translations"),
        ({"translations": [words("de")]}, "translations.0.language"),
        ({"translations": [words(title=" ")]}, "translations.0.title"),
        ({"translations": [words(), words()]}, "translations"),
        ({"translations": [{**words(), "html": "x"}]}, "translations.0.html"),
        ({"translations": [words()], "audience": "everyone"}, "audience"),
        ({"translations": [words()], "audience": "organizations"}, "organizations"),
        ({"translations": [words()], "audience": "organizations", "organizations": [99]}, "organizations"),
        ({"translations": [words()], "category_id": 99}, "category_id"),
        ({"translations": [words()], "views": 1000}, "views"),
    ):
        answer = dana.post("/articles", wish)
        assert answer.status_code == 422 and answer.json["errors"][0]["field"] == field, wish
    assert dana.get("/articles").json["items"] == []
    assert dana.post("/articles", {"translations": [words()], "external_id": "old-1"}).status_code == 201
    assert dana.post("/articles", {"translations": [words()], "external_id": "old-1"}).status_code == 409


def test_the_search_is_the_pages_own_and_answers_only_with_what_the_reader_may_read(desk: TestDesk) -> None:
    dana = program(desk, desk.people.dana)
    public = dana.post("/articles", {"translations": [words()]}).json["id"]
    dana.post("/articles", {"translations": [words(title="Reset passwords of customers")], "audience": "agents"})
    carol = program(desk, customer(desk.people.carol, "Carol"))
    with desk.app.app_context():
        search.engine().rebuild()
    answer = carol.get("/articles/search?q=password reset").json
    assert [one["article"] for one in answer["items"]] == [public]
    assert answer["items"][0]["title"] == "Reset your password" and answer["items"][0]["url"].endswith(f"/articles/{public}")
    assert len(dana.get("/articles/search?q=password reset").json["items"]) == 2
    assert carol.get("/articles/search").json["errors"][0]["field"] == "q"
    assert carol.get("/articles/search?q=%20").status_code == 422
