"""Where in a mail the person stops writing: everything below is quote and signature, which folds and is never dropped.

Line by line, from the bottom up, after the conventions of GitHub's email_reply_parser (quotes between answers stay visible as context),
plus Outlook's header blocks and what mail programs write in Russian, German, French, Spanish, Italian, Dutch and Polish.
A library was tried and left: its expressions take quadratic time on long quotes and know no Russian. This reads each line a bounded
number of times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_LINE = 1000  # longer lines are never headers or signatures
MAX_ROWS = 10_000  # a longer mail is a log or an attack: what lies below folds
SIGNATURE_LINES = 15

_QUOTED = re.compile(r"\s{0,8}>")
_VERB = (
    r"wrote|writes|schrieb|a écrit|écrit|escribió|ha scritto|schreef|napisał(?:\(a\))?|skrev|escreveu|"
    r"написал(?:\(а\)|а|и)?|писал(?:\(а\)|а|и)?|пишет|пише|написав(?:\(ла\))?"
)
_WROTE_END = re.compile(rf"(?:\b|>|\")(?:{_VERB})[^:]{{0,100}}[:：]\s*$", re.I)
_HEADER_END = re.compile(r"[:：]\s*$")
_MOMENT = re.compile(r"\b\d{1,2}[:.]\d{2}\b|\b(?:19|20)\d\d\b")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_STARTS = re.compile(
    r"\s*[*_]{0,2}(?:on|am|le|el|il|op|den|dnia|w dniu|em|в|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d"
    r"|\d{1,2}\s+[^\W\d]{3,10}\.?,?\s+\d{4}|(?:пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье"
    r"|mon|tue|wed|thu|fri|sat|sun)[a-zа-я]{0,7}[.,])(?=[\s,.:])",
    re.I,
)
_FIELD = re.compile(
    r"\s*[*_]{0,2}(?:(?P<source>from|от|от кого|von|de|da|van|od|från|fra)|(?P<moment>sent|date|отправлено|дата|gesendet|datum|envoyé|"
    r"date d'envoi|enviado|fecha|inviato|data|verzonden|wysłano|skickat)"
    r"|(?P<topic>subject|тема|betreff|objet|asunto|oggetto|onderwerp|temat|ämne)|(?P<other>to|cc|кому|копия|an|kopie|à|para|a|aan|do|dw|till))"
    r"\s?[*_]{0,2}\s?[:：]",
    re.I,
)
_DIVIDER = re.compile(r"\s*(?:[-_=*]\s?){5,}\s*$")
_ORIGINAL = re.compile(
    r"\s*[-—_]{2,}\s*(?:original message|original appointment|forwarded message|пересылаемое сообщение|"
    r"пересланное сообщение|исходное сообщение|начало переадресованного сообщения|конец пересылаемого сообщения|ursprüngliche nachricht|"
    r"weitergeleitete nachricht|"
    r"message d'origine|message transféré|mensaje original|messaggio originale|oorspronkelijk bericht|reply message)\s*[-—_]{0,}\s*$|"
    r"\s*(?:begin forwarded message|начало (?:переадресованного|пересылаемого) сообщения|anfang der weitergeleiteten nachricht)\s*:\s*$",
    re.I,
)
_DASHES = re.compile(r"(?:--|—|__) ?$")
_SIGNED = re.compile(r"\s*(?:--|__)|-[^\W\d_]")
_SENT_FROM = re.compile(
    r"\s*(?:sent from my(?:\s+\w+){1,3}|(?:get|download) outlook for \w+.{0,60}|sent with (?:proton ?mail|mailo|canary|spark)\b.{0,60}|"
    r"sent from (?:outlook|mail|yahoo mail|proton mail)\b.{0,60}|"
    r"отправлено (?:с|из|от)\b.{1,60}|отправлено с моего .{1,40}|"
    r"(?:скачать|получить) outlook для .{1,60}|gesendet von (?:meinem?|mail|outlook)\b.{0,40}|"
    r"envoyé (?:de|depuis) mon \w+|enviado desde mi \w+)\s*[.]?\s*$",
    re.I,
)
_CLOSING = re.compile(
    r"\s*(?:(?:with )?(?:best|kind|kindest|warm|warmest|many)?\s?regards|(?:yours )?(?:sincerely|faithfully|truly)|"
    r"с уважением|с\s(?:наилучшими|искренними|добрыми)\s(?:пожеланиями|пожеланием)|искренне ваша?|всего доброго|"
    r"(?:mit )?(?:freundlichen?|besten?|vielen?|herzlichen?|liebe) grü(?:ß|ss)en?|(?:bien )?cordialement|atentamente|cordiali saluti|"
    r"met vriendelijke groet(?:en)?|z poważaniem)\b(?:\s*[,.!—–-]?\s*(?:[^\W\d_][\w.'-]*\s*){0,4})?[,.!]?\s*$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a mail: its text, and whether it is quoted by markup (HTML's blockquote) rather than by a sign."""

    text: str
    quoted: bool = False


