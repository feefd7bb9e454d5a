"""Opaque S/MIME: the text inside a signature is shown, the seal is kept, and what cannot be opened says so."""

from __future__ import annotations

import base64
import contextlib
import random
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.channels.email import bodies, senders, smime, warnings
from helpdesk.channels.email.mail import Mail
from helpdesk.channels.email.parse import parse
from helpdesk.tickets.words import sender_words

HEAD = b"From: Carol <carol@example.org>\nTo: support@desk.example\nSubject: Printer\n"
INSIDE = (
    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    "It is broken, честно.\n--b\nContent-Type: application/pdf; name=a.pdf\n\n%PDF\n--b--\n"
).encode()
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Carol")])
NOW = datetime(2026, 3, 2, tzinfo=UTC)
CERTIFICATE = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1)
    .not_valid_before(NOW)
    .not_valid_after(NOW + timedelta(days=9000))
    .sign(KEY, hashes.SHA256())
)


def sealed(inside: bytes) -> bytes:
    """The mail inside an opaque signature, in DER."""
    made = pkcs7.PKCS7SignatureBuilder().set_data(inside).add_signer(CERTIFICATE, KEY, hashes.SHA256())
    return made.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def mail(seal: bytes, kind: str = "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m") -> Mail:
    head = f"Content-Type: {kind}\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=smime.p7m\n\n"
    return parse(HEAD + head.encode() + base64.encodebytes(seal))


@pytest.mark.parametrize(
    "kind",
    [
        "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
        "application/x-pkcs7-mime; name=smime.p7m",
        "application/octet-stream; name=smime.p7m",
    ],
)
def test_the_text_and_files_inside_a_signature_are_shown_and_the_seal_is_kept(kind: str) -> None:
    seal = sealed(INSIDE)
    read = mail(seal, kind)
    assert (read.body_text.strip(), read.signed, read.encrypted) == ("It is broken, честно.", "smime", None)
    assert [(one.filename, one.data) for one in read.attachments] == [("smime.p7m", seal), ("a.pdf", b"%PDF")]
    assert not read.problems


def test_what_openssl_writes_while_it_signs_is_read_too(tmp_path: Path) -> None:
    """Its streams are BER: lengths left open, the text in pieces."""
    (tmp_path / "inside").write_bytes(INSIDE * 50)
    pem = KEY.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "pem").write_bytes(pem + CERTIFICATE.public_bytes(Encoding.PEM))
    command = ["openssl", "cms", "-sign", "-nodetach", "-binary", "-stream", "-outform", "DER", "-in", "inside", "-signer", "pem"]
    seal = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=30).stdout
    assert seal[1] == 0x80 and smime.signed_content(seal) == INSIDE * 50


def test_a_signature_inside_a_signature_is_opened_and_a_tower_of_them_is_not() -> None:
    def again(inside: bytes) -> bytes:
        return b"Content-Type: application/pkcs7-mime; smime-type=signed-data\n\n" + sealed(inside)

    assert mail(sealed(again(INSIDE))).body_text.strip() == "It is broken, честно."
    tower = INSIDE
    for _ in range(bodies.MAX_SEALS):
        tower = again(tower)
    high = mail(sealed(tower))
    assert high.body_text == "" and high.problems == (bodies.UNOPENED,) and len(high.attachments) == bodies.MAX_SEALS + 1


def test_encrypted_inside_a_signature_stays_encrypted() -> None:
    envelope = (
        pkcs7.PKCS7EnvelopeBuilder().set_data(INSIDE).add_recipient(rsa_certificate()).encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    )
    inside = b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\n" + envelope
    read = mail(sealed(inside))
    assert (read.body_text, read.signed, read.encrypted) == ("", "smime", "smime")
    assert mail(envelope).encrypted == "smime", "the bytes know better than what the header says"


@pytest.mark.parametrize("seal", [b"", b"MIIB", sealed(INSIDE)[:200], sealed(b"No mail inside"), b"0\x80" * 1000], ids=range(5))
def test_a_signature_that_cannot_be_opened_says_so_and_is_kept(seal: bytes) -> None:
    read = mail(seal)
    assert (read.body_text, read.signed, read.problems) == ("", "smime", (bodies.UNOPENED,))
    assert [one.data for one in read.attachments] == [seal]


def test_a_signed_document_that_somebody_attached_is_a_file_like_others() -> None:
    for content in (b"%PDF-1.4 invoice", b"Total: 5\n\nto pay"):
        part = b"\n--o\nContent-Type: application/pkcs7-mime; name=invoice.pdf.p7m\nContent-Transfer-Encoding: base64\n\n"
        raw = HEAD + b"Content-Type: multipart/mixed; boundary=o\n\n--o\n\nOur invoice.\n" + part + base64.encodebytes(sealed(content))
        read = parse(raw + b"--o--\n")
        assert (read.body_text.strip(), read.signed, read.encrypted, read.problems) == ("Our invoice.", None, None, ())
        assert [one.filename for one in read.attachments] == ["invoice.pdf.p7m"]


def test_an_agent_is_told_of_a_signature_that_nobody_checked_and_of_a_text_that_stayed_hidden() -> None:
    opened, hidden = mail(sealed(INSIDE)), mail(b"MIIB")
    assert senders.judge(opened, "").kept() == {"signed": "smime"} and warnings.about(opened) == []
    assert warnings.about(hidden) == [warnings.UNOPENED]
    assert sender_words({"signed": "smime"}) == ("Signed, not checked", "", "The mail bears a signature (S/MIME), which was not checked.")
    story = sender_words({"verdict": "proven", "dkim": "pass", "by": "desk", "signed": "pgp"})[2]
    assert story.startswith("The sender's domain vouches") and story.endswith("The mail bears a signature (PGP), which was not checked.")


def test_certificates_alone_hide_no_text() -> None:
    alone = pkcs7.serialize_certificates([CERTIFICATE], Encoding.DER)
    read = mail(alone, "application/pkcs7-mime; smime-type=certs-only; name=smime.p7c")
    assert (read.signed, read.encrypted, read.problems) == (None, None, ())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_opened_or_not(data: bytes) -> None:
    for seal in (data, b"0\x80\x06\x09" + data):
        with contextlib.suppress(smime.NotOpened):
            assert isinstance(smime.signed_content(seal), bytes)


def test_broken_seals_are_opened_or_not_and_soon() -> None:
    rng, whole = random.Random(5), sealed(INSIDE)
    began = time.process_time()
    for _ in range(500):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            broken[rng.randrange(120)] = rng.randrange(256)
        try:
            smime.signed_content(bytes(broken))
        except smime.NotOpened:
            continue
    nested = b"0\x80\x06\x09" + bytes.fromhex("2a864886f70d010702") + b"\xa0\x80" + b"0\x80" * 2_000_000
    with pytest.raises(smime.NotOpened):
        smime.signed_content(nested)
    assert time.process_time() - began < 5


def rsa_certificate() -> x509.Certificate:
    """A recipient; envelopes are for RSA keys."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    made = x509.CertificateBuilder(NAME, NAME, key.public_key(), 2).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9000))
    return made.sign(key, hashes.SHA256())
