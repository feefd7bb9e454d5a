"""Words and files: which parts of a mail are which, when it is well made and when it is broken."""

from __future__ import annotations

import hashlib

import pytest

from helpdesk.channels.email.bodies import unflowed
from helpdesk.channels.email.mail import as_json, from_wire, to_wire
from tests.unit.email.mails import FOLDER, made, read


def test_text_between_two_files_is_not_lost() -> None:
    mail = read("words-around-a-file")
    assert mail.body_text.split("\n") == ["First the words above.", "Then the words below."]
    assert [(one.filename, one.data) for one in mail.attachments] == [("plan.pdf", b"%PDF-1.4")]


def test_an_attachment_knows_its_size_and_hashes() -> None:
    (file,) = read("words-around-a-file").attachments
    assert (file.size, file.content_type) == (8, "application/pdf")
    assert file.md5 == hashlib.md5(b"%PDF-1.4").hexdigest()
    assert file.sha256 == hashlib.sha256(b"%PDF-1.4").hexdigest()


def test_html_wins_over_plain_text_and_both_survive_missing_ends() -> None:
    mail = read("multiparts-without-their-ends")
    assert (mail.content_type, mail.body_text) == ("text/html", "html words")
    assert [one.filename for one in mail.attachments] == ["plan.pdf"]


def test_html_that_shows_nothing_gives_way_to_the_plain_text() -> None:
    mail = read("html-that-shows-nothing")
    assert (mail.content_type, mail.body_text, mail.body_html) == ("text/plain", "The plain words count.", "")
    assert mail.remote_images == 1


def test_two_html_documents_are_both_shown_and_the_second_is_kept_as_it_came() -> None:
    body = (
        b"--b\nContent-Type: text/html\n\n<p>above</p>\n--b\nContent-Type: image/png; name=a.png\n\nx\n"
        b"--b\nContent-Type: text/html\n\n<p>below</p>\n--b--"
    )
    mail = made(body, "Content-Type: multipart/mixed; boundary=b")
    assert mail.body_text.split() == ["above", "below"]
    assert [one.filename for one in mail.attachments] == ["a.png", "document.html"]


def test_plain_text_after_html_is_shown_below_it() -> None:
    body = b"--b\nContent-Type: text/html\n\n<p>Hello</p>\n--b\nContent-Type: text/plain\n\n<sent by a list>\n--b--"
    mail = made(body, "Content-Type: multipart/mixed; boundary=b")
    assert mail.body_text.split("\n") == ["Hello", "", "<sent by a list>"]
    assert "&lt;sent by a list&gt;" in mail.body_html


def test_an_image_of_the_mail_keeps_its_reference_and_a_remote_one_does_not() -> None:
    mail = read("image-inside-html")
    assert 'src="cid:shot@example.org"' in mail.body_html
    assert "tracker.example" not in mail.body_html
    assert mail.remote_images == 1
    assert [(one.filename, one.inline, one.content_id) for one in mail.attachments] == [("shot.png", True, "shot@example.org")]


def test_an_image_between_plain_words_is_shown_in_its_place() -> None:
    mail = read("image-between-plain-words")
    (image,) = mail.attachments
    assert image.inline
    before, after = mail.body_html.split(f'<img src="cid:{image.content_id}">')
    assert "Before the picture." in before
    assert "After &lt;the&gt; picture." in after


def test_an_image_nobody_refers_to_is_a_plain_attachment() -> None:
    body = b"--b\nContent-Type: text/html\n\n<p>Hi</p>\n--b\nContent-Type: image/png; name=a.png\nContent-ID: <a@b>\n\nx\n--b--"
    assert not made(body, "Content-Type: multipart/mixed; boundary=b").attachments[0].inline


@pytest.mark.parametrize(
    ("oddity", "words", "problem"),
    [
        (
            "multipart-without-its-boundary",
            "The words are here all the same.",
            "says it has several parts but they cannot be told apart; read as text",
        ),
        ("junk-line-in-the-header", "The body.", "the header has a line that is no field"),
        ("header-without-an-empty-line", "Good morning, my printer is broken.\nAnd it smells.", "the header ends without an empty line"),
        ("no-header-at-all", "Just words, sent by a very small program.", "has no header"),
        ("doubled-line-ends", "one\ntwo", "has doubled line ends"),
        ("line-ends-of-an-old-macintosh", "one\ntwo", "has line ends of an old Macintosh"),
        ("transfer-encoding-nobody-knows", "words as they are", "names an unknown transfer encoding (rot13)"),
        ("lines-of-a-mailbox-file", "From here on all is well.", None),
    ],
)
def test_a_broken_mail_keeps_its_words_and_says_what_is_broken(oddity: str, words: str, problem: str | None) -> None:
    mail = read(oddity)
    assert mail.body_text.strip() == words
    assert problem in mail.problems if problem else not mail.problems


def test_nothing_at_all_is_a_mail_without_anything() -> None:
    mail = read("nothing-at-all")
    assert (mail.from_email, mail.subject, mail.body_text, mail.attachments) == ("", "", "", ())
    assert mail.problems == ("has no header", "names no sender")


def test_a_uuencoded_part_is_a_file() -> None:
    assert [(one.filename, one.data) for one in read("uuencoded-part").attachments] == [("hi.txt", b"Hello, world!")]


