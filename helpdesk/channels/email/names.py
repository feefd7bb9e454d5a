"""What name servers say, within bounds: LOOKUP_S a question, few records an answer, remembered for ten minutes.

Asked by `signatures`, `envelope` and `dmarc`, outside transactions only. Tests and machines without DNS put somebody else in its place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LOOKUP_S = 3.0
FRESH_S = 600.0
MOST_RECORDS = 30
_MOST_KEPT = 1000
_LONGEST = 8192

#: Records of a name, of one kind (TXT, A, AAAA, MX, PTR): a text's bytes, an address, "preference host", a host. Empty when there are none.
#: Raises Unanswered.
Resolver = Callable[[str, str], list[bytes]]


class Unanswered(Exception):
    """No name server answered in time: there may be records or not."""


def asked_of_dns(name: str, kind: str) -> list[bytes]:
    """The machine's name servers, in at most LOOKUP_S."""
    import dns.exception
    import dns.resolver

    try:
        answer = dns.resolver.Resolver().resolve(name, kind, lifetime=LOOKUP_S, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, ValueError):
        return []
    except (dns.resolver.NoNameservers, dns.exception.Timeout, OSError) as nobody:
        raise Unanswered from nobody
    except dns.exception.DNSException:  # a name that cannot be asked for
        return []
    rows = list(answer)[:MOST_RECORDS]
    if kind == "TXT":
        return [b"".join(row.strings)[:_LONGEST] for row in rows]
    return [row.to_text(omit_final_dot=True).encode("ascii", "replace") for row in rows]


_resolver: Resolver = asked_of_dns
_kept: dict[tuple[str, str], tuple[float, list[bytes] | None]] = {}
_guard = threading.Lock()


def use_resolver(resolver: Resolver) -> Resolver:
    """Ask somebody else; who was asked before."""
    global _resolver
    before, _resolver = _resolver, resolver
    with _guard:
        _kept.clear()
    return before


def records(name: str, kind: str) -> list[bytes]:
    """Records of a name. Raises Unanswered."""
    with _guard:
        until, found = _kept.get((name, kind), (0.0, []))
    if time.monotonic() >= until:
        try:
            found = _resolver(name, kind)
        except Unanswered:
            found = None
        with _guard:
            if len(_kept) >= _MOST_KEPT:
                _kept.clear()
            _kept[name, kind] = (time.monotonic() + (FRESH_S if found else FRESH_S / 10), found)
    if found is None:
        raise Unanswered
    return found


def texts(name: str) -> list[bytes]:
    """Text records of a name; none when nobody answered, for what then counts as not proven."""
    try:
        return records(name, "TXT")
    except Unanswered:
        return []
