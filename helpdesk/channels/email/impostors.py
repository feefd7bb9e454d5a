"""Senders who would pass for somebody else: a colleague's or the desk's name with another address, a domain that only looks like ours."""

from __future__ import annotations

import re
import unicodedata

from sqlalchemy import bindparam, func, select

from helpdesk import db
from helpdesk.auth import STAFF, User
from helpdesk.channels.email import domains, warnings
from helpdesk.channels.email.inboxes import Doors
from helpdesk.channels.email.mail import Mail
from helpdesk.crm.contacts import PUBLIC_DOMAINS
from helpdesk.preferences import preferences

#: Shorter names are borne by too many people and products.
SHORTEST_BRAND = 5
SHORTEST_DOMAIN = 6
#: Signs that pass for one another (after Unicode's confusables), Cyrillic and digits for Latin.
_ALIKE = str.maketrans("аеорсухіјѕԁһνгпт013578$|", "aeopcyxijsdhvrntoiestbsl")
_WORDS = re.compile(r"[^\W_]+")


def about(mail: Mail, doors: Doors) -> list[str]:
    """The warnings that a mail's sender deserves, seen from this desk. Reads the colleagues' names; inside a transaction."""
    found: list[str] = []
    address = mail.from_email.lower()
    domain = address.rpartition("@")[2]
    ours = _our_domains(doors)
    name = _plain(mail.from_display_name)
    from_us = any(domain == own or domains.same_owner(domain, own) for own in ours)
    if name and not from_us and (_is_brand(name, doors) or _is_colleague(name, mail.from_display_name, address)):
        found.append(warnings.BEARS_OUR_NAME)
    if any(looks_like(domain, own) for own in ours):
        found.append(warnings.LIKE_OURS)
    return found


def looks_like(domain: str, own: str) -> bool:
    """Whether a domain could be taken for our own at a glance: alike, one letter more, less, changed or swapped, another ending.

    What was registered is compared: everything below our own registered domain is ours, and mail.examp1e.co.uk is like example.com.
    """
    ours = domains.organisational(own) or own
    if domains.same_owner(domain, own) or len(ours) < SHORTEST_DOMAIN:
        return False
    if f".{_look(_shown(ours))}." in f".{_look(_shown(domain))}":  # ours in front of somebody else's
        return True
    theirs, mine = (_look(_shown(domains.label(one))) for one in (domain, own))
    if not theirs or len(mine) < SHORTEST_DOMAIN:
        return _look(_shown(domains.organisational(domain))) == _look(_shown(ours))
    return theirs == mine or _one_step(theirs, mine)


def _our_domains(doors: Doors) -> set[str]:
    """The domains that our inboxes have, but for those that everybody has."""
    return {address.rpartition("@")[2] for address in doors.exact} - PUBLIC_DOMAINS


def _is_brand(name: str, doors: Doors) -> bool:
    brands = {_plain(preferences().company), *(_plain(inbox.sender_name) for inbox in doors.rows.values())}
    words = f" {name} "
    return any(len(brand) >= SHORTEST_BRAND and f" {brand} " in words for brand in brands)


def _is_colleague(name: str, written: str, address: str) -> bool:
    """Only whole names count: a customer may well be another Alice."""
    if " " not in name:
        return False
    others = db.session().scalars(_OTHERS, {"address": address})
    return any(_plain(other) == name for other in others if " " in other.strip())


#: Colleagues' names but for the one of this address; made once, for every mail whose sender has a whole name.
_OTHERS = select(User.name).where(User.role.in_(STAFF), User.active, func.lower(User.email) != bindparam("address"))


def _plain(name: str) -> str:
    """A name's words in small letters, look-alikes unified, without what cannot be seen."""
    return _look(" ".join(_WORDS.findall(unicodedata.normalize("NFKC", name).lower())))


def _look(text: str) -> str:
    return text.translate(_ALIKE).replace("rn", "m").replace("vv", "w").replace("l", "i")


def _shown(domain: str) -> str:
    """As people see it: letters for punycode."""
    try:
        return domain.encode("ascii").decode("idna").lower()
    except UnicodeError:
        return domain.lower()


def _one_step(first: str, second: str) -> bool:
    """Whether one letter inserted, left out or changed, or two neighbours swapped, makes one of the other."""
    if abs(len(first) - len(second)) > 1 or max(len(first), len(second)) > 100:
        return False
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    one, two = first[start:], second[start:]
    return one[1:] == two[1:] or one[1:] == two or one == two[1:] or (one[:2] == two[:2][::-1] and one[2:] == two[2:])
