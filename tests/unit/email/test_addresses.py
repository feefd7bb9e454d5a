"""Who is meant by From, To and Cc, and who only pretends."""

from __future__ import annotations

import pytest

from helpdesk.channels.email import addresses
from helpdesk.channels.email.mail import Address, Problems
from tests.unit.email.mails import made, read


def understood(value: str) -> addresses.People:
    return addresses.read(value.encode(), Problems())


@pytest.mark.parametrize(
    ("value", "shown", "named"),
    [
        ("<a@b.example>", "a@b.example", [("", "a@b.example")]),
        ('"Carol" <a@b.example>', "Carol <a@b.example>", [("Carol", "a@b.example")]),
        ("Name R. John <a@b.example>", '"Name R. John" <a@b.example>', [("Name R. John", "a@b.example")]),
        ("a@b.example (Carol Client)", "a@b.example (Carol Client)", [("Carol Client", "a@b.example")]),
        ("=?utf-8?B?0JrQsNGA0LjQvdCw?= <a@b.example>", '"Карина" <a@b.example>', [("Карина", "a@b.example")]),
        ("Карина К <a@b.example>", '"Карина К" <a@b.example>', [("Карина К", "a@b.example")]),
        ("a@b.example,, c@d.example,", "a@b.example, c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("Friends: a@b.example, C <c@d.example>;", "a@b.example, C <c@d.example>", [("", "a@b.example"), ("C", "c@d.example")]),
        (
            '"Client, Carol" <a@b.example>, d@e.example',
            '"Client, Carol" <a@b.example>, d@e.example',
            [("Client, Carol", "a@b.example"), ("", "d@e.example")],
        ),
        ('"a \\"quoted\\" one" <a@b.example>', '"a \\"quoted\\" one" <a@b.example>', [('a "quoted" one', "a@b.example")]),
        ('"john doe"@b.example', '"john doe"@b.example', [("", '"john doe"@b.example')]),
        ("a@[192.0.2.1]", "a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
        ("Max | [example.com] <a@b.example>", "Max | [example.com] <a@b.example>", [("Max | [example.com]", "a@b.example")]),
        ("Carol a@b.example", "Carol a@b.example", [("Carol", "a@b.example")]),
        ("MAILER-DAEMON (Mail System)", "MAILER-DAEMON (Mail System)", []),
        ("Recipients", "Recipients", []),
        ("undisclosed-recipients:;", "", []),
        ("<<a@b.example>>", "<<a@b.example>>", [("", "a@b.example")]),
    ],
)
def test_an_address_header_is_shown_and_understood(value: str, shown: str, named: list[tuple[str, str]]) -> None:
    people = understood(value)
    assert people.shown == shown
    assert [(one.name, one.email) for one in people.addresses] == named


def test_recipients_between_semicolons_are_found_all_the_same() -> None:
    assert [one.email for one in read("semicolons-between-recipients").to_addresses] == ["bob@desk.example", "dana@desk.example"]


def test_a_comma_inside_an_encoded_name_does_not_split_the_person() -> None:
    mail = read("comma-in-an-encoded-name")
    assert (mail.from_display_name, mail.from_email) == ("Bürling, Andreas", "andreas@example.org")


def test_part_of_a_broken_address_is_never_taken_for_somebody_elses() -> None:
    mail = read("spaces-in-the-sender-address")
    assert mail.from_email == ""
    assert "names no sender" in mail.problems


def test_a_sender_without_an_address_is_answered_where_reply_to_says() -> None:
    mail = read("sender-without-address")
    assert (mail.from_email, mail.from_display_name) == ("carol@example.org", "Carol")
    assert "From names no address; the one in Reply-To was taken" in mail.problems


def test_a_mail_without_any_sender_says_so() -> None:
    assert read("no-sender").from_email == ""
    assert "names no sender" in read("no-sender").problems


def test_of_two_from_headers_the_first_counts_and_the_mail_is_marked() -> None:
    mail = read("two-senders-in-two-headers")
    assert mail.from_email == "eve@evil.example"
    assert "has more than one From: the sender cannot be trusted" in mail.problems


def test_invisible_characters_do_not_make_eve_another_alice() -> None:
    mail = read("zero-width-in-the-sender")
    assert (mail.from_display_name, mail.from_email) == ("Alice Agent", "alice@desk.example")
    assert "invisible or direction-changing characters were removed from From" in mail.problems


def test_a_name_that_shows_another_address_is_marked() -> None:
    assert any(
        "shows another address (alice@desk.example) than the real one (eve@evil.example)" in words
        for words in read("another-address-in-the-sender-name").problems
    )


def test_a_name_that_repeats_the_real_address_is_not_marked() -> None:
    problems = Problems()
    addresses.suspicions(Address("carol@example.org", "carol@example.org"), problems)
    assert not list(problems)


def test_a_domain_with_letters_of_two_scripts_is_marked() -> None:
    assert any("look-alike letters" in words for words in read("look-alike-domain").problems)


@pytest.mark.parametrize("domain", ["почта.рф", "пример.com", "example.org", "müller.example"])
def test_a_domain_in_one_script_is_not_marked(domain: str) -> None:
    problems = Problems()
    addresses.suspicions(Address("", f"info@{domain}"), problems)
    assert not list(problems)


def test_where_the_mail_was_delivered_is_known_even_when_nobody_stands_in_to() -> None:
    mail = read("undisclosed-recipients")
    assert mail.to == ""
    assert mail.delivered_to == ("inbox@desk.example", "sales@desk.example")


@pytest.mark.parametrize("email", ["a@b c", "a b@c", "@b", "a@", "a", "a@b@c", "a@b,c@d", "a@" + "b" * 400, "a\r\nb@c", "<a@b>"])
def test_what_mail_cannot_reach_is_no_address(email: str) -> None:
    assert not addresses.plausible(email)


def test_an_agents_copy_and_a_customers_copy_are_told_apart_by_header() -> None:
    mail = made(b"x", "Cc: Dana <dana@customer.example>", "Reply-To: Carol <other@example.org>")
    assert mail.cc_addresses == (Address("Dana", "dana@customer.example"),)
    assert mail.reply_to_addresses == (Address("Carol", "other@example.org"),)
