"""Passages, marked."""

from hypothesis import given
from hypothesis import strategies as st

from helpdesk.kb.snippets import LENGTH, marked, snippet
from helpdesk.kb.text import normal, stems


def test_asked_words_are_marked_in_every_form() -> None:
    assert [run.text for run in marked("Смените пароль: паролям — год", set(stems("пароли"))) if run.is_hit] == ["пароль", "паролям"]


def test_the_passage_with_most_asked_words_is_shown() -> None:
    body = "Refunds. " + "Nothing here. " * 60 + "A refund reaches your card in five days. " + "Nothing there. " * 60
    shown = "".join(run.text for run in snippet(body, set(stems("refund card days"))))
    assert "A refund reaches your card in five days." in shown
    assert shown.startswith("… ") and shown.endswith(" …")


def test_without_a_hit_the_beginning_is_shown() -> None:
    runs = snippet("First things first. " * 40, {"nowher"})
    assert runs[0].text.startswith("First things") and not any(run.is_hit for run in runs)


def test_markup_stays_text() -> None:
    runs = marked("<script>alert(1)</script> pay", {"pay"})
    assert "".join(run.text for run in runs) == "<script>alert(1)</script> pay"
    assert [run.text for run in runs if run.is_hit] == ["pay"]


@given(st.text(max_size=600), st.text(max_size=60))
def test_runs_are_the_text_in_order_and_bounded(body: str, query: str) -> None:
    body = normal(body)
    runs = snippet(body, set(stems(query)))
    shown = "".join(run.text for run in runs)
    assert len(shown) <= LENGTH + 4
    assert "".join(shown.removeprefix("… ").removesuffix(" …").split()) in "".join(body.split()) + "…"
