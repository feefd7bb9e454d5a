"""What the person wrote now, apart from quote and signature; folded, never dropped."""

from __future__ import annotations

import re

import pytest

from helpdesk.channels.email.quotes import split_text
from tests.unit.email.mails import FOLDER, made, read


@pytest.mark.parametrize(
    ("oddity", "reply"),
    [
        ("reply-in-russian-gmail", "Спасибо, помогло!"),
        ("reply-in-russian-outlook", "Не помогло."),
        ("reply-in-html-gmail", "It works now."),
        ("reply-in-html-outlook", "Still broken."),
        ("text-in-soft-lines", "This paragraph was broken by the mail program."),
        ("forwarded-in-the-text", "Please take this one."),
        ("forwarded-in-russian", "Возьмите, пожалуйста."),
    ],
)
def test_the_reply_stands_apart_from_what_is_older(oddity: str, reply: str) -> None:
    mail = read(oddity)
    assert mail.reply_text == reply
    assert mail.quote_text


def test_answers_between_quotes_stay_with_the_questions_they_answer() -> None:
    mail = read("answers-between-the-quotes")
    assert "> Which printer?\n\nThe one on the third floor." in mail.reply_text
    assert mail.reply_text.endswith("E-42.")
    assert mail.quote_text == "--\nCarol"


def test_a_mail_that_is_only_a_quote_is_left_open() -> None:
    mail = read("nothing-but-a-quote")
    assert mail.reply_text == mail.body_text.strip()
    assert mail.quote_text == ""


def test_a_travel_request_is_not_taken_for_an_older_message() -> None:
    assert read("travel-request-that-looks-like-a-header").quote_text == ""


@pytest.mark.parametrize(
    "introduction",
    [
        "On Mon, 4 May 2026 at 09:00, Support <support@desk.example> wrote:",
        "On May 4, 2026, at 9:00 AM, Support\n<support@desk.example>\nwrote:",
        "4 мая 2026 г., 10:00 пользователь Поддержка <support@desk.example> написал(а):",
        "04.05.2026 10:00, Поддержка пишет:",
        '04.05.2026, 10:00, "Поддержка" <support@desk.example>:',
        "Понедельник, 4 мая 2026, 10:00 +03:00 от Поддержка <support@desk.example>:",
        "Am 04.05.2026 um 10:00 schrieb Support <support@desk.example>:",
        "Le lun. 4 mai 2026 à 10:00, Support <support@desk.example> a écrit :",
        "El lun, 4 may 2026 a las 10:00, Support (<support@desk.example>) escribió:",
        "Il giorno lun 4 mag 2026 alle ore 10:00 Support <support@desk.example> ha scritto:",
        "Op ma 4 mei 2026 om 10:00 schreef Support <support@desk.example>:",
    ],
)
def test_the_line_that_introduces_a_quote_folds_with_it(introduction: str) -> None:
    assert split_text(f"Thank you!\n\n{introduction}\n\n> Restart it.\n")[0] == "Thank you!"


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nCarol\nClient Ltd",
        "--\nCarol\n\n+7 495 000-00-00",
        "Sent from my iPhone",
        "Отправлено с iPhone",
        "Отправлено из мобильной Почты Mail",
        "С уважением,\nКарина Клиентова\nООО Ромашка\n+7 495 000-00-00",
        "Best regards,\nCarol",
        "Mit freundlichen Grüßen\nCarol",
        "Get Outlook for iOS",
        "-Carol",
    ],
)
def test_signatures_fold(signature: str) -> None:
    reply, folded = split_text(f"It still does not print.\n\n{signature}\n")
    assert reply == "It still does not print."
    assert folded == signature


@pytest.mark.parametrize(
    "text",
    [
        "A fix -- this is no signature.\n\nBye",
        "- one\n- two\n- three",
        "Regards to all of you, and now to the matter: it is broken.\n\nHelp!",
        "Sent from my desk, which is easier than my phone.",
        "I call it _underscored_",
        "The log says:\n\nerror 1\n\nerror 2",
        "On your host you can run:\n\n  telnet",
        "С уважением отнеситесь к просьбе: почините принтер.",
    ],
)
def test_words_that_only_look_like_signatures_stay(text: str) -> None:
    assert split_text(text) == (text, "")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.eml")), ids=lambda path: path.stem)
def test_nothing_is_dropped_between_reply_and_quote(path: object) -> None:
    mail = read(path.stem)  # type: ignore[attr-defined]
    whole = re.sub(r"[\s>_]+", "", mail.body_text)
    assert re.sub(r"[\s>_]+", "", mail.reply_text + mail.quote_text) == whole


def test_a_person_who_tells_what_somebody_wrote_is_not_folded() -> None:
    text = "I was told this.\n\nYesterday at 10:30 your colleague wrote:\nrestart it.\n\nI did, and it does not help."
    assert split_text(text) == (text, "")


def test_a_quote_without_signs_folds_below_its_introduction() -> None:
    text = "Thanks.\n\nOn Mon, 4 May 2026 at 09:00, Support <support@desk.example> wrote:\n\nRestart it.\nAlice"
    assert split_text(text)[0] == "Thanks."


def test_html_is_cut_at_the_same_place_and_both_pieces_are_well_formed() -> None:
    for oddity, kept, folded in [
        ("reply-in-html-gmail", "It works <b>now</b>.", "Please restart it."),
        ("reply-in-html-outlook", "Still broken.", "Please restart it."),
    ]:
        mail = read(oddity)
        assert kept in mail.reply_html
        assert folded not in mail.reply_html
        assert folded in mail.quote_html
        for piece in (mail.reply_html, mail.quote_html):
            assert len(re.findall(r"<div[ >]", piece)) == piece.count("</div>")
            assert len(re.findall(r"<p[ >]", piece)) == piece.count("</p>")


def test_html_without_a_quote_is_not_cut() -> None:
    mail = made(b"<p>Hello</p>", "Content-Type: text/html")
    assert (mail.reply_html, mail.quote_html) == ("<p>Hello</p>", "")


def test_a_horizontal_rule_with_an_older_header_below_folds() -> None:
    html = b"<p>New words</p><hr><p><b>From:</b> S &lt;s@desk.example&gt;<br><b>Sent:</b> Monday<br><b>Subject:</b> x</p><p>Old</p>"
    assert made(html, "Content-Type: text/html").reply_text == "New words"


def test_a_log_of_many_lines_folds_where_nobody_reads_on() -> None:
    reply, folded = split_text("\n".join(f"line {number}" for number in range(30_000)))
    assert reply.endswith("line 9999")
    assert folded.endswith("line 29999")
