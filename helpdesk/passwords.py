"""Passwords: how good one must be, how it is kept, and how to check it without holding anything up.

Flask-Security keeps them as argon2 hashes. Hashing takes tens of milliseconds of processor time on purpose: it runs outside every
transaction, and in the hub's thread pool where gevent serves, so that neither the only writer nor the sockets wait for it.
"""

from __future__ import annotations

import contextvars
import sys
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

from flask_babel import lazy_gettext as _
from flask_security.utils import hash_password, verify_password

from helpdesk import db
from helpdesk.errors import Words

P = ParamSpec("P")
R = TypeVar("R")

SHORTEST, LONGEST = 10, 200

#: What people choose first; digits and signs at the ends are ignored when comparing, so "Password2024!" is found too.
_COMMON_TEXT = """
password passwort passw0rd p@ssword p@ssw0rd passwordpassword mypassword yourpassword newpassword changeme changeit letmein
welcome welcomehome iloveyou iloveu trustno administrator admin adminadmin administration supervisor helpdesk support servicedesk
computer internet football baseball basketball superman batman princess sunshine starwars pokemon dragon monkey master mustang
michael jennifer whatever secret secretsecret topsecret default guest test testtest testing login qwerty qwertyuiop qwertyqwerty
qwertzuiop azertyuiop asdfghjkl zxcvbnm qazwsxedc qazwsx wsxedc abcdefghij abcdefghijk abcdefghijkl abcabcabc aaaaaaaaaa
correcthorsebatterystaple пароль парольпароль мойпароль йцукен йцукенгшщз йцукенгшщзхъ фывапролдж ячсмитьбю привет приветпривет
любовь любимая любимый солнышко наташа александр администратор поддержка
"""
_COMMON = frozenset(_COMMON_TEXT.split())
#: Runs along which fingers slide; taken forwards and backwards, twice in a row.
_RUNS = (
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn",
    "qazwsxedcrfvtgbyhnujm",
    "йцукенгшщзхъфывапролджэячсмитьбю",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
)


def weakness(password: str, *, email: str = "", name: str = "") -> Words:
    """What is wrong with a new password, in words for its owner; empty when it will do.

    The rule is length before variety (NIST SP 800-63B, 5.1.1.2): at least ten characters, not the person's own address or name, none of
    those everybody tries first. No demand for signs and capitals.
    """
    plain = normal(password)
    if len(plain) < SHORTEST:
        return _("Please use at least %(n)s characters. Several ordinary words make a good password.", n=SHORTEST)
    if len(plain) > LONGEST:
        return _("Please use at most %(n)s characters.", n=LONGEST)
    folded = plain.casefold()
    core = folded.strip("0123456789!@#$%^&*()-_=+.,?/;:'\"<>[]{}|~` ")
    if email and (folded == email.casefold() or core in {email.casefold(), email.casefold().split("@")[0]}):
        return _("Your e-mail address is the first thing anybody would try. Please choose something else.")
    if name and core and "".join(core.split()) == "".join(name.casefold().split()):
        return _("Your own name is among the first things anybody would try. Please choose something else.")
    if len(set(folded)) < 4 or core in _COMMON or folded in _COMMON or _slides(folded) or _repeats(folded):
        return _("This is one of the passwords that are tried first everywhere. Please choose something less common.")
    return ""


def _slides(folded: str) -> bool:
    return any(folded in run * 2 or folded in run[::-1] * 2 for run in _RUNS)


def _repeats(folded: str) -> bool:
    """The same few characters again and again: abcabcabcabc."""
    return any(folded == (folded[:size] * (len(folded) // size + 1))[: len(folded)] for size in range(1, 5))


def normal(password: str) -> str:
    """The same password typed on another system is the same text."""
    return unicodedata.normalize("NFKC", password)


def kept(password: str) -> str:
    """The hash to store. Call it with no transaction open."""
    return slow(hash_password, normal(password))


def right(password: str, stored: str | None) -> bool:
    """Whether this is the password. Without one to compare with (no such account, not yet invited) it takes the same time and says no."""
    spare = _dummy()
    fits = slow(verify_password, normal(password[:LONGEST]), stored or spare)
    return bool(fits and stored and len(password) <= LONGEST)


@lru_cache(maxsize=1)
def _dummy() -> str:
    return slow(hash_password, "nobody has this password")


def slow(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one long calculation that touches neither the database nor a lock; in the hub's thread pool where gevent serves."""
    if db.in_transaction():
        raise RuntimeError("a long calculation must not run inside a transaction: everybody else would wait for it")
    if "gevent" in sys.modules:
        from gevent import get_hub, monkey

        if monkey.is_module_patched("threading"):
            context = contextvars.copy_context()
            result: R = get_hub().threadpool.apply(lambda: context.run(call, *args, **kwargs))
            return result
    return call(*args, **kwargs)
