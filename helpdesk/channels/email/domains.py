"""What somebody registered: a domain's organisational part (RFC 7489, 3.2), by the list of public suffixes that a package ships.

Everything below it has one owner; beside it stand strangers: mail.example.co.uk is example.co.uk's, and not everybody's at co.uk.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def organisational(domain: str) -> str:
    """The registered domain that a domain belongs to, in small letters; empty for what is a public suffix itself, or no domain."""
    return _suffixes().privatesuffix(_tidy(domain)) or ""


def label(domain: str) -> str:
    """The word that was registered: example for mail.example.co.uk; empty for a public suffix."""
    return organisational(domain).partition(".")[0]


def same_owner(one: str, other: str) -> bool:
    """Whether two domains have the same registered one."""
    owner = organisational(one)
    return owner != "" and owner == organisational(other)


def _tidy(domain: str) -> str:
    domain = domain.strip().rstrip(".").lower()
    try:
        return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


@cache
def _suffixes() -> PublicSuffixList:
    """Reading the list takes a moment; only who asks pays for it."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
