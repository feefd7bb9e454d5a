"""Customers who sign in: their own requests, their company's for those allowed, their data."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from helpdesk import auth, clock, db
from helpdesk.actor import SYSTEM, Actor
from helpdesk.auth import Role, User
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Identity, Membership
from helpdesk.events import Event
from helpdesk.tickets import calendars, lifecycle, thread
from helpdesk.tickets.models import Queue, Status, Ticket
from helpdesk.tickets.topics import editing
from helpdesk.tickets.topics.editing import TopicShape
from tests import people
from tests.desks import TestDesk
from tests.integration.portal.visitors import account, hidden, token


def at_one_company(*people_ids: int, sees_all: int) -> int:
    with db.transaction() as session:
        company = contacts.add_organization("Jones Ltd", by=SYSTEM)
        for contact_id in people_ids:
            session.get_one(Contact, contact_id).organization_id = company.id
            session.add(Membership(contact_id=contact_id, organization_id=company.id, sees_all_tickets=contact_id == sees_all))
        return company.id


def test_carol_sees_her_requests_and_not_olegs(desk: TestDesk) -> None:
    people.writes(desk.people.carol, inbox=desk.people.portal, subject="Carol asks")
    theirs = people.writes(desk.people.oleg, inbox=desk.people.portal, subject="Oleg asks")
    carol = desk.client(account(desk.people.carol))
    page = carol.get("/my").text
    assert "Carol asks" in page and "Oleg asks" not in page
    csrf = token(carol)
    for path, method in (("", "get"), ("/messages", "post"), ("/solution", "post"), ("/reopening", "post")):
        answer = getattr(carol, method)(f"/my/requests/{theirs.number}{path}", data={"csrf_token": csrf, "body": "x"})
        assert answer.status_code == 404, path
    assert carol.get("/my/requests/999999").status_code == 404


def test_strangers_sign_in_first_and_colleagues_have_no_requests_here(desk: TestDesk) -> None:
    assert desk.client().get("/my").status_code == 303
    assert desk.client(desk.people.alice).get("/my").status_code == 404


def test_who_may_sees_the_whole_companys_requests_and_who_may_not_does_not(desk: TestDesk) -> None:
    at_one_company(desk.people.carol, desk.people.oleg, sees_all=desk.people.carol)
    theirs = people.writes(desk.people.oleg, inbox=desk.people.portal, subject="Oleg asks")
    ours = people.writes(desk.people.carol, inbox=desk.people.portal, subject="Carol asks")
    carol = desk.client(account(desk.people.carol))
    assert "Oleg asks" not in carol.get("/my").text
    assert "Oleg asks" in carol.get("/my?whose=company").text
    assert carol.get(f"/my/requests/{theirs.number}").status_code == 200
    assert carol.post(f"/my/requests/{theirs.number}/solution", data={"csrf_token": token(carol)}).status_code == 403
    oleg = desk.client(account(desk.people.oleg, name="Oleg", email="oleg@klient.example"))
    assert "Carol asks" not in oleg.get("/my?whose=company").text
    assert oleg.get(f"/my/requests/{ours.number}").status_code == 404


def test_searching_finds_words_and_numbers_but_never_what_a_note_says(desk: TestDesk, stopped: clock.Hand) -> None:
    first = people.writes(desk.people.carol, "The blue parcel is lost.", inbox=desk.people.portal, subject="Parcel")
    people.writes(desk.people.carol, "Change my address.", inbox=desk.people.portal, subject="Address")
    with db.transaction() as session:
        thread.note(session.get_one(Ticket, first.id), "Possibly fraudulent.", by=Actor("user", desk.people.alice))
    carol = desk.client(account(desk.people.carol))
    assert "Parcel</b>" in carol.get("/my?q=blue+parcels").text and "Address</b>" not in carol.get("/my?q=blue+parcels").text
    assert "Parcel</b>" in carol.get(f"/my?q={first.number}").text
    assert "Nothing found" in carol.get("/my?q=fraudulent").text
    assert "Nothing found" in carol.get("/my?state=solved").text


def test_a_long_list_is_turned_page_by_page_and_each_request_stands_once(desk: TestDesk, stopped: clock.Hand) -> None:
    for number in range(30):
        people.writes(desk.people.carol, inbox=desk.people.portal, subject=f"Request no {number:02d}")
        stopped.move(seconds=1)
    carol = desk.client(account(desk.people.carol))
    first = carol.get("/my").text
    assert "Request no 29" in first and "Request no 04" not in first
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = carol.get(following).text
    assert "Request no 04" in second and "Request no 05" not in second and 'rel="next"' not in second
    assert carol.get("/my?after=rubbish").status_code == 422


def test_an_answer_from_the_account_is_the_persons_own(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    carol = desk.client(user := account(desk.people.carol))
    answer = carol.post(f"/my/requests/{ticket.number}/messages", data={"csrf_token": token(carol), "body": "More words."})
    assert answer.status_code == 303 and "More words." in carol.get(answer.location).text
    with db.read() as session:
        event = session.scalars(select(Event).where(Event.kind == "customer_wrote")).one()
    assert (event.actor_kind, event.actor_id, event.contact_id) == ("user", user, desk.people.carol)


def test_the_profile_changes_name_language_and_zone_and_refuses_nonsense(desk: TestDesk) -> None:
    carol = desk.client(account(desk.people.carol))
    sent = {"csrf_token": token(carol), "name": "Carol Jones-Smith", "language": "ru", "time_zone": "Asia/Tokyo"}
    assert carol.post("/my/profile", data={**sent, "time_zone": "Mars/Base"}).status_code == 422
    assert carol.post("/my/profile", data={**sent, "language": "tlh"}).status_code == 422
    assert carol.post("/my/profile", data=sent).status_code == 303
    with db.read() as session:
        me = session.get_one(Contact, desk.people.carol)
        assert (me.name, me.language, me.time_zone, me.survey_allowed) == ("Carol Jones-Smith", "ru", "Asia/Tokyo", False)
    carol.post("/my/profile", data={**sent, "surveys": "1"})
    with db.read() as session:
        assert session.get_one(Contact, desk.people.carol).survey_allowed


def test_own_data_holds_everything_of_carol_and_nothing_of_others(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, "My canary is yellow.", inbox=desk.people.portal)
    people.writes(desk.people.oleg, "Olegs canary is red.", inbox=desk.people.portal)
    with db.transaction() as session:
        mine = session.get_one(Ticket, ticket.id)
        thread.note(mine, "A note canary.", by=Actor("user", desk.people.alice))
        thread.reply(mine, "An answer.", by=Actor("user", desk.people.alice), then=Status.SOLVED)
    carol = desk.client(account(desk.people.carol))
    assert "An answer." not in carol.get("/my/data.json").text
    stopped.move(minutes=1)
    answer = carol.get("/my/data.json")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    data = json.loads(answer.text)
    assert data["person"]["name"] == "Carol Jones" and data["addresses"][0]["value"] == "carol@customer.example"
    assert [message["text"] for message in data["requests"][0]["messages"]] == ["My canary is yellow.", "An answer."]
    assert "note canary" not in answer.text and "red" not in answer.text
    assert desk.client().get("/my/data.json").status_code == 303


@pytest.mark.parametrize("path", ["/my", "/my/profile", "/my/data", "/my/data.json"])
def test_an_agents_account_gets_nothing_of_a_customers_pages(desk: TestDesk, path: str) -> None:
    assert desk.client(desk.people.bob).get(path).status_code == 404


def test_the_list_is_put_in_another_order_and_each_order_turns_its_pages(desk: TestDesk, stopped: clock.Hand) -> None:
    made = []
    for number in range(27):
        made.append(people.writes(desk.people.carol, inbox=desk.people.portal, subject=f"Request no {number:02d}"))
        stopped.move(seconds=1)
    people.answers(made[0], desk.people.carol)
    carol = desk.client(account(desk.people.carol))

    def order(path: str) -> tuple[list[str], str]:
        page = carol.get(path).text
        following = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&") if 'rel="next"' in page else ""
        return re.findall(r"Request no (\d\d)", page), following

    for sort, expected in (("", [0, *range(26, 0, -1)]), ("newest", list(range(26, -1, -1))), ("oldest", list(range(27)))):
        first, following = order(f"/my?sort={sort}")
        second, _end = order(following)
        assert [int(word) for word in first + second] == expected, sort
    assert carol.get("/my?sort=rubbish&topic=none&person=x").status_code == 200


def test_the_companys_requests_are_narrowed_to_a_person_and_only_to_one_of_the_company(desk: TestDesk) -> None:
    at_one_company(desk.people.carol, desk.people.oleg, sees_all=desk.people.carol)
    people.writes(desk.people.oleg, inbox=desk.people.portal, subject="Oleg asks")
    people.writes(desk.people.carol, inbox=desk.people.portal, subject="Carol asks")
    carol = desk.client(account(desk.people.carol))
    page = carol.get(f"/my?whose=company&person={desk.people.oleg}").text
    assert "Oleg asks" in page and "Carol asks" not in page
    mine = carol.get(f"/my?person={desk.people.oleg}").text
    assert "Carol asks" in mine and "Oleg asks" not in mine


def test_a_request_is_found_by_its_topic(desk: TestDesk) -> None:
    with db.transaction():
        topic = editing.add_topic(TopicShape("Delivery", queue_id=desk.people.support), by=Actor("user", desk.people.ada))
    people.writes(desk.people.carol, inbox=desk.people.portal, subject="Where is it", topic_id=topic.id)
    people.writes(desk.people.carol, inbox=desk.people.portal, subject="Something else")
    page = desk.client(account(desk.people.carol)).get("/my?topic=delivery").text
    assert "Where is it" in page and "Something else" not in page


def test_the_page_says_when_the_promised_time_stands_still_and_when_we_are_back(desk: TestDesk, stopped: clock.Hand) -> None:
    with db.transaction() as session:
        weekly = {day: [["09:00", "17:00"]] for day in range(5)}
        hours = calendars.add(calendars.Shape("Office", "Europe/Berlin", weekly), by=Actor("user", desk.people.ada))
        session.flush()
        session.get_one(Queue, desk.people.support).hours_id = hours.id
        session.get_one(Contact, desk.people.carol).time_zone = "Asia/Tokyo"
    stopped.move(hours=10)  # 21:00 in Berlin, Tuesday 05:00 in Tokyo
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal)
    carol = desk.client(account(desk.people.carol))
    page = carol.get(f"/my/requests/{ticket.number}").text
    assert "We will answer by 18:00 (Tokyo, UTC+09:00)" in page and "back at 17:00 (Tokyo, UTC+09:00)" in page
    with db.transaction() as session:
        lifecycle.set_status(session.get_one(Ticket, ticket.id), Status.PENDING, by=Actor("user", desk.people.alice))
    paused = carol.get(f"/my/requests/{ticket.number}").text
    assert "Until you answer, the time that we promised does not run." in paused and "We will answer by" not in paused


def test_how_and_when_carol_likes_to_be_reached_is_hers_to_say_and_nonsense_is_refused(desk: TestDesk) -> None:
    carol = desk.client(account(desk.people.carol))
    sent = {"csrf_token": token(carol), "name": "Carol Jones", "preferred_channel": "phone", "reach_from": "09:00", "reach_until": "17:30"}
    for wrong in ({"preferred_channel": "pigeon"}, {"reach_from": "25:00"}, {"reach_until": "soon"}):
        refused = carol.post("/my/profile", data={**sent, **wrong})
        assert refused.status_code == 422 and "field-error" in refused.text
    assert carol.post("/my/profile", data=sent).status_code == 303
    with db.read() as session:
        me = session.get_one(Contact, desk.people.carol)
        assert (me.preferred_channel, me.reach_from, me.reach_until) == ("phone", "09:00", "17:30")


def test_the_page_of_own_data_shows_what_the_file_holds_and_nothing_of_others(desk: TestDesk, stopped: clock.Hand) -> None:
    ticket = people.writes(desk.people.carol, "My canary is yellow.", inbox=desk.people.portal)
    people.writes(desk.people.oleg, "Olegs canary is red.", inbox=desk.people.portal)
    with db.transaction() as session:
        thread.note(session.get_one(Ticket, ticket.id), "A note canary.", by=Actor("user", desk.people.alice))
    page = desk.client(account(desk.people.carol)).get("/my/data").text
    assert "My canary is yellow." in page and "carol@customer.example" in page
    assert "note canary" not in page and "red" not in re.sub(r"<[^>]+>", "", page)
    assert desk.client().get("/my/data").status_code == 303


def test_the_start_page_tells_search_engines_its_languages(desk: TestDesk) -> None:
    page = desk.client().get("/?lang=ru").text
    assert '<link rel="canonical" href="http://localhost/?lang=ru">' in page
    assert '<link rel="alternate" hreflang="en" href="http://localhost/?lang=en">' in page
    assert "<loc>http://localhost/?lang=en</loc>" in desk.client().get("/sitemap.xml").text


def test_a_customer_who_only_ever_wrote_signs_in_by_a_link_to_their_own_address(desk: TestDesk) -> None:
    ticket = people.writes(desk.people.carol, inbox=desk.people.portal, subject="Carol asks")
    visitor = desk.client()
    for _ in range(2):
        answer = visitor.post("/sign-in/link", data={"csrf_token": token(visitor), "email": "Carol@Customer.example"})
        assert answer.status_code == 200
    with db.transaction() as session:
        (made,) = session.scalars(select(User).where(User.contact_id == desk.people.carol))
        assert (made.email, made.role, made.password, made.name) == ("carol@customer.example", Role.CUSTOMER, None, "Carol Jones")
        link = "/sign-in/link/" + auth.issue_link(made, "signin", valid=timedelta(minutes=5))
    page = visitor.get(link).text
    assert visitor.post(link, data={"csrf_token": hidden(page, "csrf_token")}).status_code == 303
    assert "Carol asks" in visitor.get("/my").text and str(ticket.number) in visitor.get("/my").text


def test_no_account_is_made_for_strangers_for_shared_addresses_or_for_a_new_password(desk: TestDesk) -> None:
    with db.transaction() as session:
        session.scalars(select(Identity).where(Identity.contact_id == desk.people.oleg)).one().shared = True
    visitor = desk.client()
    answers = [
        visitor.post(path, data={"csrf_token": token(visitor), "email": email}).status_code
        for path, email in (
            ("/sign-in/link", "nobody@new.example"),
            ("/sign-in/link", "oleg@klient.example"),
            ("/password/forgotten", "carol@customer.example"),
        )
    ]
    assert answers == [200, 200, 200]
    with db.read() as session:
        assert session.scalars(select(User).where(User.role == Role.CUSTOMER)).all() == []