def fold(rows: Sequence[Row]) -> int:
    """The index of the first line that folds; len(rows) when nothing does. A mail that is all quote is left open as a whole."""
    rows = rows[:MAX_ROWS]
    quoted = [row.quoted or bool(_QUOTED.match(row.text)) for row in rows]
    texts = [row.text if len(row.text) <= MAX_LINE else "" if not row.text.strip() else "…" for row in rows]
    end = _open_quote(texts, quoted)
    while end:
        end = _above_blanks(texts, quoted, end)
        above = _above_quote(texts, quoted, end) if end else end
        if above == end:
            above = _above_signature(texts, quoted, end)
        if above == end:
            break
        end = above
    while end < len(rows) and not texts[end].strip() and not quoted[end]:
        end += 1  # empty lines belong to what was written
    return end if any(text.strip() for text in texts[:end]) else len(rows)


def split_text(text: str) -> tuple[str, str]:
    """What the person wrote now, and what folds; together they are the text again, but for white space between them."""
    lines = text.split("\n")
    at = fold([Row(line) for line in lines[: MAX_ROWS + 1]])
    return "\n".join(lines[:at]).rstrip(), "\n".join(lines[at:]).strip("\n")


def is_announcement(line: str) -> bool:
    """A line such as "---------- Forwarded message ----------"."""
    return len(line) <= MAX_LINE and bool(_ORIGINAL.match(line))


def header_block(texts: Sequence[str], at: int) -> int:
    """How many lines from `at` on form an older message's header (From:, Sent:, Subject: …); 0 when none begins there.

    A lone "From: Moscow, To: London" is a person's text: the source needs a moment or a topic beside it, three lines in all.
    """
    first = _FIELD.match(texts[at])
    if first is None or first.lastgroup == "other":
        return 0
    seen = {first.lastgroup}
    count = 1
    last = at
    for index in range(at + 1, min(at + 14, len(texts))):
        found = _FIELD.match(texts[index])
        if found is None:
            if index - last > (2 if texts[index].strip() else 1):
                break
            continue  # a folded value, or an empty line between fields as some clients write
        seen.add(found.lastgroup)
        count += 1
        last = index
    return last - at + 1 if count >= 3 and "source" in seen and seen & {"moment", "topic"} else 0


def _open_quote(texts: Sequence[str], quoted: Sequence[bool]) -> int:
    """Where a quote without quote signs begins (Outlook, forwarded mail): all below it is older. len(texts) when there is none."""
    written = False
    for at, text in enumerate(texts):
        if quoted[at] or not text.strip():
            continue
        if written:
            begins = at if _ORIGINAL.match(text) or header_block(texts, at) else _unmarked(texts, quoted, at)
            if begins is not None:
                return _with_divider(texts, quoted, begins)
        written = written or not _DIVIDER.match(text)
    return len(texts)


