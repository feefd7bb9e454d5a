"""Coarse keys under which people who may be the same meet: pure, so that models, imports and benchmarks make the same ones.

Equal keys prove nothing; `crm.duplicates` weighs them. What differs under every key is never compared, so that finding duplicates
costs a look into an index and not every pair.
"""

from __future__ import annotations

import re
import unicodedata

#: Mail services that take dots for nothing and everything after + for a note.
DOTLESS = frozenset(("gmail.com", "googlemail.com"))
#: Legal forms say nothing about who a company is.
FORMS = frozenset("ооо оао зао пао ао ип llc ltd limited inc corp gmbh ag sa srl oy ab plc".split())
_LATIN = dict(
    zip(
        "абвгдезийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e z i i k l m n o p r s t u f h c ch sh sh _ y _ e yu ya".split(),
        strict=False,
    )
) | {"ж": "zh"}
_SPELLINGS = (
    ("yu", "iu"),
    ("ya", "ia"),
    ("kh", "h"),
    ("ts", "c"),
    ("tz", "c"),
    ("shch", "sh"),
    ("sch", "sh"),
    ("y", "i"),
    ("j", "i"),
    ("ph", "f"),
)


def name_key(name: str) -> str:
    """A name without case, accents, order, alphabet and legal form: "Иванов Пётр" and "Petr Ivanov" meet. Empty for what has no letters."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ё", "е").replace("й", "и"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = [word for word in re.findall(r"\w+", plain.replace("_", " ")) if word not in FORMS]
    return " ".join(sorted(_latin(word) for word in words))[:200]


def match_key(value_norm: str) -> str:
    """The coarse key of a normalised address: a mailbox without +notes, a number without network or extension, an id without its system.

    Empty for what is too short to point at anybody.
    """
    head, colon, tail = value_norm.partition(":")
    if "@" in value_norm and not colon:
        local, _at, domain = value_norm.rpartition("@")
        local = local.partition("+")[0] or local
        if domain in DOTLESS:
            local, domain = local.replace(".", ""), "gmail.com"
        return f"e:{local}@{domain}"[:320]
    number = (tail if colon and tail.startswith("+") else value_norm).partition(";ext=")[0]
    if number.startswith("+"):
        return f"p:{number}"[:320]
    if colon and head.startswith(("telegram", "vk", "instagram", "skype", "facebook", "twitter")):
        return f"m:{value_norm}"[:320]
    return f"x:{tail.casefold()}"[:320] if colon and len(tail) >= 4 else ""


def _latin(word: str) -> str:
    """One spelling for the many ways to write a Russian name in Latin letters, and for Latin names all the same."""
    word = "".join(_LATIN.get(letter, letter) for letter in word).replace("_", "")
    for many, one in _SPELLINGS:
        word = word.replace(many, one)
    return re.sub(r"(.)\1", r"\1", word)


def spellings(word: str) -> list[str]:
    """A part of a name as people write it. SQLite knows the case of Latin letters only: of others each usual form is tried."""
    return [word] if word.isascii() else sorted({word, word.lower(), word.upper(), word.capitalize()})
