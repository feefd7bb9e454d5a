"""How people ask: small talk that tells nothing, everyday words for the same thing, and words of one Russian root.

Customers write "инет тормозит" where an article says "медленный интернет", and "подскажите, пожалуйста" where it says nothing. What stands
here is true of any desk; words of one trade belong to its own synonyms. Groups are read once and compared by stems.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from helpdesk.kb.text import stems

#: Said out of politeness, or to begin: they stay words of the question, but weigh little.
SMALL_TALK = """
здравствуйте здравствуй привет приветствую добрый день вечер утро подскажите скажите расскажите объясните пожалуйста плиз помогите
помоги спасибо прошу хотел хотела хотелось хочу уважаемые
hello hi hey greetings
"""

#: Words that stand in nearly every sentence. No base leaves them out by itself: `kb tune` tries whether one is better without.
STOP_WORDS = tuple(
    """
    и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне было вот от меня еще нет о из ему
    a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with i my
    """.split()
)

#: Words for the same thing. Each line is one group; the first words are what articles tend to say.
GROUPS = """
интернет инет сеть
медленный тормозит лагает медленно
зависает виснет глючит тормозит
приложение программа прога приложуха апп софт
компьютер комп ноутбук ноут пк
телефон смартфон мобильный мобильник мобила трубка
симка сим sim
номер телефон
sms смс смска эсэмэс сообщение
код смс sms
почта email имейл емейл мыло mail
логин вход войти зайти авторизация залогиниться
аккаунт профиль кабинет лк учетка запись
пароль password
деньги бабки средства сумма рубли
карта карточка
списание списали сняли снялись списать снять
возврат вернуть верните вернули вернется обратно назад
оплата платеж оплатить заплатить платить оплачено
цена стоимость стоит почем дорого сколько
чек квитанция
счет инвойс invoice
скидка промокод купон
бонусы баллы кешбек кэшбэк кешбэк
подписка отписаться автоплатеж автопродление
заказ покупка
посылка заказ отправление бандероль
доставка привезти привезут привозят довезут доставить едет
курьер доставщик
отследить отслеживание трек статус
самовывоз забрать выдача
отмена отменить передумать аннулировать отказаться
удалить стереть убрать снести удаление
изменить поменять сменить заменить смена переделать
добавить привязать подключить
отключить отвязать отписаться выключить убрать
перенести другой
сломался сломалось поломка брак повреждён разбит треснул поврежденный
ремонт починить чинить мастерская
оператор человек поддержка сотрудник менеджер специалист
жалоба пожаловаться хамит нахамил грубит грубил
отзыв оценка оценить
реклама рассылка спам уведомление
сайт страница
открываться загружаться грузится грузить запускаться открыть
заблокирован блокировка блок бан забанили заблокировали
зарядка заряжать батарея аккумулятор заряд
ошибка сбой error баг
часы график работаете
документы накладная акт бухгалтерия
организация юрлицо компания фирма
тариф план
товар вещь
фото снимок скрин скриншот картинка
адрес переехать
wifi вайфай wi вай
удалиться удалить
""".strip()

_SIMILAR = 0.45  # of the asked word's weight, when the articles have that word too
_INSTEAD = 0.85  # when they have not
# what makes a noun of a verb, or a verb of a noun
_ENDINGS = ("к", "ен", "ан", "ац", "ирова", "ова", "а", "и", "")
_STRIPPED = tuple(sorted((one for one in _ENDINGS if one), key=len, reverse=True))
_LEAST_ROOT = 4


@lru_cache(maxsize=1)
def small_talk() -> frozenset[str]:
    """The stems of SMALL_TALK."""
    return frozenset(stems(SMALL_TALK))


@lru_cache(maxsize=1)
def _groups() -> dict[str, frozenset[str]]:
    known: dict[str, set[str]] = {}
    for line in GROUPS.splitlines():
        group = set(stems(line))
        for one in group:
            known.setdefault(one, set()).update(group - {one})
    return {one: frozenset(others) for one, others in known.items()}


def akin(word_stem: str, is_known: bool) -> Iterator[tuple[str, float]]:
    """Stems that say much the same, and how much each counts of the asked one, which articles have or not."""
    share = _SIMILAR if is_known else _INSTEAD
    for other in _groups().get(word_stem, ()):
        if not (word_stem.isascii() and other.isascii()):  # "email" and "mail" are one thing to a Russian, and two to an English manual
            yield other, share
    for other in of_one_root(word_stem):
        yield other, share


@lru_cache(maxsize=4_000)
def of_one_root(word_stem: str) -> frozenset[str]:
    """Stems that a Russian word's relatives may have: "достав" (доставить) and "доставк" (доставка). Most of them do not exist."""
    if not "а" <= word_stem[:1] <= "я" or len(word_stem) < _LEAST_ROOT:
        return frozenset()
    roots = {word_stem}
    for ending in _STRIPPED:
        if word_stem.endswith(ending) and len(word_stem) - len(ending) >= _LEAST_ROOT:
            roots.add(word_stem[: -len(ending)])
    return frozenset(root + ending for root in roots for ending in _ENDINGS) - {word_stem}


def split_not(word: str) -> str:
    """What stands after a "не" that was written together with its verb ("немогу"), or nothing."""
    return word[2:] if word.startswith("не") and len(word) >= 5 else ""


def in_cyrillic(word: str) -> str:
    """A Russian word written in Latin letters, as it was meant: "dostavka". For words that nobody knows otherwise."""
    found, at = [], 0
    while at < len(word):
        for size in (4, 3, 2, 1):
            letters = _LETTERS.get(word[at : at + size])
            if letters:
                found.append(letters)
                at += size
                break
        else:
            return ""
    return "".join(found)


_LETTERS = {
    "shch": "щ", "sch": "щ", "zh": "ж", "kh": "х", "ts": "ц", "ch": "ч", "sh": "ш", "yu": "ю", "ya": "я", "yo": "е", "ju": "ю", "ja": "я",
    "a": "а", "b": "б", "v": "в", "g": "г", "d": "д", "e": "е", "z": "з", "i": "и", "j": "й", "k": "к", "l": "л", "m": "м", "n": "н",
    "o": "о", "p": "п", "r": "р", "s": "с", "t": "т", "u": "у", "f": "ф", "h": "х", "c": "ц", "y": "ы", "w": "в", "x": "кс", "q": "к",
}  # fmt: skip
