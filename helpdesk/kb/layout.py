"""A question typed with the keyboard in the other language: "gfhjkm" for "пароль", "зфыыцщкв" for "password".

The engine asks for the other reading of what nobody knows, and takes it only when the knowledge base knows that one.
"""

from __future__ import annotations

_LATIN = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>~"
_RUSSIAN = "йцукенгшщзхъфывапролджэячсмитьбюёЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮЁ"
_TO_RUSSIAN, _TO_LATIN = str.maketrans(_LATIN, _RUSSIAN), str.maketrans(_RUSSIAN, _LATIN)


def switched(chunk: str) -> str:
    """What the same keys give in the other layout; `chunk` is text between spaces, because there "," and "." are letters."""
    cyrillic = sum("а" <= letter <= "я" or letter == "ё" for letter in chunk.lower())
    return chunk.translate(_TO_LATIN if 2 * cyrillic >= len(chunk) else _TO_RUSSIAN)
