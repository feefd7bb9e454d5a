"""Markdown as HTML, as words and as headings."""

from __future__ import annotations

from helpdesk.kb import render


def test_headings_lists_and_tables_become_html() -> None:
    html = render.html("# Top\n\n## Sub\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n")
    assert "<h2" in html and "<h3" in html and "<li>a</li>" in html and "<td>2</td>" in html


def test_authors_who_begin_at_the_second_level_get_the_same_page() -> None:
    assert render.html("# A\n\n## B") == render.html("## A\n\n### B")


def test_two_headings_of_the_same_name_have_two_places() -> None:
    assert [heading.id for heading in render.headings("## Цены\n\n## Цены")] == ["s-цены", "s-цены-2"]


def test_pictures_come_from_the_desk_itself_and_others_are_words() -> None:
    html = render.html("![ours](/kb/files/7) ![theirs](https://x.example/p.png) ![odd](/kb/files/7/../../logout)")
    assert html.count("<img") == 1 and 'src="/kb/files/7"' in html and "theirs" in html


def test_search_reads_words_without_markup() -> None:
    assert render.text("## Pay **now**\n\n- by [card](https://x.example)\n\n```\ncode 42\n```") == "Pay now\nby card\ncode 42"


def test_the_first_words_end_between_words() -> None:
    assert render.first_words("## Title\n\nSome words that go on", 12) == "Title Some…"
    assert render.first_words("Short") == "Short"
