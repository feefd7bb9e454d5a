"""What readers find, may find, and never break."""

import time
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpdesk.kb.documents import Document
from helpdesk.kb.engine import Engine, Results
from tests.unit.kb.shelves import INVOICE, Shelf

PUBLIC = ("public",)


def ids(results: Results) -> list[str]:
    return [hit.id for hit in results.answers]


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("сменить пароль", "password"),
        ("как мне поменять пароли?", "password"),
        ("пороль", "password"),
        ("gfhjkm", "password"),
        ("ghfdf bvgjhnf", "oracle"),
        (unicodedata.normalize("NFD", "старый пароль"), "password"),
        ("ПАРОЛЬ!!! 😡😡", "password"),
        ("where is invoice пожалуйста", "invoice"),
        ("invoises", "invoice"),
        ("ORA-00942", "oracle"),
        ("ora00942", "oracle"),
        ("ошибка ora 00942", "oracle"),
        ("1c", "1c"),
        ("обмен с 1С", "1c"),
        ("C++", "1c"),
        ("интеграция", "1c"),
        ("ERR_CONNECTION_TIMED_OUT", "timeout"),
        ("connection timed out", "timeout"),
    ],
)
def test_an_answer_is_found_however_it_is_asked(engine: Engine, query: str, answer: str) -> None:
    assert ids(engine.find(query, audience=PUBLIC))[:1] == [answer]


def test_a_correction_is_offered_as_the_whole_question(engine: Engine) -> None:
    assert engine.find("как сменить пороль?", audience=PUBLIC).did_you_mean == "как сменить пароль?"
    assert engine.find("gfhjkm", audience=PUBLIC).did_you_mean == "пароль"


def test_nothing_is_offered_for_a_question_without_a_mistake(engine: Engine) -> None:
    assert engine.find("как сменить пароль?", audience=PUBLIC).did_you_mean is None


def test_a_word_that_tickets_know_is_searched_nearby_but_not_corrected(engine: Engine) -> None:
    engine.know(["refunt"])
    results = engine.find("refunt", audience=PUBLIC)
    assert ids(results) == ["refund"] and results.did_you_mean is None


def test_words_treated_alike_find_each_others_answers(engine: Engine) -> None:
    assert ids(engine.find("кодовое слово", audience=PUBLIC)) == []
    engine.treat_alike([{"слово", "пароль"}])
    assert ids(engine.find("кодовое слово", audience=PUBLIC)) == ["password"]


def test_agents_find_what_the_public_does_not(engine: Engine) -> None:
    assert "secret" not in ids(engine.find("approve refund limit", audience=PUBLIC))
    assert ids(engine.find("approve refund limit", audience=("public", "agents")))[0] == "secret"


def test_a_customer_finds_the_own_organizations_articles_and_no_other(engine: Engine) -> None:
    assert ids(engine.find("delivery calendar acme", audience=("public", "org:7"))) == ["acme"]
    assert ids(engine.find("delivery calendar acme", audience=("public", "org:70"))) == []
    assert ids(engine.find("delivery calendar acme", audience=())) == []


def test_a_hidden_article_does_not_push_open_ones_out_of_the_list(folder: object, engine: Engine, shelf: Shelf) -> None:
    shelf.put(*(Document(f"s{i}", "How long does a refund take?", "refund " * 20, audience=("agents",)) for i in range(70)))
    engine.rebuild()
    assert ids(engine.find("how long does a refund take", audience=PUBLIC))[0] == "refund"


def test_language_and_category_narrow_the_search(engine: Engine) -> None:
    assert set(ids(engine.find("refund пароль invoice", audience=PUBLIC, language="ru"))) == {"password"}
    assert set(ids(engine.find("refund пароль invoice", audience=PUBLIC, category="Billing"))) == {"refund", "invoice"}


def test_the_clear_answer_is_named_and_a_doubtful_one_is_not(engine: Engine, shelf: Shelf) -> None:
    best = engine.find("how long does a refund take", audience=PUBLIC).best
    assert best is not None and best.id == "refund"
    shelf.put(Document("card", "Paying by card", "Card."), Document("bank", "Paying by bank", "Bank."))
    assert engine.find("paying", audience=PUBLIC).best is None