def _unmarked(texts: Sequence[str], quoted: Sequence[bool], at: int) -> int | None:
    """Where an introduction that ends in line `at` begins, when the text below it bears no quote signs.

    It must name an address or a year: "at 10:30 your colleague wrote:" is how people tell things.
    """
    if not _WROTE_END.search(texts[at]) or _quote_follows(texts, quoted, at):
        return None
    start = _starts_header(texts, at)
    if start is None or not _STARTS.match(texts[start]):
        return None
    joined = " ".join(texts[start : at + 1])
    return start if "@" in joined or _YEAR.search(joined) else None


def _with_divider(texts: Sequence[str], quoted: Sequence[bool], at: int) -> int:
    """Include the ruler that stands above the quote."""
    above = _above_blanks(texts, quoted, at)
    return above - 1 if above and not quoted[above - 1] and _DIVIDER.match(texts[above - 1]) else at


def _quote_follows(texts: Sequence[str], quoted: Sequence[bool], at: int) -> bool:
    for index in range(at + 1, len(texts)):
        if quoted[index]:
            return True
        if texts[index].strip():
            return False
    return False


def _above_blanks(texts: Sequence[str], quoted: Sequence[bool], end: int) -> int:
    while end and not texts[end - 1].strip() and not quoted[end - 1]:
        end -= 1
    return end


def _above_quote(texts: Sequence[str], quoted: Sequence[bool], end: int) -> int:
    """Above a quote that ends at `end`, with the line that introduces it; `end` itself when no quote ends there."""
    at = end
    while at and (quoted[at - 1] or not texts[at - 1].strip()):
        at -= 1
    if not any(quoted[at:end]):
        return end
    header = _starts_header(texts, at - 1) if at else None
    if header is not None:
        return header
    for start in range(max(at - 12, 0), at):
        if header_block(texts, start) and start + header_block(texts, start) >= at - 1:
            return _with_divider(texts, quoted, start)
    if at and _DIVIDER.match(texts[at - 1]):
        return at - 1
    return at


def _starts_header(texts: Sequence[str], at: int) -> int | None:
    """Where the introduction of a quote ("On …, X wrote:") that ends in line `at` begins, up to four lines above; None if it is none."""
    if not _HEADER_END.search(texts[at]):
        return None
    joined = ""
    for start in range(at, max(at - 4, -1), -1):
        if not texts[start].strip():
            break
        joined = texts[start].strip() + " " + joined
        if _STARTS.match(texts[start]) and _MOMENT.search(joined) and (_WROTE_END.search(joined) or "@" in joined):
            return start
    alone = texts[at].strip()
    return at if _WROTE_END.search(alone) and len(alone) <= 200 and alone[0] != "<" and ("@" in alone or _MOMENT.search(alone)) else None


def _above_signature(texts: Sequence[str], quoted: Sequence[bool], end: int) -> int:
    """Above a signature that ends at `end`; `end` itself when none does."""
    seen = 0
    top = end
    for at in range(end - 1, -1, -1):
        if quoted[at] or seen > SIGNATURE_LINES:
            break
        text = texts[at]
        if _DASHES.fullmatch(text.lstrip()) or (_CLOSING.match(text) and seen <= 10):
            return at
        seen += bool(text.strip())
        top = at
    for at in range(end - 1, top - 1, -1):  # the last paragraph begins with a mark
        if not texts[at].strip():
            break
        lines = end - at
        paragraph_begins = at == 0 or not texts[at - 1].strip() or quoted[at - 1]
        if _SENT_FROM.match(texts[at]) and lines <= 3:
            return at
        ruled = texts[at].lstrip()[:2] in ("--", "__")
        if _SIGNED.match(texts[at]) and (paragraph_begins or texts[at].startswith("__")) and lines <= (8 if ruled else 3):
            return at
    return end
