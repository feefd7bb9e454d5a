"""What programs in the wild write: old charsets, file names in pieces, answers above quotes in Russian and English, odd wrappings."""

from __future__ import annotations

import base64

import pytest

from helpdesk.channels.email.parse import parse

HEAD = b"From: Carol <carol@customer.example>\nTo: support@example.com\n"
PLAIN = b"Content-Type: text/plain; charset=utf-8\n\n"

#: An answer as each program writes it above what it answers; the person's own words are the first line.
ANSWERS = {
    "gmail-ru": (
        "Спасибо, помогло.",
        "",
        "пн, 2 мар. 2026 г. в 10:00, Support <support@example.com>:",
        "",
        "> Сделано.",
    ),
    "gmail-en": (
        "Thanks.",
        "",
        "On Mon, Mar 2, 2026 at 10:00 AM Support <support@example.com> wrote:",
        "",
        "> Done.",
    ),
    "apple-ru": (
        "Спасибо.",
        "",
        "Отправлено с iPhone",
        "",
        "> 2 марта 2026 г., в 10:00, Support <support@example.com> написал(а):",
        "> ",
        "> Сделано.",
    ),
    "apple-en": (
        "Thanks.",
        "",
        "Sent from my iPhone",
        "",
        "> On 2 Mar 2026, at 10:00, Support <support@example.com> wrote:",
        "> ",
        "> Done.",
    ),
    "yandex-ru": (
        "Спасибо.",
        "",
        '02.03.2026, 10:00, "Support" <support@example.com>:',
        "",
        "> Сделано.",
        "",
        "-- ",
        "С уважением, Карина",
    ),
    "mailru": (
        "Спасибо.",
        "",
        "",
        "-- ",
        "Карина",
        "Отправлено из Почты Mail",
        " ",
        " ",
        ">Понедельник, 2 марта 2026, 10:00 +03:00 от Support <support@example.com>:",
        "> ",
        ">Сделано.",
    ),
    "mailru2": (
        "Спасибо.",
        "",
        "Отправлено из мобильной Почты Mail",
        "",
        "понедельник, 2 марта 2026 г., 10:00 +0300 от support@example.com <support@example.com>:",
        ">Сделано.",
    ),
    "outlook-ru": (
        "Спасибо.",
        "",
        "От: Support <support@example.com>",
        "Отправлено: 2 марта 2026 г. 10:00",
        "Кому: Carol",
        "Тема: Счёт",
        "",
        "Сделано.",
    ),
    "outlook-en": (
        "Thanks.",
        "",
        "________________________________",
        "From: Support <support@example.com>",
        "Sent: Monday, March 2, 2026 10:00 AM",
        "To: Carol",
        "Subject: Invoice",
        "",
        "Done.",
    ),
    "outlook-orig-ru": (
        "Спасибо.",
        "",
        "-----Исходное сообщение-----",
        "From: Support [mailto:support@example.com]",
        "Sent: Monday",
        "To: Carol",
        "Subject: RE",
        "",
        "Сделано.",
    ),
    "thunderbird-ru": (
        "Спасибо.",
        "",
        "02.03.2026 10:00, Support пишет:",
        "> Сделано.",
    ),
    "samsung": (
        "Thanks.",
        "",
        "",
        "-------- Original message --------",
        "From: Support <support@example.com>",
        "Date: 02/03/2026 10:00 (GMT+00:00)",
        "To: Carol",
        "Subject: Invoice",
        "",
        "Done.",
    ),
    "rambler": (
        "Спасибо.",
        "",
        "02.03.2026, 10:00, Support <support@example.com> пишет:",
        "Сделано.",
    ),
    "proton": (
        "Thanks.",
        "",
        "Sent with Proton Mail secure email.",
        "",
        "On Monday, March 2nd, 2026 at 10:00, Support <support@example.com> wrote:",
        "",
        "> Done.",
    ),
    "outlook-mobile-ru": (
        "Спасибо.",
        "",
        "Получить Outlook для iOS<https://aka.ms/o0ukef>",
        "________________________________",
        "От: Support <support@example.com>",
        "Отправлено: понедельник, марта 2, 2026 10:00",
        "Кому: Carol",
        "Тема: Счёт",
        "",
        "Сделано.",
    ),
}