def test_titles_and_snippets_come_as_marked_runs(engine: Engine) -> None:
    hit = engine.find("pdf invoice", audience=PUBLIC).answers[0]
    assert [run.text for run in hit.title if run.is_hit] == ["invoice"]
    assert [run.text for run in hit.snippet if run.is_hit] == ["invoice", "PDF"]


def test_real_questions_lead_to_the_article_that_solved_them(engine: Engine, shelf: Shelf) -> None:
    assert ids(engine.find("money back", audience=PUBLIC)) == []
    shelf.put(Document("refund", "How long does a refund take?", "Five days.", asked=("when do I get my money back",)))
    assert ids(engine.find("money back", audience=PUBLIC)) == ["refund"]


@pytest.mark.parametrize(
    "query",
    [
        "", " ", "?", "*", "***", "NOT", "пароль NOT", "id:1", "title:пароль", "AND OR NOT", '"', "'; DROP TABLE article; --", "пароль*",
        "[a TO z]", "^~", "(((", "a\x00b", "\ud800", "😀" * 50, "\u0301" * 200, "the of and to", "и в на", "1" * 500, "a" * 10_000,
        "как " * 2_500, "-_/" * 3_000, "пароль-" * 1_500, " ".join(f"слово{i}" for i in range(1_500)),
        "<b>пароль</b>", "%s%n{}", "שלום 你好 مرحبا",
    ],
)  # fmt: skip
def test_any_question_is_answered_in_bounded_time(engine: Engine, query: str) -> None:
    engine.find("warm", audience=PUBLIC)
    started = time.perf_counter()
    engine.find(query, audience=PUBLIC)
    engine.suggest(query, audience=PUBLIC)
    assert time.perf_counter() - started < 0.5


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(query=st.text(max_size=200))
def test_no_text_whatsoever_raises(engine: Engine, query: str) -> None:
    engine.find(query, audience=PUBLIC)
    engine.suggest(query, audience=PUBLIC)


@pytest.mark.parametrize("query", ["пароль NOT", "пароль*", "id:пароль", "пароль?", '"пароль', "+пароль -сменить"])
def test_operators_are_letters_like_any_others(engine: Engine, query: str) -> None:
    assert "password" in ids(engine.find(query, audience=PUBLIC))


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("как см", "password"),
        ("паро", "password"),
        ("Where do I fi", "invoice"),
        ("gfhj", "password"),
        ("err", "timeout"),
        ("refnd", "refund"),
    ],
)
def test_typing_is_completed(engine: Engine, typed: str, title: str) -> None:
    assert title in [hit.id for hit in engine.suggest(typed, audience=PUBLIC)]


@pytest.mark.parametrize("typed", ["", "п", " ", "?", "zzzz"])
def test_too_little_is_not_completed(engine: Engine, typed: str) -> None:
    assert engine.suggest(typed, audience=PUBLIC) == []


def test_completion_keeps_to_the_audience(engine: Engine) -> None:
    assert "secret" not in [hit.id for hit in engine.suggest("how we appr", audience=PUBLIC)]
    assert "secret" in [hit.id for hit in engine.suggest("how we appr", audience=("agents",))]


def test_an_article_without_title_is_found_by_its_body(engine: Engine, shelf: Shelf) -> None:
    shelf.put(Document("untitled", "", "Парковка за углом, въезд со двора."))
    assert ids(engine.find("где парковка", audience=PUBLIC)) == ["untitled"]


def test_an_empty_knowledge_base_finds_nothing(tmp_path: object, engine: Engine, shelf: Shelf) -> None:
    for document in list(shelf.all()):
        shelf.take(document.id)
    engine.rebuild()
    assert engine.find("пароль", audience=PUBLIC) == Results()
    shelf.put(INVOICE)
    assert ids(engine.find("invoice", audience=PUBLIC)) == ["invoice"]
