"""A brand's colour stays readable on every ground, in both themes; a logo is nothing but its points."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from helpdesk.channels.portal import colours, logo
from helpdesk.errors import Invalid


@pytest.fixture(autouse=True)
def words() -> Any:
    app = Flask("words")
    Babel(app)
    with app.test_request_context():
        yield


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0), ("#123456", "#123456", 1)],
)
def test_contrast_is_what_the_standard_says(one: str, other: str, ratio: float) -> None:
    assert round(colours.contrast(one, other), 2) == ratio == round(colours.contrast(other, one), 2)


def test_a_good_colour_stays_and_a_pale_one_becomes_darker() -> None:
    assert colours.scheme("#1f5fd6").light.accent == "#1f5fd6" and not colours.scheme("#1f5fd6").corrected
    pale = colours.scheme("#ffcc00")
    assert pale.corrected and colours.contrast(pale.light.accent, "#ffffff") >= 4.5


@given(st.integers(0, 0xFFFFFF))
def test_every_colour_becomes_readable_on_every_ground_of_both_themes(number: int) -> None:
    made = colours.scheme(f"#{number:06x}")
    for shades, grounds in ((made.light, colours._LIGHT_GROUNDS), (made.dark, colours._DARK_GROUNDS)):
        assert min(colours.contrast(shades.accent, ground) for ground in (*grounds, shades.soft, shades.chosen)) >= 4.5
        assert colours.contrast(shades.ink, shades.accent) >= 4.5
    assert colours.contrast(colours.ink_on(f"#{number:06x}"), f"#{number:06x}") >= 4.5


@pytest.mark.parametrize("text", ["", "#fff", "#FFFFFF", "red", "#12345g", "#123456;}", "#123456\n"])
def test_only_six_digits_are_a_colour(text: str) -> None:
    assert not colours.is_colour(text)


def picture(kind: str, size: tuple[int, int] = (900, 300)) -> bytes:
    written = io.BytesIO()
    more: dict[str, Any] = {}
    if kind == "PNG":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_text("Comment", "<script>alert(1)</script>")
    Image.new("RGB", size, "#1f5fd6").save(written, kind, **more)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_pictures_become_small_pngs_without_anything_else_inside(kind: str) -> None:
    made = logo.made_anew(picture(kind) + b"<script>alert(1)</script>")
    with Image.open(io.BytesIO(made)) as shown:
        assert shown.format == "PNG" and shown.width <= 480 and shown.height <= 96 and shown.info == {}
    assert b"script" not in made


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!-- x --><svg/>", "SVG"),
        (b"GIF89a", "no picture"),
        (b"", "no picture"),
        (b"%PDF-1.4", "no picture"),
        (b"x" * (4 * 2**20 + 1), "larger than 4 MB"),
        (picture("PNG", (6000, 4000)), "too many points"),
        (picture("PNG")[:200], "no picture"),
    ],
)
def test_what_is_no_small_picture_is_refused_in_plain_words(content: bytes, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        logo.made_anew(content)
    assert words in str(refused.value.fields["logo"])
