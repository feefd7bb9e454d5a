"""Bytes to text, with charsets as found in the wild: mislabelled, unknown, or not named at all. Never raises, never invents encodings.

Used by `headers` and `bodies`. A declared charset is believed while the bytes agree with it; otherwise the likeliest reading wins and
the caller is told in plain words. Guessing looks at a sample only, so its cost does not grow with the mail.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

SAMPLE = 4096

# What senders write, and the codec that reads what they mean. Supersets on purpose (WHATWG Encoding, section 4.2): a mail that says
# gb2312 carries GBK, one that says iso-8859-1 carries windows-1252.
ALIASES = {
    "gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "x-gbk": "gb18030", "cp936": "gb18030", "euc-cn": "gb18030",
    "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "euc-kr": "cp949", "ksc5601": "cp949", "x-windows-949": "cp949",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932", "ms_kanji": "cp932",
    "iso-2022-jp": "iso2022", "iso-2022-jp-1": "iso2022", "iso-2022-jp-2": "iso2022", "csiso2022jp": "iso2022", "cp50221": "iso2022",
    "cp50220": "iso2022", "iso-2022-jp-ms": "iso2022",
    "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "iso_8859-1": "cp1252", "l1": "cp1252",
    "us-ascii": "ascii", "ansi_x3.4-1968": "ascii", "ascii": "ascii", "us_ascii": "ascii", "7bit": "ascii", "646": "ascii",
    "iso-8859-9": "cp1254", "iso-8859-8-i": "iso8859_8", "iso-8859-8-e": "iso8859_8", "iso-8859-6-i": "iso8859_6",
    "win-1251": "cp1251", "windows1251": "cp1251", "x-cp1251": "cp1251", "win1251": "cp1251", "cp-1251": "cp1251", "ansi-1251": "cp1251",
    "koi8": "koi8_r", "koi8r": "koi8_r", "koi-8-r": "koi8_r", "ibm866": "cp866", "dos-866": "cp866",
    "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic", "x-mac-ukrainian": "mac_cyrillic",
    "utf8": "utf-8", "utf-8mb4": "utf-8", "utf8mb4": "utf-8", "unicode-1-1-utf-8": "utf-8", "x-unicode-2-0-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7", "x-unicode-2-0-utf-7": "utf-7", "unicode-2-0-utf-7": "utf-7",
    "big5": "big5hkscs", "x-big5": "big5hkscs", "tis-620": "cp874", "iso-8859-11": "cp874", "windows-874": "cp874",
}  # fmt: skip

# Python calls these codecs text encodings too; they are slow on hostile input, or no charsets of mail at all.
NOT_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})

NO_SAYING = frozenset(
    {"", "unknown-8bit", "unknown", "x-unknown", "8bit", "binary", "default", "none", "x-user-defined", "default_charset"}
)

_FOR_PEOPLE = {"cp1251": "windows-1251", "cp1252": "windows-1252", "koi8_r": "koi8-r", "cp932": "shift_jis", "iso2022": "iso-2022-jp"}
_CYRILLIC = ("cp1251", "koi8_r", "cp866", "iso8859_5")
# The pairs of letters that make up half of Russian text (National Corpus of the Russian language). Misread text hits few of them.
_PAIRS = (
    "ст но то на ен ов ни ра во ко ал ли по ре ер ро ос пр ан та ло не ка ор де ет го ол ит те ть ат ва ри ел ве ес ав ом ил ль ле от"
    " ла ти ин ме да ск об ас ши пе ча чт ши же ие ия ый ой ем им ит ся до за ки мо ми ма со се си ты вы бы ди во из ег ог ес нт ша ае нн"
)
_RUSSIAN_PAIRS = frozenset(_PAIRS.split())
_RUSSIAN_LETTERS = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
_HIGH = re.compile(rb"[\x80-\xff]+")
_GB_COMMON = re.compile(rb"(?:[\xb0-\xd7][\xa1-\xfe]|[\xa1-\xa3][\xa1-\xfe])")


def _mixed(error: UnicodeError) -> tuple[str, int]:
    """A byte that UTF-8 cannot have is most often windows-1252 pasted into it."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("helpdesk.mixed", _mixed)
_SURROGATES = re.compile("[\ud800-\udfff]")
# NUL is refused by PostgreSQL, the other controls by XML, terminals and people.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_JIS = re.compile(rb"\x1b(\$@|\$B|\$A|\$\([A-Z]|\([A-Z])")


