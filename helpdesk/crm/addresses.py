"""One way to write each address, so that the same person on two channels is found to be one.

Everything that stores or looks up an identity comes through `normalise`: intake, import, search, the API. The normalised
value is what is compared and unique; what a person typed is kept beside it by the caller.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna
import phonenumbers
from flask_babel import lazy_gettext as _
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from helpdesk.errors import Invalid, Words

#: Networks whose addresses are phone numbers, and those whose user names do not tell capitals from small letters.
PHONE_NETWORKS = frozenset({"whatsapp", "viber", "signal"})
CASELESS_NETWORKS = frozenset({"telegram", "instagram", "skype", "vk", "facebook", "twitter"})

#: One local part: anything in quotes, else anything but spaces and the signs that part addresses.
LOCAL_PART = re.compile(r'"[^"\r\n]+"|[^\s"<>(),;:@\\]+')
#: Host names, underscores of intranets included, or an IP address in brackets.
DOMAIN = re.compile(r"(?i)(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*|\[[0-9a-f:.]+\]")

#: Longer than any address that means something; keeps a pasted novel out of the index.
LONGEST = 254


class UnusableAddress(Invalid):
    """An address that cannot be understood. `reason` is a stable word for programs, `detail` a sentence for people."""

    code, title = "unusable_address", _("This address cannot be used")

    def __init__(self, reason: str, detail: Words) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Address:
    """kind: email, phone, messenger or external. value: what is compared. shown: how a person likes to read it."""

    kind: str
    value: str
    shown: str


def normalise(kind: str, raw: str, *, region: str | None = None, within: str = "") -> Address:
    """The one way to write an address of this kind.

    region: two-letter country in which a phone number without country is read (the desk's or the inbox's).
    within: the network of a messenger ("telegram") or the system of an external id ("1c"); may also stand before a colon
    in `raw`. Raises UnusableAddress; ValueError for a kind that does not exist.
    """
    match kind:
        case "email":
            return email(raw)
        case "phone":
            return phone(raw, region=region)
        case "messenger":
            return messenger(*_split(raw, within, _("Say which messenger it is, such as telegram:name")), region=region)
        case "external":
            return external(*_split(raw, within, _("Say which system the id belongs to, such as 1c:000123")))
    raise ValueError(f"no kind of address is called {kind!r}")


def email(raw: str) -> Address:
    """An e-mail address: without display name or mailto:, domain in ASCII (IDNA 2008), all in small letters.

    Lenient on purpose: whoever wrote to us has an address, also name@localhost and the doubled dots of old Japanese
    phones. Standards let a local part tell A from a; no server in use does, and people write it both ways. Dots and
    +tags are kept: on most servers they are other mailboxes. Two addresses at once are refused, for one would be lost.
    """
    text = _clean(raw)
    if text.lower().startswith("mailto:"):
        text = text[7:].partition("?")[0]
    named = re.findall(r"<([^<>]+@[^<>]+)>", text)
    if len(named) > 1:
        raise UnusableAddress("several_emails", _("“%(raw)s” is more than one address", raw=_short(raw)))
    text = named[0].strip() if named else text
    local, _at, domain = text.rpartition("@")
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None or not LOCAL_PART.fullmatch(local) or len(text) > LONGEST or len(local) > 64:
        raise UnusableAddress("not_an_email", _("“%(raw)s” is not an e-mail address", raw=_short(raw)))
    return Address("email", f"{local}@{ascii_domain}".lower(), f"{local}@{domain.lower()}")


def _ascii_domain(domain: str) -> str | None:
    """The domain as DNS knows it, None if it cannot be one."""
    domain = domain.removesuffix(".")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    return domain if DOMAIN.fullmatch(domain) else None


def phone(raw: str, *, region: str | None = None) -> Address:
    """A phone number in international form (E.164), an extension after ;ext= as in RFC 3966.

    A number without country is read as one of `region`; without a region it is refused, never guessed: the same digits
    belong to different people in different countries.
    """
    text = _clean(raw)
    if text.lower().startswith("tel:"):
        text = text[4:]
    if not region and re.match(r"\s*00[1-9]", text):
        text = "+" + text.strip()[2:]  # 00 is how most of the world dials +
    try:
        number = phonenumbers.parse(text, region.upper() if region else None)
    except NumberParseException as refused:
        raise _phone_error(raw, refused) from refused
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible in (ValidationResult.TOO_SHORT, ValidationResult.IS_POSSIBLE_LOCAL_ONLY):
        raise UnusableAddress("phone_too_short", _("“%(raw)s” is too short for a phone number", raw=_short(raw)))
    if possible == ValidationResult.TOO_LONG:
        raise UnusableAddress("phone_too_long", _("“%(raw)s” is too long for a phone number", raw=_short(raw)))
    if possible != ValidationResult.IS_POSSIBLE:
        raise UnusableAddress("not_a_phone", _("“%(raw)s” is not a phone number", raw=_short(raw)))
    value = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if number.extension:
        value += f";ext={number.extension}"
    return Address("phone", value, phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL))


def _phone_error(raw: str, refused: NumberParseException) -> UnusableAddress:
    # The library reports a missing country, an unknown region and +999 by the same word.
    digits = sum(letter.isdigit() for letter in raw)
    if refused.error_type == NumberParseException.INVALID_COUNTRY_CODE and digits >= 3:
        if "+" in raw or "＋" in raw:
            return UnusableAddress("phone_unknown_country", _("No country has the code of “%(raw)s”", raw=_short(raw)))
        return UnusableAddress(
            "phone_without_country",
            _("“%(raw)s” has no country: write it as +7…, +49…, or set the desk's country", raw=_short(raw)),
        )
    if refused.error_type == NumberParseException.TOO_LONG:
        return UnusableAddress("phone_too_long", _("“%(raw)s” is too long for a phone number", raw=_short(raw)))
    if refused.error_type in (NumberParseException.TOO_SHORT_NSN, NumberParseException.TOO_SHORT_AFTER_IDD):
        return UnusableAddress("phone_too_short", _("“%(raw)s” is too short for a phone number", raw=_short(raw)))
    return UnusableAddress("not_a_phone", _("“%(raw)s” is not a phone number", raw=_short(raw)))


def messenger(network: str, raw: str, *, region: str | None = None) -> Address:
    """A messenger address as network:name; @name and profile links are understood.

    WhatsApp, Viber and Signal go by phone numbers. Names of networks that do not tell capitals apart become small;
    the opaque ids of others are kept to the letter.
    """
    network = _clean(network).casefold()
    text = _clean(raw)
    if re.match(r"(?i)(https?://|t\.me/|wa\.me/|vk\.com/)", text):
        link = urlsplit(text if "//" in text else f"//{text}")
        text = link.path.strip("/").rpartition("/")[2]
        if network == "whatsapp" and text.isdigit():
            text = f"+{text}"
    if network in PHONE_NETWORKS and re.fullmatch(r"[\d\s()+./-]+", text):
        number = phone(text, region=region)
        return Address("messenger", f"{network}:{number.value}", number.shown)
    name = text.removeprefix("@")
    if not network or not name or len(name) > LONGEST or re.search(r"\s", name):
        raise UnusableAddress("not_a_messenger", _("“%(raw)s” is not a messenger's user name", raw=_short(raw)))
    return Address("messenger", f"{network}:{name.lower() if network in CASELESS_NETWORKS else name}", text)


def external(system: str, raw: str) -> Address:
    """A customer's number in another system as system:id. Kept to the letter: 007 and 7 may be two people."""
    system, text = _clean(system).casefold(), _clean(raw)
    if not system or ":" in system or not text or len(text) > LONGEST:
        raise UnusableAddress("not_an_id", _("“%(raw)s” is not an id of another system", raw=_short(raw)))
    return Address("external", f"{system}:{text}", text)


def _split(raw: str, within: str, missing: Words) -> tuple[str, str]:
    if within:
        return within, raw
    head, colon, tail = raw.partition(":")
    if not colon or tail.startswith("//"):
        raise UnusableAddress("where_from", missing)
    return head, tail


def _clean(raw: str) -> str:
    """Composed letters, without surrounding space and without the invisible characters that copying brings along."""
    text = unicodedata.normalize("NFC", raw)
    return "".join(letter for letter in text if unicodedata.category(letter) not in ("Cf", "Cc")).strip()


def _short(raw: str) -> str:
    text = _clean(raw)
    return text if len(text) <= 60 else f"{text[:59]}…"