def test_outlooks_winmail_dat_is_unpacked() -> None:
    mail = read("outlook-winmail-dat")
    assert [(one.filename, one.content_type, one.data) for one in mail.attachments] == [
        ("Отчёт за май.pdf", "application/pdf", b"%PDF-1.4 report"),
        ("photo.png", "image/png", b"\x89PNG data"),
    ]


def test_a_winmail_dat_that_breaks_off_gives_what_it_has_and_is_kept() -> None:
    mail = read("winmail-dat-that-breaks-off")
    assert mail.attachments[0].data == b"%PDF-1.4 report"
    assert mail.attachments[-1].filename == "winmail.dat"
    assert "has a winmail.dat that breaks off; what could be read of it is shown" in mail.problems


def test_a_body_that_only_outlook_could_read_is_read() -> None:
    assert read("outlook-body-only-in-winmail-dat").body_text == "Only Outlook could read this."


def test_a_winmail_dat_that_is_none_is_kept_as_it_came() -> None:
    mail = made(b"not tnef", "Content-Type: application/ms-tnef; name=winmail.dat")
    assert [one.filename for one in mail.attachments] == ["winmail.dat"]
    assert any("cannot be read" in words for words in mail.problems)


def test_signed_and_encrypted_mail_is_kept_and_marked() -> None:
    signed = read("signed-with-smime")
    assert (signed.signed, signed.encrypted, signed.body_text) == ("smime", None, "Signed words.")
    assert [one.filename for one in signed.attachments] == ["smime.p7s"]
    for oddity, kind in [("encrypted-with-pgp", "pgp"), ("encrypted-with-smime", "smime"), ("encrypted-with-pgp-in-the-text", "pgp")]:
        mail = read(oddity)
        assert mail.encrypted == kind
        assert "is encrypted; its text cannot be read here" in mail.problems
        assert mail.attachments or mail.body_text


def test_an_invitation_shows_its_words_and_keeps_its_calendar() -> None:
    mail = read("invitation")
    assert (mail.calendar_method, mail.automatic, mail.body_text) == ("REQUEST", None, "You are invited.")
    assert [(one.filename, one.content_type) for one in mail.attachments] == [("invite.ics", "text/calendar")]


def test_a_calendar_alone_is_read_aloud() -> None:
    assert read("invitation-accepted").body_text == "Visit of the engineer\n20260504T100000Z\nThird floor"


def test_soft_lines_are_joined_and_hard_ones_stay() -> None:
    mail = read("text-in-soft-lines")
    assert mail.body_text.startswith("This paragraph was broken by the mail program.\n\n> And this quote too.\n\n-- \nCarol")
    assert unflowed("日本 \n語", delsp=True) == "日本語"


def test_the_writer_of_a_forwarded_mail_is_suggested() -> None:
    for oddity in ("forwarded-in-the-text", "forwarded-as-attachment", "forwarded-in-russian"):
        found = read(oddity).forwarded_from
        assert found is not None
        assert found.email == "dana@customer.example", oddity
        assert read(oddity).from_email == "bob@desk.example"


def test_nobody_is_suggested_where_nothing_was_forwarded() -> None:
    for oddity in ("reply-in-russian-outlook", "reply-in-html-gmail", "travel-request-that-looks-like-a-header", "bounce"):
        found = read(oddity).forwarded_from
        assert found is None or oddity == "bounce"


def test_authentication_results_are_kept_word_for_word_top_first() -> None:
    mail = made(
        b"x",
        "Authentication-Results: mx.desk.example; dmarc=pass header.from=example.org",
        "Authentication-Results: evil; dmarc=pass",
        "Received-SPF: pass",
    )
    assert mail.authentication == (
        "Authentication-Results: mx.desk.example; dmarc=pass header.from=example.org",
        "Authentication-Results: evil; dmarc=pass",
        "Received-SPF: pass",
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Принтер не печатает", "ru"),
        ("The printer is not printing", "en"),
        ("Der Drucker druckt nicht", None),
        ("Принтер не друкує, її", None),
        ("42", None),
    ],
)
def test_the_language_is_guessed_or_left_open(text: str, language: str | None) -> None:
    assert made(text.encode(), "Content-Type: text/plain; charset=utf-8", "Subject: 42").language == language


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.eml")), ids=lambda path: path.stem)
def test_every_mail_crosses_the_wire_unchanged(path: object) -> None:
    mail = read(path.stem)  # type: ignore[attr-defined]
    assert from_wire(to_wire(mail)) == mail


def test_a_wire_cut_short_is_refused() -> None:
    wire = to_wire(read("words-around-a-file"))
    for cut in (0, 3, len(wire) - 1):
        with pytest.raises(ValueError):
            from_wire(wire[:cut])


def test_the_json_form_has_exactly_its_keys_and_null_for_what_is_absent() -> None:
    shown = as_json(read("words-around-a-file"))
    assert list(shown) == [
        "from",
        "from_email",
        "from_display_name",
        "to",
        "cc",
        "reply_to",
        "subject",
        "body_text",
        "body_html",
        "reply_text",
        "automatic",
        "attachments",
        "message_id",
        "references",
        "problems",
    ]
    assert shown["cc"] is None
    assert shown["body_html"] is None
    assert shown["automatic"] is None
    assert shown["message_id"] == "<carol-1@example.org>"
    assert shown["attachments"] == [
        {"filename": "plan.pdf", "content_type": "application/pdf", "size": 8, "md5": hashlib.md5(b"%PDF-1.4").hexdigest(), "inline": False}
    ]
    assert as_json(read("undisclosed-recipients"))["to"] == ""