def decode(data: bytes, charset: str | None) -> tuple[str, str | None]:
    """Text of `data`, and what was odd about its charset in plain words (None when nothing was).

    The text has no NUL or other control characters but tab, line feed and carriage return, and no lone surrogates.
    """
    text, odd = _decode(data, (charset or "").strip().strip("'\"").lower())
    return clean(text), odd


def clean(text: str) -> str:
    """Without controls (tab and line ends stay) and lone surrogates."""
    if not text.isprintable():
        text = _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))
    return text


def guess(data: bytes) -> str:
    """The likeliest codec of bytes that do not say theirs; utf-8 for plain ASCII."""
    sample = data[:SAMPLE]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if _is_utf8(sample, cut=len(data) > SAMPLE):
        return "iso2022" if b"\x1b" in sample and _JIS.search(sample) else "utf-8"
    runs = _HIGH.findall(sample)
    high = sum(map(len, runs))
    if _kana(sample, "cp932") >= 0.3:
        return "cp932"
    if _kana(sample, "euc_jp") >= 0.3:
        return "euc_jp"
    pairs = 2 * len(_GB_COMMON.findall(b" ".join(runs))) / high
    odd_runs = sum(len(run) % 2 for run in runs)
    russian, codec = max((_russian(sample, name), name) for name in _CYRILLIC)
    lonely = sum(1 for run in runs if len(run) == 1) / len(runs)
    if russian >= 0.35 and lonely < 0.5 and (odd_runs or pairs < 0.9 or russian > 0.6):
        return codec
    if pairs >= 0.6 and odd_runs <= len(runs) / 10:
        return "gb18030"
    if (russian >= 0.3 and lonely < 0.5) or (russian >= 0.15 and high >= 3 * len(runs)):
        return codec
    return "cp1252"


def _decode(data: bytes, label: str) -> tuple[str, str | None]:
    if data.isascii() and b"\x1b" not in data and label not in ("utf-7", "unicode-1-1-utf-7", "unicode-2-0-utf-7", "x-unicode-2-0-utf-7"):
        return data.decode("ascii"), None if label in NO_SAYING or _codec(label) else _unknown(label)
    if label in NO_SAYING:
        codec = guess(data)
        return _lenient(data, codec), None if codec == "utf-8" or data.isascii() else f"does not name its charset; read as {_name(codec)}"
    codec_named = _codec(label)
    if codec_named is None:
        codec = guess(data)
        return _lenient(data, codec), _unknown(label) + f"; read as {_name(codec)}"
    if codec_named not in ("utf-8", "utf-7", "utf-16", "iso2022", "gb18030") and _is_utf8(data[:SAMPLE], cut=len(data) > SAMPLE):
        return _lenient(data, "utf-8"), f"says {label} but is utf-8"
    try:
        text = data.decode("iso2022_jp" if codec_named == "iso2022" else codec_named)
    except (UnicodeError, ValueError):
        if codec_named == "iso2022" and b"\x1b" in data:
            return _iso2022(data), None
        return _disagreeing(data, label, codec_named)
    better = _better_cyrillic(data[:SAMPLE], codec_named)
    if better:
        return _lenient(data, better), f"says {label} but reads as {_name(better)}"
    return text, None


def _disagreeing(data: bytes, label: str, codec: str) -> tuple[str, str]:
    """The bytes are not what the label says: a few broken ones, or another charset altogether."""
    if codec == "utf-8":
        broken = data.decode("utf-8", "replace").count("\ufffd")
        if broken * 10 <= sum(1 for byte in data if byte > 0xC1):  # about one for each character that is not ASCII
            return data.decode("utf-8", "helpdesk.mixed"), f"has broken characters in {label}"
    if codec == "cp1252":
        return _lenient(data, codec), f"has characters that {label} does not know"
    if codec == "iso2022":  # eight-bit Japanese under the seven-bit name
        for japanese in ("cp932", "euc_jp"):
            try:
                return data.decode(japanese), f"says {label} but reads as {_name(japanese)}"
            except UnicodeError:
                continue
    other = guess(data)
    if other == codec or (other == "cp1252" and codec != "utf-8" and codec != "ascii"):
        return data.decode(_python(codec), "replace"), f"has broken characters in {label}"
    return _lenient(data, other), f"says {label} but reads as {_name(other)}"


def _lenient(data: bytes, codec: str) -> str:
    if codec == "iso2022":
        return _iso2022(data)
    return data.decode(codec, "replace")


