"""Mails broken at random, the same ones for the same seed: bytes changed, cut, doubled, and the signs that parsers trip over put in."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.unit.email.mails import FOLDER

TRIPWIRES = [
    b"\n",
    b"\r\n",
    b"\r",
    b"\x00",
    b"\n\n",
    b"=?utf-8?b?",
    b"?=",
    b'"',
    b"<",
    b">",
    b"(",
    b")",
    b";",
    b"=",
    b"--",
    b"[",
    b"boundary=",
    b"charset=",
    b"\xff",
    b"\xed\xa0\x80",
    b"\x1b$B",
    b"Content-Type: multipart/alternative; boundary=x\n",
    b"Content-Transfer-Encoding: base64\n",
    b"name*0*=",
    b"''",
    b"*1=",
    b"%ff",
    b"&#xD800;",
    b"<div>",
    b"+2AA-",
    b"utf-7",
    b"idna",
    b"base64",
    b"a" * 5000,
    b"9" * 30,
    b"\xe2\x80\xae",
    b"message/rfc822",
    b"multipart/digest",
    b"application/ms-tnef",
    b"\x78\x9f\x3e\x22",
]


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """`count` broken mails made from tests/mail."""
    chance = random.Random(seed)
    healthy = [path.read_bytes() or b"x" for path in sorted(FOLDER.glob("*.eml"))]
    for _ in range(count):
        yield _broken(bytearray(chance.choice(healthy)), healthy, chance)


def _broken(mail: bytearray, healthy: list[bytes], chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(mail) + 1)
        match chance.randrange(7):
            case 0 | 1:
                mail[at:at] = chance.choice(TRIPWIRES)
            case 2:
                del mail[at : at + chance.randint(1, 40)]
            case 3:
                mail[at : at + 1] = bytes([chance.randrange(256)])
            case 4:
                other = chance.randrange(len(mail) + 1)
                mail[at:at] = mail[other : other + chance.randint(1, 400)]
            case 5:
                foreign = chance.choice(healthy)
                other = chance.randrange(len(foreign))
                mail[at:at] = foreign[other : other + chance.randint(1, 800)]
            case 6:
                del mail[at : at + chance.randint(1, 1000)]
    return bytes(mail)
