"""What was probably meant."""

import random

import pytest

from helpdesk.kb.speller import Speller, grams

WORDS = {"password": 40, "пароль": 30, "пароля": 10, "настройками": 4, "настройки": 9, "invoice": 12, "invoke": 1, "form": 7, "from": 9}


@pytest.fixture
def speller() -> Speller:
    return Speller(Speller.of(WORDS, 100).dumped)


@pytest.mark.parametrize("typo", ["pasword", "passwword", "passwird", "passwrod", "assword", "passwords"])
def test_one_edit_is_undone(speller: Speller, typo: str) -> None:
    assert speller.corrections(typo)[0] == "password"


def test_two_edits_are_another_word(speller: Speller) -> None:
    assert speller.corrections("pazzword") == []


def test_the_more_frequent_word_comes_first(speller: Speller) -> None:
    assert speller.corrections("fform") == ["form"]
    assert speller.corrections("пароло")[:2] == ["пароль", "пароля"]


def test_a_form_that_no_article_has_is_still_corrected(speller: Speller) -> None:
    assert speller.corrections("настрйке") == ["настройки"]


@pytest.mark.parametrize("word", ["frm", "f0rm", "", "x", "🙂🙂🙂🙂"])
def test_short_words_and_codes_are_left_alone(speller: Speller, word: str) -> None:
    assert speller.corrections(word) == []


def test_every_single_edit_of_a_vocabulary_is_found_again() -> None:
    rng = random.Random(4)
    letters = "абвгдежзик"
    vocabulary = {"".join(rng.choices(letters, k=rng.randint(5, 9))) for _ in range(300)}
    speller = Speller.of(dict.fromkeys(vocabulary, 1), 300)
    for word in vocabulary:
        at = rng.randrange(len(word))
        for typo in (word[:at] + word[at + 1 :], word[:at] + "щ" + word[at:], word[:at] + "щ" + word[at + 1 :]):
            if typo not in vocabulary:
                assert word in speller.corrections(typo, most=50)


def test_letters_that_few_articles_have_weigh_more(speller: Speller) -> None:
    assert speller.gram_weight("invo"[:4]) > speller.gram_weight("pass")
    assert speller.gram_weight("ъъъ") >= speller.gram_weight("invo")
    assert grams("код") == [" ко", "код", "од ", " код", "код "]


def test_an_empty_vocabulary_knows_nothing() -> None:
    speller = Speller(Speller.of({}, 0).dumped)
    assert speller.corrections("password") == [] and "password" not in speller
    assert speller.gram_weight("pas") >= 0


@pytest.mark.parametrize("rubbish", [b"", b"\n", b"[1,2]\nxx", b"\xff\xfe", b"[1,0,0,0,0,0]\n"])
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises(ValueError):
        Speller(rubbish)