def _iso2022(data: bytes) -> str:
    """ISO-2022-JP as Windows writes it: rows beyond JIS X 0208 (such as circled digits), which Python's codec refuses.

    Two-byte segments are shifted into cp932 by the arithmetic of JIS X 0208 annex 1.
    """
    out: list[str] = []
    double = False
    at = 0
    for match in _JIS.finditer(data):
        out.append(_segment(data[at : match.start()], double))
        double = match[1] in (b"$@", b"$B")
        at = match.end()
    out.append(_segment(data[at:], double))
    return "".join(out)


def _segment(data: bytes, double: bool) -> str:
    if not double:
        return data.decode("cp932", "replace")
    shifted = bytearray()
    at = 0
    while at < len(data):
        if data[at] < 0x21 or at + 1 >= len(data):
            shifted.append(data[at] & 0x7F)
            at += 1
            continue
        row, cell = data[at] & 0x7F, data[at + 1] & 0x7F
        lead = (row - 0x21) // 2 + 0x81
        trail = cell + (0x1F if row % 2 else 0x7E)
        shifted += bytes((lead if lead <= 0x9F else lead + 0x40, (trail + 1 if row % 2 and trail >= 0x7F else trail) & 0xFF))
        at += 2
    return bytes(shifted).decode("cp932", "replace")


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    """The codec for a label, or None when nobody knows it (or it is no charset)."""
    name = ALIASES.get(label, label)
    if name == "iso2022":
        return name
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError, KeyError):  # the codec machinery itself trips over some names
        return None
    codec = found.name if found.name.startswith("utf") else found.name.replace("-", "_")
    return codec if found._is_text_encoding and codec not in NOT_CHARSETS else None


def _python(codec: str) -> str:
    return "iso2022_jp" if codec == "iso2022" else codec


def _name(codec: str) -> str:
    return _FOR_PEOPLE.get(codec, codec)


def _unknown(label: str) -> str:
    return f"names an unknown charset ({clean(label)[:40]})"


def _is_utf8(sample: bytes, *, cut: bool) -> bool:
    """Valid UTF-8; a sample cut in the middle of a character still counts."""
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return cut and error.start >= len(sample) - 3 and error.reason == "unexpected end of data"
    return True


def _kana(sample: bytes, codec: str) -> float:
    """The share of Japanese syllables among what is not ASCII; 0 when the bytes are not that codec."""
    try:
        text = sample.decode(codec)
    except UnicodeError:
        try:
            text = sample[:-1].decode(codec)  # the sample may end inside a character
        except UnicodeError:
            return 0.0
    foreign = [sign for sign in text if sign > "\x7f"]
    return sum(1 for sign in foreign if "\u3040" <= sign <= "\u30ff") / len(foreign) if foreign else 0.0


def _russian(sample: bytes, codec: str) -> float:
    """How Russian the bytes read: the share of their neighbouring letters that are common pairs, from 0 to 1.

    Real text scores above 0.5, the same text through a wrong Cyrillic codec about 0.2: the letters come out shuffled. Small letters before
    capitals inside a word, another sign of shuffling, count against it.
    """
    text = sample.decode(codec, "replace")
    lower = text.lower()
    pairs = hits = foreign = 0
    for at in range(len(lower)):
        sign = lower[at]
        if sign in _RUSSIAN_LETTERS:
            if at + 1 < len(lower) and lower[at + 1] in _RUSSIAN_LETTERS:
                pairs += 1
                hits += lower[at : at + 2] in _RUSSIAN_PAIRS
                hits -= text[at] == sign and text[at + 1] != lower[at + 1]
        elif sign > "\x7f" and sign not in "«»—–№„“”’…\xa0":
            foreign += 1
    return hits / (pairs + foreign) if pairs else 0.0


def _better_cyrillic(sample: bytes, codec: str) -> str | None:
    """Another Cyrillic codec that reads far better than the named one: windows-1251 called koi8-r, or called iso-8859-1."""
    if codec not in _CYRILLIC and codec not in ("cp1252", "iso8859_15", "iso8859_2"):
        return None
    runs = _HIGH.findall(sample)
    high = sum(map(len, runs))
    if high < 6 or high < 3 * len(runs):  # too little to judge, or accents inside Latin words
        return None
    best, name = max((_russian(sample, name), name) for name in _CYRILLIC)
    named = _russian(sample, codec) if codec in _CYRILLIC else 0.0
    return name if name != codec and best >= 0.4 and best > 2 * named else None
