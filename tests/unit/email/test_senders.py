"""Who vouches for a mail: the trusted server, read so that nobody slips theirs in; signatures checked here; names that deceive."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from helpdesk.channels.email import bounded, impostors, names, senders, signatures
from helpdesk.channels.email.parse import parse
from tests.zone import records_in

SERVER = "mx.example.com"


def judged(*results: str, author: str = "carol@customer.example", trusted: str = SERVER, more: str = "") -> senders.Checks:
    head = "".join(f"Authentication-Results: {line}\n" for line in results)
    return senders.judge(parse(f"{head}From: Carol <{author}>\n{more}Subject: s\n\nHello".encode()), trusted)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("mx.example.com; dmarc=pass header.from=customer.example", "proven"),
        ("mx.example.com 1; dmarc=pass (p=REJECT) header.from=customer.example", "proven"),
        ("MX.Example.COM; spf=pass smtp.mailfrom=x@customer.example; dkim=none", "proven"),
        ("mx.example.com; dkim=pass header.i=@customer.example header.s=k", "proven"),
        ("mx.example.com; dkim=fail header.d=customer.example; dkim=pass header.d=customer.example", "proven"),
        ("mx.example.com; dmarc=fail header.from=customer.example; spf=pass smtp.mailfrom=customer.example", "failed"),
        ("mx.example.com; spf=pass smtp.mailfrom=evil.example; dkim=pass header.d=evil.example", "unproven"),
        ("mx.example.com; dmarc=pass header.from=evil.example", "unproven"),
        ("mx.example.com; dkim=pass header.d=example", "unproven"),
        ("mx.example.com; dkim=pass", "unproven"),
        ("mx.example.com; spf=softfail; dkim=neutral; dmarc=none", "unproven"),
        ("mx.example.com; none", "unproven"),
        ('mx.example.com; spf=fail smtp.mailfrom="a\\";dmarc=pass"@x', "unproven"),
        ("mx.example.com; spf=fail (a (b) \\) ; dmarc=pass header.from=customer.example)", "unproven"),
        ("mx.example.com; spf=fail (never closed ; dmarc=pass header.from=customer.example", "unproven"),
    ],
)
def test_the_trusted_servers_results_count(line: str, verdict: str) -> None:
    found = judged(line)
    assert (found.verdict, found.by) == (verdict, SERVER)


@pytest.mark.parametrize(
    "line", ["mx.evil.example; dmarc=pass", "mx.example.com.evil.example; dmarc=pass", "dmarc=pass", "", "; dmarc=pass"]
)
def test_other_servers_results_do_not(line: str) -> None:
    assert judged(line) == senders.Checks()
    assert judged(line, "mx.example.com; dmarc=pass header.from=customer.example") == senders.Checks(), "only the topmost header counts"


def test_without_a_trusted_server_nobody_is_believed() -> None:
    assert judged("mx.example.com; dmarc=pass", trusted="") == senders.Checks()


def test_two_senders_are_never_proven() -> None:
    assert judged("mx.example.com; dmarc=pass", more="From: Mallory <mallory@evil.example>\n").verdict == "unproven"


def test_reading_results_is_linear() -> None:
    began = time.process_time()
    for odd in ("(" * 100_000, '"' * 100_001, "; dkim=pass" * 20_000, "\\" * 100_000, "( a \\" * 30_000):
        judged("mx.example.com; " + odd)
    assert time.process_time() - began < 3


# --- signatures ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> tuple[bytes, bytes]:
    """A private key, and the record that publishes it."""
    made = rsa.generate_private_key(65537, 2048)
    private = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    public = made.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    import base64

    return private, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


@pytest.fixture
def dns() -> Iterator[dict[str, bytes]]:
    known: dict[str, bytes] = {}
    before = names.use_resolver(lambda name, kind: records_in(known, name, kind))
    yield known
    names.use_resolver(before)
    bounded.close()


PLAIN = b"From: Carol <carol@customer.example>\r\nTo: support@example.com\r\nSubject: Invoice\r\n\r\nMy invoice is wrong.\r\n"


def signed(key: tuple[bytes, bytes], domain: str = "customer.example", raw: bytes = PLAIN, **more: object) -> bytes:
    return bytes(dkim.sign(raw, b"mail", domain.encode(), key[0], **more)) + raw


def signers(raw: bytes) -> list[str]:
    return signatures.signers(raw, parse(raw))


def test_a_valid_signature_names_its_domain_and_proves_the_sender(key: tuple[bytes, bytes], dns: dict[str, bytes]) -> None:
    dns["mail._domainkey.customer.example"] = key[1]
    raw = signed(key)
    assert signers(raw) == ["customer.example"]
    assert senders.judge(parse(raw), "", signers(raw)).kept() == {
        "verdict": "proven", "spf": "", "dkim": "pass", "dmarc": "", "by": senders.OURSELVES,
    }  # fmt: skip
    assert signers(raw.replace(b"\r\n", b"\n")) == ["customer.example"], "a pipe may have taken the CRs"


@pytest.mark.parametrize("change", ["body", "subject", "no key", "other key", "half signed", "second From", "two records"])
def test_an_invalid_signature_names_nobody(change: str, key: tuple[bytes, bytes], dns: dict[str, bytes]) -> None:
    dns["mail._domainkey.customer.example"] = key[1]
    raw = signed(key, **({"length": True} if change == "half signed" else {}))
    if change == "body":
        raw = raw.replace(b"wrong", b"right")
    elif change == "subject":
        raw = raw.replace(b"Subject: Invoice", b"Subject: Ransom")
    elif change == "no key":
        dns.clear()
    elif change == "other key":
        dns["mail._domainkey.customer.example"] = b"v=DKIM1; k=rsa; p=AAAA"
    elif change == "half signed":
        raw += b"And something else.\r\n"
    elif change == "second From":
        raw = b"From: Mallory <mallory@evil.example>\r\n" + raw
    else:
        names.use_resolver(lambda _name, _kind: [key[1], key[1]])
    assert signers(raw) == []


def test_anothers_signature_proves_nothing_about_the_author(key: tuple[bytes, bytes], dns: dict[str, bytes]) -> None:
    dns["mail._domainkey.evil.example"] = key[1]
    raw = signed(key, "evil.example")
    assert signers(raw) == ["evil.example"] and not senders.judge(parse(raw), "", signers(raw)).proven


def test_a_strict_domain_wants_its_very_own_signature(key: tuple[bytes, bytes], dns: dict[str, bytes]) -> None:
    dns["mail._domainkey.customer.example"] = key[1]
    raw = signed(key, raw=PLAIN.replace(b"@customer", b"@shop.customer"))
    assert senders.judge(parse(raw), "", signers(raw)).proven
    strict = b"v=DMARC1; p=reject; adkim=s"
    dns["_dmarc.customer.example"] = strict
    names.use_resolver(lambda name, kind: records_in(dns, name, kind))
    assert signers(raw) == [], "the registered domain's record counts where the author's has none"
    dns["_dmarc.customer.example"], dns["_dmarc.shop.customer.example"] = b"v=DMARC1; p=none", strict
    names.use_resolver(lambda name, kind: records_in(dns, name, kind))
    assert signers(raw) == []


@pytest.mark.parametrize(
    "odd", ["d=..; s=x", "d=" + "a" * 300 + ".example; s=k", "s=k", "d=evil/example; s=k", "d=a.b; s=../..", "=" * 9000]
)
def test_no_odd_name_reaches_the_name_server(odd: str, dns: dict[str, bytes]) -> None:
    asked: list[str] = []
    names.use_resolver(lambda name, _kind: asked.append(name) or [])  # type: ignore[func-returns-value]
    raw = f"DKIM-Signature: v=1; a=rsa-sha256; {odd}; h=from; bh=x; b=y\r\n".encode() + PLAIN
    assert signers(raw) == [] and asked == []


def test_hostile_bodies_cost_the_child_its_time_and_nobody_else(key: tuple[bytes, bytes], dns: dict[str, bytes]) -> None:
    dns["mail._domainkey.customer.example"] = key[1]
    raw = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer.example; s=mail; h=from; bh=x; b=y\r\n" + PLAIN
    hostile = raw + b" " * 300_000 + b"x"
    parser = bounded.Parser(cpu_seconds=1)
    try:
        began = time.process_time()
        try:
            assert json.loads(parser.ask(b"V", signatures.ask(hostile, {"mail._domainkey.customer.example": key[1].decode()}))) == []
        except bounded.ParseFailed as failed:
            assert "processor time" in failed.reason
        assert time.process_time() - began < 1
    finally:
        parser.close()


# --- names that deceive ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "alike"),
    [
        ("examp1e.com", True), ("exarnple.com", True), ("exаmple.com", True), ("example.co", True), ("example.com.evil.org", True),
        ("exampel.com", True), ("exampe.com", True), ("xn--exmple-4nf.com", True), ("example.com", False), ("mail.example.com", False),
        ("customer.org", False), ("sample.com", False), ("e.com", False), ("", False),
    ],
)  # fmt: skip
def test_a_domain_that_could_be_taken_for_ours_is_seen(domain: str, alike: bool) -> None:
    assert impostors.looks_like(domain, "example.com") is alike


@pytest.mark.parametrize(
    ("domain", "own", "alike"),
    [
        ("mail.examp1e.com", "example.com", True),
        ("example.co.uk", "example.com", True),
        ("mail.example.com.br", "support.example.com", True),
        ("xn--exmple-4nf.com", "support.example.com", True),
        ("support.example.com.evil.org", "help.example.com", True),
        ("exampel.github.io", "example.github.io", True),
        ("example.com", "support.example.com", False),
        ("sales.example.co.uk", "support.example.co.uk", False),
        ("co.uk", "example.co.uk", False),
        ("printer.github.io", "example.github.io", False),
        ("пример.рф", "example.com", False),
        ("mail.ab.ru", "aa.ru", False),
    ],
)
def test_what_was_registered_is_compared_whatever_stands_before_and_behind_it(domain: str, own: str, alike: bool) -> None:
    assert impostors.looks_like(domain, own) is alike


@pytest.mark.parametrize(
    ("domain", "author", "yes"),
    [
        ("customer.example", "customer.example", True), ("customer.example", "mail.customer.example", True),
        ("mailer.customer.co.uk", "sales.customer.co.uk", False), ("shop.customer.example", "customer.example", False),
        ("CUSTOMER.example.", "customer.example", True), ("a.customer.co.uk", "b.a.customer.co.uk", True),
        ("co.uk", "customer.co.uk", False), ("customer.co.uk", "stranger.co.uk", False), ("one.github.io", "other.github.io", False),
        ("github.io", "one.github.io", False), ("example", "customer.example", False), ("", "", False), ("a..b", "a..b", False),
        ("customer.com", "notcustomer.com", False),
    ],
)  # fmt: skip
def test_who_speaks_for_a_domain_has_registered_it(domain: str, author: str, yes: bool) -> None:
    assert senders.aligned(domain, author) is yes


def test_short_domains_of_ours_have_too_many_neighbours() -> None:
    assert not impostors.looks_like("ab.ru", "aa.ru") and not impostors.looks_like("bell.ru", "ball.ru")
