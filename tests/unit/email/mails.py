"""The odd mails of tests/mail, by name, and mails made on the spot."""

from __future__ import annotations

from pathlib import Path

from helpdesk.channels.email.mail import Mail
from helpdesk.channels.email.parse import parse

FOLDER = Path(__file__).parents[2] / "mail"


def raw(oddity: str) -> bytes:
    """The bytes of tests/mail/<oddity>.eml."""
    return (FOLDER / f"{oddity}.eml").read_bytes()


def read(oddity: str) -> Mail:
    """The same, understood."""
    return parse(raw(oddity))


def made(body: bytes | str = b"x", *headers: str) -> Mail:
    """A mail from Carol with these further headers."""
    data = body if isinstance(body, bytes) else body.encode()
    head = ["From: Carol Client <carol@example.org>", "To: support@desk.example", "Subject: Printer", *headers]
    return parse("\n".join(head).encode() + b"\n\n" + data)
