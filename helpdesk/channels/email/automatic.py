"""Mail that no person wrote: delivery reports, complaints, automatic replies, lists. Its kind decides what intake may do with it.

Signs in the order of their weight: the structure of the mail (RFC 3464, RFC 5965, RFC 8098), then headers (RFC 3834 and what servers
wrote before it), then the words of old robots, and those only beside a sign that no person sends: a customer who writes "Out of office
does not work" must be heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from . import headers, mail
from .mail import Delivery, Problems
from .mime import Part, fields_of

MAX_DELIVERIES = 200
_REPORT_BYTES = 200_000

_DAEMON = re.compile(r"(?i)\b(?:mailer-daemon|postmaster|mail delivery (?:sub)?system|mdaemon|mail-daemon|maildaemon)\b")
_BOUNCE_SUBJECT = re.compile(
    r"(?i)^\s*(?:undeliver|returned mail|mail delivery (?:fail|status|system)|"
    r"delivery (?:status notification|failure|has failed|report|notification)|"
    r"failure notice|delayed mail|warning: could not send|message delayed|mail system error|unzustellbar|не доставлено|недоставленное|"
    r"сообщение не доставлено|ошибка доставки|возврат письма|undelivered|non-?delivery)"
)
_AWAY_SUBJECT = re.compile(
    r"(?i)^\s*(?:re:\s*|ответ:\s*)?(?:out of (?:the )?office|automatic reply|auto(?:matic)?[- ]?(?:reply|response|respons|antwort)|"
    r"away from|on vacation|vacation reply|abwesen|автоответ|автоматический ответ|вне офиса|я в отпуске|отсутствую|réponse automatique|"
    r"absence du bureau|respuesta automática|risposta automatica)"
)
_AWAY_WORDS = re.compile(
    r"(?i)out of (?:the )?office|on (?:annual )?(?:leave|vacation|holiday)|away from (?:the |my )?(?:office|desk)|"
    r"в отпуске|вне офиса|отсутству|im urlaub|nicht im (?:büro|haus)|en vacances|de vacaciones"
)
_ROBOT_HEADERS = ("x-autoreply", "x-autorespond", "x-auto-reply", "x-autoreply-from", "x-vacation")
_RECIPIENT_IN_WORDS = re.compile(r"<([^\s<>@]{1,64}@[^\s<>]{1,255})>")
_STATUS_IN_WORDS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


def classify(root: Part, parts: list[Part], *, subject: str, from_: str, text: str, calendar_reply: bool, problems: Problems) -> str | None:
    """The kind of an automatic mail, or None when a person seems to have written it. `parts`: every leaf; `text`: the visible body."""
    kinds = {part.content_type for part in parts}
    fields = root.fields

    def said(name: str) -> str:
        return headers.text(fields.raw(name), problems).strip().lower()

    report = root.params.get("report-type", "").lower() if root.content_type == "multipart/report" else ""
    daemon = _DAEMON.search(from_) is not None
    null_sender = said("return-path") == "<>"
    # A customer who forwards a report ("what does this mean?") is a person: the parts count only in a mail that is a report itself.
    if not (root.content_type == "multipart/report" or root.content_type.startswith("message/") or daemon or null_sender):
        kinds = set()
    if "message/feedback-report" in kinds or report == "feedback-report" or _complaint(root, subject, from_, said("x-apple-unsubscribe")):
        return mail.FEEDBACK_REPORT
    if "message/disposition-notification" in kinds or report == "disposition-notification":
        return mail.READ_RECEIPT
    if kinds & {"message/delivery-status", "message/global-delivery-status"} or report == "delivery-status":
        return mail.BOUNCE
    if said("x-failed-recipients") or (_BOUNCE_SUBJECT.match(subject) and (daemon or null_sender or _status_fields(text))):
        return mail.BOUNCE
    if calendar_reply:
        return mail.CALENDAR_REPLY
    submitted = said("auto-submitted").partition(";")[0].partition("(")[0].strip()
    if submitted.startswith("auto-replied"):
        return mail.AUTO_REPLY
    if said("precedence") == "auto_reply" or any(said(name) not in ("", "no", "none") for name in _ROBOT_HEADERS):
        return mail.AUTO_REPLY
    by_rule = "x-ms-exchange-inbox-rules-loop" in fields
    suppressed = said("x-auto-response-suppress")
    away = _AWAY_SUBJECT.match(subject) is not None
    if (by_rule and suppressed) or (away and (null_sender or suppressed or said("precedence") or by_rule)):
        return mail.AUTO_REPLY
    if null_sender and _AWAY_WORDS.search(text[:2000]):
        return mail.VACATION
    if daemon and null_sender:
        return mail.BOUNCE
    if any(name in fields for name in ("list-id", "list-post", "mailing-list")) or said("precedence") == "list":
        return mail.LIST
    if submitted and submitted != "no":
        return mail.AUTO_GENERATED
    if said("precedence") in ("bulk", "junk") or "list-unsubscribe" in fields or "feedback-id" in fields:
        return mail.BULK
    return None


def deliveries(parts: list[Part], root: Part, text: str, problems: Problems) -> tuple[Delivery, ...]:
    """What a delivery report says of each recipient; from its machine-readable part, else from X-Failed-Recipients and the words."""
    found: dict[str, Delivery] = {}
    for part in parts:
        if part.content_type in ("message/delivery-status", "message/global-delivery-status"):
            for one in _read(part.body(problems)[:_REPORT_BYTES], problems):
                found.setdefault(one.address, one)
    if not found and _status_fields(text):
        found = {one.address: one for one in _read(text.encode()[:_REPORT_BYTES], problems)}
    if not found:
        named = headers.text(root.fields.raw("x-failed-recipients"), problems)
        listed = [word for word in re.split(r"[\s,;]+", named) if "@" in word] or _RECIPIENT_IN_WORDS.findall(text[:20_000])
        status = _STATUS_IN_WORDS.search(text[:20_000])
        for address in listed[:20]:
            code = status[0] if status else ""
            found.setdefault(address, Delivery(address, "failed", code, _reason_in_words(text, address)))
    return tuple(islice(found.values(), MAX_DELIVERIES))


def _complaint(root: Part, subject: str, from_: str, apple: str) -> bool:
    """Complaints without the standard form: Hotmail's old ones, and Apple Mail's unsubscribing."""
    hotmail = "staff@hotmail.com" in from_.lower() and "complaint about message" in subject.lower()
    return apple == "true" or (hotmail and bool(root.children))


def _status_fields(text: str) -> bool:
    """A delivery report's fields stand in the text itself (servers that send them without MIME)."""
    return re.search(r"(?im)^final-recipient:\s*rfc822", text[:_REPORT_BYTES]) is not None


