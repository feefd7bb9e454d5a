"""What a domain asks of those who vouch for its mail (DMARC, RFC 7489): whether a signer or an envelope must bear its very own name."""

from __future__ import annotations

import re

from . import domains, names

NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)+")


def strict(domain: str, tag: str) -> bool:
    """Whether a domain's DMARC record, else its registered domain's, wants the very same domain (RFC 7489, 6.3 and 6.6.3).

    `tag`: "adkim" for signers, "aspf" for envelopes. Asks DNS.
    """
    if not NAME.fullmatch(domain):
        return True
    for name in dict.fromkeys((domain, domains.organisational(domain) or domain)):
        for record in names.texts(f"_dmarc.{name}"):
            text = record.decode("ascii", "replace")
            if text.lower().startswith("v=dmarc1"):
                return re.search(rf"(?i);\s*{tag}\s*=\s*s\b", text) is not None
    return False
