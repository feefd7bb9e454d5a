"""SPF: whether the envelope's domain lets the machine that handed a mail over speak for it; within bounds, whatever a domain says."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from helpdesk.channels.email import bounded, envelope, names, senders
from helpdesk.channels.email.envelope import Spf
from helpdesk.channels.email.parse import parse
from tests.zone import records_in

PEER = "203.0.114.9"
MAIL = parse(b"From: Carol <carol@customer.example>\nSubject: s\n\nHello")


@pytest.fixture
def dns() -> Iterator[dict[str, bytes | list[bytes] | None]]:
    known: dict[str, bytes | list[bytes] | None] = {}
    asked.clear()

    def look(name: str, kind: str) -> list[bytes]:
        asked.append(f"{kind} {name}")
        return records_in(known, name, kind)

    before = names.use_resolver(look)
    yield known
    names.use_resolver(before)
    bounded.close()


asked: list[str] = []
Dns = dict[str, bytes | list[bytes] | None]


def checked(*, peer: str = PEER, sender: str = "carol@customer.example", author: str = "customer.example") -> Spf:
    return envelope.checked(peer, "mx.customer.example", sender, author)


@pytest.mark.parametrize(
    ("record", "result"),
    [
        (b"v=spf1 ip4:203.0.114.0/24 -all", "pass"), (b"v=spf1 a:mail.customer.example -all", "pass"), (b"v=spf1 mx -all", "pass"),
        (b"v=spf1 include:provider.example -all", "pass"), (b"v=spf1 redirect=provider.example", "pass"),
        (b"v=spf1 exists:%{ir}.%{v}.list.example -all", "pass"), (b"v=spf1 ptr -all", "pass"), (b"V=SPF1 +all", "pass"),
        (b"v=spf1 -all", "fail"), (b"v=spf1 ~all", "softfail"), (b"v=spf1 ?all", "neutral"),
        (b"v=spf1 ip4:203.0.114.9/33 -all", "permerror"), (b"v=spf1 moo -all", "permerror"),
        (b"v=spf1 include:nobody.example -all", "permerror"),
        (b"v=spf10 +all", "none"),
        (b"spf pass", "none"), (b"\xff\xfe v=spf1 +all", "none"), (b"v=spf1 \xd0\xb0 +all", "permerror"),
    ],
)  # fmt: skip
def test_a_domains_record_decides(record: bytes, result: str, dns: Dns) -> None:
    dns.update({
        "customer.example": [b"google-site-verification=x", record], "A mail.customer.example": PEER.encode(),
        "MX customer.example": [b"10 mail.customer.example"], "provider.example": b"v=spf1 ip4:203.0.114.9 -all",
        "A 9.114.0.203.in-addr.list.example": b"127.0.0.2", "PTR 9.114.0.203.in-addr.arpa": b"mail.customer.example",
    })  # fmt: skip
    found = checked()
    assert found == Spf(result, "customer.example" if result == "pass" else "")
    assert senders.judge(MAIL, "", None, found).kept() == {
        "verdict": "proven" if result == "pass" else "unproven", "spf": result, "dkim": "none", "dmarc": "", "by": senders.OURSELVES,
    }  # fmt: skip


def test_an_ipv6_peer_is_looked_up_as_one(dns: Dns) -> None:
    dns.update({"customer.example": b"v=spf1 a -all", "AAAA customer.example": b"2a00:1450::1", "A customer.example": b"203.0.114.9"})
    assert checked(peer="2a00:1450::1").result == "pass" and checked(peer="2a00:1450::2").result == "fail"


def test_anothers_envelope_proves_nothing_about_the_author(dns: Dns) -> None:
    dns["evil.example"] = b"v=spf1 +all"
    found = checked(sender="mallory@evil.example")
    assert found == Spf("pass", "evil.example") and not senders.judge(MAIL, "", None, found).proven


def test_a_lent_domain_below_or_beside_the_authors_does_not_speak_for_it(dns: Dns) -> None:
    dns["shop.customer.example"] = b"v=spf1 +all"
    assert not senders.judge(MAIL, "", None, checked(sender="x@shop.customer.example")).proven


def test_the_domain_above_speaks_for_the_author_unless_its_owner_is_strict(dns: Dns) -> None:
    mail = parse(b"From: Carol <carol@shop.customer.example>\nSubject: s\n\nHello")
    dns["customer.example"] = b"v=spf1 +all"
    found = checked(author="shop.customer.example")
    assert senders.judge(mail, "", None, found).proven
    dns["_dmarc.customer.example"] = b"v=DMARC1; p=reject; aspf=s"
    names.use_resolver(lambda name, kind: records_in(dns, name, kind))
    found = checked(author="shop.customer.example")
    assert found == Spf("pass") and not senders.judge(mail, "", None, found).proven


def test_a_signature_and_an_envelope_are_told_apart(dns: Dns) -> None:
    dns["customer.example"] = b"v=spf1 -all"
    found = senders.judge(MAIL, "", ["customer.example"], checked())
    assert (found.verdict, found.spf, found.dkim) == ("proven", "fail", "pass"), "a forwarded mail keeps its signature"


def test_two_senders_are_never_proven_by_an_envelope(dns: Dns) -> None:
    dns["customer.example"] = b"v=spf1 +all"
    mail = parse(b"From: carol@customer.example\nFrom: mallory@evil.example\nSubject: s\n\nHello")
    assert not senders.judge(mail, "", None, checked()).proven


def test_a_trusted_servers_word_goes_before_ours(dns: Dns) -> None:
    mail = parse(b"Authentication-Results: mx.example.com; dmarc=fail\nFrom: carol@customer.example\nSubject: s\n\nHello")
    assert senders.judge(mail, "mx.example.com", None, Spf("pass", "customer.example")).verdict == "failed"


# --- bounds ----------------------------------------------------------------------------------------------------------------------------


def test_a_server_that_does_not_answer_is_no_pass_and_no_fail(dns: Dns) -> None:
    dns["customer.example"] = None
    assert checked().result == "temperror"
    assert checked().result == "temperror" and len(asked) == 1, "remembered for a moment"


def test_a_record_that_sends_us_round_in_circles_ends(dns: Dns) -> None:
    dns["customer.example"] = b"v=spf1 include:customer.example -all"
    assert checked().result == "permerror" and len(asked) <= 12


def test_a_record_with_very_many_look_ups_ends(dns: Dns) -> None:
    dns["customer.example"] = b"v=spf1 " + b" ".join(b"a:h%d.customer.example" % number for number in range(60)) + b" +all"
    dns.update({f"A h{number}.customer.example": b"192.0.2.1" for number in range(60)})
    assert checked().result == "permerror" and len(asked) <= 12


def test_ten_exchanges_of_each_of_ten_mechanisms_are_not_all_asked_for(dns: Dns) -> None:
    dns["customer.example"] = b"v=spf1 " + b" ".join(b"mx:m%d.customer.example" % number for number in range(10)) + b" +all"
    for number in range(10):
        hosts = [f"h{number}-{host}.customer.example" for host in range(10)]
        dns[f"MX m{number}.customer.example"] = [f"10 {host}".encode() for host in hosts]
        dns.update({f"A {host}": b"192.0.2.1" for host in hosts})
    assert checked().result == "temperror" and len(asked) == envelope.MOST_QUESTIONS


def test_the_time_of_all_look_ups_together_is_bounded(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "PATIENCE_S", 0.0)
    dns["customer.example"] = b"v=spf1 +all"
    assert checked().result == "temperror" and asked == []


def test_void_look_ups_end_after_two(dns: Dns) -> None:
    dns["customer.example"] = b"v=spf1 a:n1.example a:n2.example a:n3.example a:n4.example +all"
    assert checked().result == "permerror" and len(asked) == 4


@pytest.mark.parametrize(
    "sender", ["", "carol", "@customer.example", "carol@", "carol@localhost", "carol@a..b", "c@" + "a" * 300 + ".example", "x@a/b.example"]
)
def test_no_odd_domain_reaches_the_name_server(sender: str, dns: Dns) -> None:
    assert checked(sender=sender) == Spf("none") and asked == []


def test_a_domain_in_letters_is_asked_for_as_it_is_registered(dns: Dns) -> None:
    dns["xn--80ak6aa92e.example"] = b"v=spf1 +all"
    assert checked(sender="x@аррӏе.example").domain == "xn--80ak6aa92e.example"


def test_a_child_that_dies_proves_nothing(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    def died(_question: bytes, *, what: bytes) -> bytes:
        raise bounded.ParseFailed("the parser died")

    monkeypatch.setattr(bounded, "verify", died)
    dns["customer.example"] = b"v=spf1 +all"
    assert checked() == Spf("permerror")


# --- who is a stranger -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "kept"),
    [
        ("203.0.114.9", "203.0.114.9"), ("::ffff:203.0.114.9", "203.0.114.9"), ("2a00:1450::1", "2a00:1450::1"),
        ("127.0.0.1", ""), ("::1", ""), ("10.1.2.3", ""), ("192.168.0.2", ""), ("172.16.0.9", ""), ("169.254.1.1", ""),
        ("fe80::1%eth0", ""), ("fd00::1", ""), ("::ffff:10.0.0.1", ""), ("224.0.0.1", ""), ("0.0.0.0", ""), ("", ""),
        ("/run/lmtp.sock", ""), ("9.9.9.9", ""), ("2620:fe::9", ""),
    ],
)  # fmt: skip
def test_only_strangers_on_the_internet_are_kept(peer: str, kept: str) -> None:
    assert envelope.outside(peer, [ip_network("9.9.9.0/24"), ip_network("2620:fe::/48")]) == kept
