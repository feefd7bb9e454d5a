"""Whether a mail comes from where it claims: what the inbox's own mail server found, else what its signatures and its envelope prove.

`judge` is pure. The Authentication-Results of a mail can be written by anybody: only the topmost one counts, and only when it bears the
name of the server that the inbox trusts (RFC 8601, 5 and 7.1); comments and quoted strings in it may hold the attacker's words and are
left out. Aligned is a domain that equals the author's or stands above it, up to what was registered (`domains`). RFC 7489, 3.1, lets those
beside and below speak, too; not here, for they are lent to others: shops, lists, pages of customers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from helpdesk.channels.email import domains
from helpdesk.channels.email.envelope import Spf
from helpdesk.channels.email.mail import Mail

PROVEN, UNPROVEN, FAILED = "proven", "unproven", "failed"
#: Stands for "we checked ourselves" where otherwise a server's name stands.
OURSELVES = "desk"
_RESULT = re.compile(r"^\s*(spf|dkim|dmarc)\s*=\s*([a-z]+)\b(.*)$", re.I | re.S)
_PROPERTY = re.compile(r"\b(header\.from|header\.d|header\.i|smtp\.mailfrom|smtp\.helo)\s*=\s*([^\s;]+)", re.I)


@dataclass(frozen=True)
class Checks:
    """What is known of a mail's sender. The three results are RFC 8601's words, empty where nobody looked; `by` says who looked.

    `signed`: "smime" or "pgp" where the mail itself bears a signature of its author; nobody here checks those.
    """

    verdict: str = UNPROVEN
    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    by: str = ""
    signed: str = ""

    @property
    def proven(self) -> bool:
        return self.verdict == PROVEN

    def kept(self) -> dict[str, str]:
        """As the message keeps it; empty when nobody looked and nothing is signed."""
        looked = {"verdict": self.verdict, "spf": self.spf, "dkim": self.dkim, "dmarc": self.dmarc, "by": self.by[:255]} if self.by else {}
        return {**looked, **({"signed": self.signed} if self.signed else {})}


def judge(mail: Mail, authserv_id: str, signers: Sequence[str] | None = None, spf: Spf | None = None) -> Checks:
    """What is known of the sender. `signers`: domains whose signatures were checked here and are valid; `spf`: what the envelope's domain
    says of who handed the mail over. None when nobody checked.
    """
    author = mail.from_email.rpartition("@")[2].lower()
    alone = not any(problem.startswith(("has more than one From", "names several senders")) for problem in mail.problems)
    results = _results(mail, authserv_id)
    checks = Checks()
    if results is not None:
        checks = _by_server(results, author, authserv_id, alone)
    elif signers is not None or spf is not None:
        vouching = [*(signers or ()), *((spf.domain,) if spf is not None and spf.domain else ())]
        proven = alone and any(aligned(domain, author) for domain in vouching)
        dkim = "none" if signers is None else "pass" if signers else "fail"
        checks = Checks(PROVEN if proven else UNPROVEN, spf.result if spf is not None else "", dkim, by=OURSELVES)
    return replace(checks, signed=mail.signed or "")


def aligned(domain: str, author: str) -> bool:
    """Whether who signed for `domain` may speak for an author at `author`: the same domain, or one above it that somebody registered."""
    domain, author = domain.lower().rstrip("."), author.lower().rstrip(".")
    return (author == domain or author.endswith("." + domain)) and domains.same_owner(domain, author)


def _by_server(results: list[tuple[str, str, dict[str, str]]], author: str, server: str, alone: bool) -> Checks:
    said: dict[str, str] = {}
    proven = failed = False
    for method, result, properties in results:
        said.setdefault(method, result)
        vouched = properties.get({"dmarc": "header.from", "dkim": "header.d", "spf": "smtp.mailfrom"}[method], "")
        vouched = (vouched or (properties.get("header.i", "") if method == "dkim" else "")).rpartition("@")[2]
        if method == "dmarc":
            failed = failed or result == "fail"
            proven = proven or (result == "pass" and (not vouched or vouched == author))
        elif result == "pass":
            proven = proven or aligned(vouched, author)
    if failed:
        verdict = FAILED
    else:
        verdict = PROVEN if proven and alone else UNPROVEN
    return Checks(verdict, said.get("spf", ""), said.get("dkim", ""), said.get("dmarc", ""), server)


def _results(mail: Mail, authserv_id: str) -> list[tuple[str, str, dict[str, str]]] | None:
    """(method, result, properties) of the trusted header; None when there is none."""
    topmost = next((line for line in mail.authentication if line.lower().startswith("authentication-results:")), None)
    if not authserv_id or topmost is None:
        return None
    parts = _plain(topmost.partition(":")[2])[:8000].split(";")
    if parts[0].split()[:1] != [authserv_id] and parts[0].strip().lower().split()[:1] != [authserv_id.lower()]:
        return None
    found: list[tuple[str, str, dict[str, str]]] = []
    for part in parts[1:50]:
        match = _RESULT.match(part)
        if match is not None:
            properties: dict[str, str] = {}
            for name, value in _PROPERTY.findall(match[3]):
                properties.setdefault(name.lower(), value.lower())
            found.append((match[1].lower(), match[2].lower(), properties))
    return found


def _plain(value: str) -> str:
    """A header's value without its comments and quoted strings, which may nest and escape. Linear."""
    out: list[str] = []
    depth, quoted, at = 0, False, 0
    while at < len(value):
        sign = value[at]
        if sign == "\\" and (depth or quoted):
            at += 2
            continue
        if quoted:
            quoted = sign != '"'
        elif sign == "(":
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
        elif depth:
            pass
        elif sign == '"':
            quoted = True
            out.append("-")
        else:
            out.append(sign)
        at += 1
    return "".join(out)
