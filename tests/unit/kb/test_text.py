"""Which words count, and which are the same word."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.kb.layout import switched
from helpdesk.kb.text import LONGEST, normal, stem, stems, tokens, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("пароли", "паролями"),
        ("invoices", "invoice"),
        ("Ёлка", "елки"),
        (unicodedata.normalize("NFD", "йогурт"), "йогуртом"),
        ("1С", "1C"),  # the second with a Latin C
        ("пaроль", "пароль"),  # the first with a Latin a
        ("па\u00adроль", "пароль"),
        ("COVID-19", "covid19"),
        ("ORA-00942", "ora00942"),
    ],
)
def test_two_spellings_meet_in_a_stem(one: str, other: str) -> None:
    assert set(stems(other)) & set(stems(one))


@pytest.mark.parametrize(("one", "other"), [("C++", "C#"), ("C++", "C"), ("1С", "1"), ("ORA-00942", "ORA-01017 ORA")])
def test_what_differs_in_signs_or_digits_stays_apart(one: str, other: str) -> None:
    assert not set(stems(one)) <= set(stems(other))


def test_each_language_of_a_mixed_sentence_is_stemmed_in_its_own_way() -> None:
    assert stems("Настройки printers") == [stem("настройка"), stem("printer")]


def test_a_code_is_found_whole_and_by_its_parts() -> None:
    assert words("ERR_TIMED_OUT") == ["err", "timed", "out", "errtimedout"]


def test_one_letter_words_stay() -> None:
    assert words("C или Я") == ["c", "или", "я"]


@given(st.text(max_size=300))
def test_any_text_gives_stems_that_a_database_keeps_whole(text: str) -> None:
    for one in stems(text):
        assert one and len(one) <= 2 * LONGEST and all(letter.isalnum() for letter in one if not letter.isspace())
        assert not any(letter.isspace() for letter in one)


@given(st.text(max_size=300))
def test_tokens_stand_where_they_say(text: str) -> None:
    text = normal(text)
    for token in tokens(text):
        assert 0 <= token.start < token.end <= len(text)


@pytest.mark.parametrize(("typed", "meant"), [("gfhjkm", "пароль"), ("зфыыцщкв", "password"), (",fyr", "банк"), ("Ghbdtn", "Привет")])
def test_the_other_keyboard_layout_reads_as_it_was_meant(typed: str, meant: str) -> None:
    assert switched(typed) == meant
