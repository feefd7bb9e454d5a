"""How people ask: everyday words, words of one root, small talk, and what they write together or in other letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpdesk.kb import commands, everyday, trust
from helpdesk.kb.documents import Document
from helpdesk.kb.text import stem, stems

#: Our own small set of Russian support questions: short, colloquial, with slips. Answers and questions were written for it.
SET = Path(__file__).parents[2] / "kb_sets" / "support_ru"

SHELF = [
    Document("wifi", "Не подключается Wi-Fi", "Перезапустите роутер."),
    Document("slow", "Медленный интернет", "Измерьте скорость по кабелю."),
    Document("delivery", "Сколько стоит доставка", "По городу 300 рублей."),
    Document("login", "Как восстановить доступ", "Если не можете войти, нажмите «Забыли пароль?»."),
    Document("ticket", "Пожалуйста, подскажите нам", "Как улучшить сервис."),
    Document("sms", "Не приходит код подтверждения", "Код приходит в сообщении."),
]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("вайфай", "wifi"), ("инет тормозит", "slow"), ("доставить", "delivery"), ("dostavka", "delivery"), ("немогу войти", "login"),
        ("подскажите пожалуйста про доставку", "delivery"), ("смска", "sms"), ("gfhjkm", "login"), ("ghbdtn ljcnfdrf", "delivery"),
    ],
)  # fmt: skip
def test_an_article_is_found_in_the_words_of_the_street(asked: str, found: str) -> None:
    with commands.searching(SHELF) as engine:
        assert next(commands.rank(engine, [asked]))[:1] == [found]


def test_words_of_one_root_meet_and_others_do_not() -> None:
    for one, other in (("доставить", "доставка"), ("подключение", "подключить"), ("отвязать", "отвязка"), ("проверить", "проверка")):
        assert stem(other) in everyday.of_one_root(stem(one)) or stem(one) in everyday.of_one_root(stem(other)), (one, other)
    assert stem("почта") not in everyday.of_one_root(stem("почему"))
    assert everyday.of_one_root("invoic") == frozenset()


def test_small_talk_alone_is_still_a_question() -> None:
    with commands.searching(SHELF) as engine:
        assert next(commands.rank(engine, ["подскажите пожалуйста"]))[:1] == ["ticket"]


def test_our_own_russian_questions_find_their_answers() -> None:
    """Both halves: the everyday words were gathered beside it, so this guards against a fall rather than proving quality."""
    queries = commands.questions(SET)
    with commands.searching(commands.load(SET)) as engine:
        found = commands.rank(engine, [query["text"] for query in queries])
        answers = commands.answers_of(SET)
        quality = sum(commands.ndcg(ids, answers[query["id"]]) for query, ids in zip(queries, found, strict=True)) / len(queries)
    assert quality > 0.74


def test_earlier_questions_count_as_far_as_they_foretell_later_ones() -> None:
    same = [(str(n % 5), stems(f"{word} {n % 5} пароль{n % 5} сменить")) for n, word in enumerate(["как", "где", "когда", "мне"] * 5)]
    other = [(str(n % 7), stems(f"вопрос {n * n} {n + 100}")) for n in range(20)]
    assert trust.agreement(same) == 1.0 and trust.share(trust.agreement(same)) == 1.0
    assert trust.agreement(other) < 0.5 and trust.share(0.0) == pytest.approx(0.1)
    assert trust.agreement([]) == trust.agreement(same[:1]) == 1.0
