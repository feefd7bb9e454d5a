"""One way to write each address: e-mail, phone, messenger, external id."""

from __future__ import annotations

import pytest

from helpdesk.crm.addresses import UnusableAddress, normalise


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("Alice.Smith@EXAMPLE.com", "alice.smith@example.com"),
        (" Alice Smith <alice@example.com> ", "alice@example.com"),
        ("Smith, Alice <alice@example.com>", "alice@example.com"),
        ("mailto:bob@example.com?subject=hello", "bob@example.com"),
        ("bob+orders@example.com", "bob+orders@example.com"),
        ("b.o.b@example.com", "b.o.b@example.com"),
        ("bob@пример.рф", "bob@xn--e1afmkfd.xn--p1ai"),
        ("bob@XN--E1AFMKFD.xn--p1ai", "bob@xn--e1afmkfd.xn--p1ai"),
        ("юра@пример.рф", "юра@xn--e1afmkfd.xn--p1ai"),
        ("bob@desk.local", "bob@desk.local"),
        ("root@localhost", "root@localhost"),
        ("bob@[127.0.0.1]", "bob@[127.0.0.1]"),
        ("bob..b.@docomo.example", "bob..b.@docomo.example"),
        ('"bob carol"@example.com', '"bob carol"@example.com'),
        ("bob@example.com.", "bob@example.com"),
        ("\u200bbob@example.com\u00a0", "bob@example.com"),
    ],
)
def test_an_email_address_is_written_one_way(raw: str, value: str) -> None:
    assert normalise("email", raw).value == value


@pytest.mark.parametrize(
    "raw", ["", "bob", "@example.com", "bob@", "a@b@c", "bob@exa mple.com", "bob@-x.com", "a@x.com, b@x.com", "b" * 250 + "@x.com"]
)
def test_what_is_no_email_address_is_refused(raw: str) -> None:
    with pytest.raises(UnusableAddress) as refused:
        normalise("email", raw)
    assert refused.value.reason == "not_an_email"


def test_two_addresses_at_once_are_refused_because_one_would_be_lost() -> None:
    with pytest.raises(UnusableAddress) as refused:
        normalise("email", "Bob <bob@example.com>, Carol <carol@example.com>")
    assert refused.value.reason == "several_emails"


@pytest.mark.parametrize(
    ("raw", "region", "value"),
    [
        ("+7 495 123-45-67", None, "+74951234567"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("8 (495) 123-45-67", "ru", "+74951234567"),
        ("(495) 123-45-67", "RU", "+74951234567"),
        ("+44 20 7946 0958", "RU", "+442079460958"),
        ("0044 20 7946 0958", "DE", "+442079460958"),
        ("0049 30 123456", None, "+4930123456"),
        ("030 123456", "DE", "+4930123456"),
        ("tel:+1-800-FLOWERS", None, "+18003569377"),
        ("+7 495 123-45-67 доб. 12", None, "+74951234567;ext=12"),
        ("+7 495 123-45-67 ext. 12", None, "+74951234567;ext=12"),
        ("\u202a+7\u00a0495\u00a01234567\u202c", None, "+74951234567"),
    ],
)
def test_a_phone_number_is_written_in_international_form(raw: str, region: str | None, value: str) -> None:
    assert normalise("phone", raw, region=region).value == value


@pytest.mark.parametrize(
    ("raw", "region", "reason"),
    [
        ("8 (495) 123-45-67", None, "phone_without_country"),
        ("495 1234567", "XX", "phone_without_country"),
        ("+999 123456", "RU", "phone_unknown_country"),
        ("12", "RU", "phone_too_short"),
        ("123-45-67", "RU", "phone_too_short"),
        ("+7495123456789012345", None, "phone_too_long"),
        ("hello", "RU", "not_a_phone"),
        ("", "RU", "not_a_phone"),
    ],
)
def test_a_phone_number_that_cannot_be_used_says_why(raw: str, region: str | None, reason: str) -> None:
    with pytest.raises(UnusableAddress) as refused:
        normalise("phone", raw, region=region)
    assert (refused.value.reason, refused.value.status) == (reason, 422)


def test_a_phone_without_country_is_never_guessed_and_the_sentence_says_what_to_do() -> None:
    with pytest.raises(UnusableAddress) as refused:
        normalise("phone", "495 123-45-67")
    assert "495 123-45-67" in str(refused.value.detail) and "+7" in str(refused.value.detail)


@pytest.mark.parametrize(
    ("raw", "within", "value"),
    [
        ("telegram:@Alice", "", "telegram:alice"),
        ("@ALICE", "Telegram", "telegram:alice"),
        ("https://t.me/Alice", "telegram", "telegram:alice"),
        ("t.me/Alice", "telegram", "telegram:alice"),
        ("whatsapp:+7 (916) 123 45 67", "", "whatsapp:+79161234567"),
        ("https://wa.me/79161234567", "whatsapp", "whatsapp:+79161234567"),
        ("viber:AbC==", "", "viber:AbC=="),
        ("matrix:Bob:example.org", "", "matrix:Bob:example.org"),
    ],
)
def test_a_messenger_address_carries_its_network(raw: str, within: str, value: str) -> None:
    assert normalise("messenger", raw, within=within).value == value


def test_a_messenger_name_without_its_network_is_refused() -> None:
    with pytest.raises(UnusableAddress) as refused:
        normalise("messenger", "@alice")
    assert refused.value.reason == "where_from"


@pytest.mark.parametrize("raw", ["telegram:", "telegram:two words", ":alice"])
def test_an_empty_or_broken_messenger_name_is_refused(raw: str) -> None:
    with pytest.raises(UnusableAddress):
        normalise("messenger", raw)


def test_an_external_id_keeps_its_zeros_and_its_capitals_but_not_the_capitals_of_its_system() -> None:
    assert normalise("external", "1C:000Ab").value == normalise("external", " 000Ab ", within="1c").value == "1c:000Ab"


@pytest.mark.parametrize("raw", ["000123", "1c:", "1c:" + "9" * 300])
def test_an_external_id_without_system_or_number_is_refused(raw: str) -> None:
    with pytest.raises(UnusableAddress):
        normalise("external", raw)


@pytest.mark.parametrize("kind", ["email", "phone", "messenger", "external"])
def test_normalising_twice_changes_nothing(kind: str) -> None:
    raw = {"email": "Bob@Пример.рф", "phone": "+7 495 123-45-67 доб. 12", "messenger": "telegram:@Bob", "external": "1C:7"}
    once = normalise(kind, raw[kind]).value
    assert normalise(kind, once).value == once


def test_a_kind_that_does_not_exist_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        normalise("pigeon", "coo")