@pytest.mark.parametrize("program", list(ANSWERS))
def test_an_answer_stands_apart_whichever_program_wrote_it(program: str) -> None:
    text = "\n".join(ANSWERS[program])
    mail = parse(HEAD + b"Subject: s\n" + PLAIN + text.encode())
    assert mail.reply_text == ANSWERS[program][0]
    assert "Сделано." in mail.quote_text or "Done." in mail.quote_text


def test_answers_below_the_quote_keep_it_as_their_context() -> None:
    """The Bat! and old hands answer below."""
    text = "Здравствуйте, Support.\n\nВы писали 2 марта 2026 г., 10:00:00:\n\n> Сделано.\n\nСпасибо.\n\n-- \nС уважением,\n Карина\n"
    mail = parse(HEAD + b"Subject: s\n" + PLAIN + text.encode())
    assert "> Сделано.\n\nСпасибо." in mail.reply_text and mail.quote_text.startswith("--")


@pytest.mark.parametrize(
    ("charset", "codec", "words"),
    [
        ("gb2312", "gb2312", "发票问题"), ("iso-2022-jp", "iso2022_jp", "請求書の件"), ("koi8-r", "koi8-r", "Счёт неверен"),
        ("windows-1251", "cp1251", "Счёт неверен"), ("euc-kr", "euc-kr", "청구서 문의"), ("big5", "big5", "發票問題"),
        ("iso-8859-5", "iso8859_5", "Счет неверен"), ("cp866", "cp866", "Счет неверен"), ("shift_jis", "shift_jis", "請求書の件"),
        ("iso-8859-15", "iso8859_15", "Gebühr 5 €"), ("utf-16", "utf-16", "Счёт"),
    ],
)  # fmt: skip
def test_headers_and_bodies_in_old_charsets_are_read(charset: str, codec: str, words: str) -> None:
    encoded = base64.b64encode(words.encode(codec))
    subject = b"Subject: =?" + charset.encode() + b"?B?" + encoded + b"?=\n"
    body = b"Content-Type: text/plain; charset=" + charset.encode() + b"\nContent-Transfer-Encoding: base64\n\n" + encoded
    mail = parse(HEAD + subject + body)
    assert mail.subject == words and mail.body_text == words


def test_utf_7_is_read_in_headers_and_bodies() -> None:
    mail = parse(HEAD + b"Subject: =?utf-7?Q?Invoice_+ACE- +BCEERwRRBEI-?=\nContent-Type: text/plain; charset=utf-7\n\nHi +BCEERwRRBEI-")
    assert mail.subject == "Invoice ! Счёт" and mail.body_text == "Hi Счёт"


def test_a_file_name_in_pieces_and_a_foreign_charset_is_put_together() -> None:
    raw = (
        HEAD + b"Subject: f\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" + PLAIN + b"x\n--b\nContent-Type: application/pdf;\n"
        b" name*0*=koi8-r''%F3%DE;\n name*1*=%A3%D4;\n name*2=.pdf\nContent-Disposition: attachment\n\n%PDF\n--b--\n"
    )
    assert [one.filename for one in parse(raw).attachments] == ["Счёт.pdf"]


def test_a_journal_report_keeps_the_mail_it_carries_and_names_its_writer() -> None:
    raw = (
        b"From: Journal <journal@example.com>\nTo: support@example.com\nSubject: Invoice\nX-MS-Journal-Report:\n"
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nSender: carol@customer.example\nSubject: Invoice\n"
        b"\n--b\nContent-Type: message/rfc822\n\n" + HEAD + b"Subject: Invoice\n" + PLAIN + b"It is wrong.\n--b--\n"
    )
    mail = parse(raw)
    assert [one.filename for one in mail.attachments] == ["Invoice.eml"] and b"It is wrong." in mail.attachments[0].data
    assert mail.forwarded_from is not None and mail.forwarded_from.email == "carol@customer.example"


@pytest.mark.parametrize(
    ("kind", "signed", "encrypted"),
    [("signed-data", "smime", None), ("enveloped-data", None, "smime"), ("authEnveloped-data", None, "smime")],
)
def test_sealed_mail_is_kept_whole_and_shown_as_such(kind: str, signed: str | None, encrypted: str | None) -> None:
    seal = f"Content-Type: application/pkcs7-mime; smime-type={kind}; name=smime.p7m\nContent-Transfer-Encoding: base64\n\nMIIB\n"
    mail = parse(HEAD + b"Subject: s\n" + seal.encode())
    assert (mail.signed, mail.encrypted) == (signed, encrypted)
    assert [one.filename for one in mail.attachments] == ["smime.p7m"] and mail.problems
