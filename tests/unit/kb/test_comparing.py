"""Two wordings beside each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from helpdesk.kb.comparing import compared


def marked(old: str, new: str) -> list[tuple[str, list[str]]]:
    return [(line.mark, [run.text for run in line.runs if run.is_hit]) for line in compared(old, new)]


def test_words_that_changed_within_a_line_are_told_apart() -> None:
    assert marked("Pack it in a box.", "Pack it in a big box.") == [("-", []), ("+", ["big "])]
    assert marked("Верните товар за 14 дней.", "Верните товар за 30 дней.") == [("-", ["14"]), ("+", ["30"])]


def test_lines_with_little_in_common_simply_differ() -> None:
    assert marked("two", "Nothing of the kind at all") == [("-", []), ("+", [])]


def test_long_stretches_that_are_the_same_are_left_out() -> None:
    old = "\n".join(f"line {n}" for n in range(40))
    lines = compared(old.replace("line 2\n", "line two\n"), old.replace("line 30", "line thirty"))
    assert [line.mark for line in lines].count("…") == 1 and len(lines) < 24


def test_the_same_has_nothing_to_compare() -> None:
    assert compared("a\nb", "a\nb") == []


@given(st.text(alphabet="ab \n", max_size=60), st.text(alphabet="ab \n", max_size=60))
def test_runs_are_the_line(old: str, new: str) -> None:
    for line in compared(old, new):
        assert "".join(run.text for run in line.runs) == line.words
