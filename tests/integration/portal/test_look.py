"""The portal in a company's own look: colours that stay readable, a logo that is only a picture, words in both languages."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from helpdesk import db, files
from helpdesk.channels.portal import brand
from tests.desks import TestDesk
from tests.forms import Browser
from tests.integration.portal.visitors import dangers, typed

#: Colours, words and pictures are the same on any database.
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

LOOK = "/admin/portal/look"
WORDS = {
    "company": "Samovar & Co",
    "own_accent": "1",
    "accent": "#ffcc00",
    "own_header": "1",
    "header": "#204020",
    "welcome": "What can we do for you?",
    "welcome_ru": "Чем помочь?",
    "footer": "Open all day <b>long</b>",
    "links": "Shop | Магазин | https://shop.example\nImprint | /kb",
}


def picture() -> io.BytesIO:
    written = io.BytesIO()
    Image.new("RGB", (600, 600), "#1f5fd6").save(written, "PNG")
    written.seek(0)
    return written


def version(ada: Browser) -> str:
    found = re.search(r'name="version" value="(\w+)"', ada.open(LOOK).text)
    assert found
    return found[1]


def test_what_ada_chooses_is_what_customers_see_in_their_language(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    assert ada.send(LOOK, version=version(ada), **WORDS, logo=(picture(), "logo.png")).status_code == 303
    visitor = desk.client()
    page = visitor.get("/").text
    assert "What can we do for you?" in page and "Samovar &amp; Co" in page and "Open all day &lt;b&gt;long&lt;/b&gt;" in page
    assert '<a href="https://shop.example" rel="noopener">Shop</a>' in page and dangers(page) == []
    russian = visitor.get("/?lang=ru").text
    assert "Чем помочь?" in russian and ">Магазин</a>" in russian and ">Imprint</a>" in russian
    for path in ("/kb", "/requests/new", "/sign-in"):
        assert "/brand.css?v=" in visitor.get(path).text, path
    logo = re.search(r'<img src="(/brand/\w+\.png)"', page)
    assert logo
    sent = visitor.get(logo[1])
    assert sent.mimetype == "image/png" and sent.headers["X-Content-Type-Options"] == "nosniff"
    with Image.open(io.BytesIO(sent.data)) as shown:
        assert shown.size == (96, 96)


def test_colours_come_as_a_stylesheet_and_the_policy_needs_no_exception(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    ada.send(LOOK, version=version(ada), **WORDS)
    page = desk.client().get("/")
    css = re.search(r'href="(/brand\.css\?v=\w+)"', page.text)
    assert css and " style=" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "style-src 'self'" in policy and "unsafe-inline" not in policy
    sheet = desk.client().get(css[1])
    assert sheet.mimetype == "text/css" and "immutable" in sheet.headers["Cache-Control"]
    assert (
        "--head-ground: #204020; --head-ink: #ffffff;" in sheet.text and "#ffcc00" not in sheet.text.split("--accent-ink")[0].split(",")[0]
    )
    assert desk.client().get("/brand.css?v=other").headers["Cache-Control"] == "no-store"


def test_the_preview_follows_what_is_typed_and_says_what_was_corrected(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    shown = ada.send(f"{LOOK}/preview", page=LOOK, **WORDS)
    assert "would be hard to read on light grounds" in shown.text and "accent=%23ffcc00" in shown.text
    assert "easy to read" in ada.send(f"{LOOK}/preview", page=LOOK, **{**WORDS, "accent": "#1f5fd6"}).text
    css = ada.open("/admin/portal/look.css?accent=%23ffcc00&header=%23000000;}body{display:none").text
    assert css.startswith(".brand-preview {") and "body" not in css
    without_scripts = ada.send(LOOK, preview="1", version=version(ada), **WORDS)
    assert without_scripts.status_code == 200 and typed(without_scripts.text, "welcome") == "What can we do for you?"
    assert "What can we do" not in desk.client().get("/").text


def test_mistakes_are_named_and_every_word_stays(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    seen = version(ada)
    for wrong, words in (
        ({"accent": "red;}"}, "a colour such as"),
        ({"links": "Evil | javascript:alert(1)"}, "is no address"),
        ({"links": "Evil | //evil.example"}, "is no address"),
        ({"links": "\n".join(f"L{n} | /kb" for n in range(9))}, "At most 8 links"),
        ({"company": ""}, "from 1 to 80"),
        ({"intro": "x" * 501}, "shorten this to 500"),
    ):
        refused = ada.send(LOOK, version=seen, **{**WORDS, **wrong})
        assert refused.status_code == 422 and words in refused.text and typed(refused.text, "welcome_ru") == "Чем помочь?", wrong
    svg = (io.BytesIO(b"<svg onload='alert(1)'/>"), "logo.png")
    refused = ada.send(LOOK, version=seen, **WORDS, logo=svg)
    assert refused.status_code == 422 and "SVG pictures can carry programs" in refused.text
    assert list(files.store().keys()) == []
    with db.read():
        assert brand.look() == brand.Look()


def test_two_administrators_do_not_overwrite_each_other(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    seen = version(ada)
    assert ada.send(LOOK, version=seen, **WORDS).status_code == 303
    assert ada.send(LOOK, version=seen, **WORDS).status_code == 409


def test_the_logo_goes_again_and_no_other_file_of_the_store_is_given_out(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    ada.send(LOOK, version=version(ada), **WORDS, logo=(picture(), "logo.png"))
    secret = files.store().put(b"somebody's passport").key
    assert desk.client().get(f"/brand/{secret}.png").status_code == 404
    assert ada.send(LOOK, version=version(ada), **WORDS, logo_remove="1").status_code == 303
    assert "/brand/" not in desk.client().get("/").text.replace("/brand.css", "")


def test_only_administrators_change_the_look(desk: TestDesk) -> None:
    for who in (desk.people.alice, desk.people.dana):
        assert Browser(desk, who).open(LOOK).status_code == 404


def test_a_former_logo_leaves_no_file_behind_nor_does_one_that_was_refused(desk: TestDesk) -> None:
    ada = Browser(desk, desk.people.ada)
    before = set(files.store().keys())
    for _again in range(2):
        assert ada.send(LOOK, version=version(ada), **WORDS, logo=(picture(), "logo.png")).status_code == 303
        assert len(set(files.store().keys()) - before) == 1
    kept = set(files.store().keys())
    stale = ada.send(LOOK, version="old", **WORDS, logo=(picture(), "logo.png"))
    assert stale.status_code == 409 and set(files.store().keys()) == kept and "/brand/" in stale.text
    ada.send(LOOK, version=version(ada), **WORDS, logo_remove="1")
    assert set(files.store().keys()) == before