def _read(data: bytes, problems: Problems) -> Iterator[Delivery]:
    """The recipients in a delivery-status body: groups of fields with an empty line between them."""
    at = 0
    for _ in range(MAX_DELIVERIES * 2):
        while data[at : at + 1] in (b"\n", b"\r"):
            at += 1
        if at >= len(data):
            return
        fields, after = fields_of(data, at, len(data), Problems())
        if after <= at or (not fields.all and data[at:after].strip()):
            after = data.find(b"\n", at) + 1
            if not after:
                return
        at = after
        recipient = fields.raw("final-recipient") or fields.raw("original-recipient")
        if recipient is None:
            continue
        address = headers.text(recipient, problems).rpartition(";")[2].strip().strip("<>")
        reason = headers.text(fields.raw("diagnostic-code"), problems)
        kind, semicolon, words = reason.partition(";")
        status = re.search(r"[245]\.\d{1,3}\.\d{1,3}", headers.text(fields.raw("status"), problems))
        action = headers.text(fields.raw("action"), problems).strip().lower()
        if address:
            yield Delivery(
                address[:320],
                action or ("failed" if status and status[0][0] == "5" else ""),
                status[0] if status else "",
                (words if semicolon and re.fullmatch(r"[A-Za-z0-9_-]+", kind.strip()) else reason).strip()[:1000],
            )


def _reason_in_words(text: str, address: str) -> str:
    """The line of a free-form report that names the address, and what follows it."""
    at = text.find(address)
    if at == -1:
        return ""
    start = text.rfind("\n", 0, at) + 1
    return " ".join(text[start : at + len(address) + 300].split("\n\n")[0].split())[:300]
