"""How the portal looks and speaks for this company: name, logo, colours, words. Kept in the preference `look`; drawn by every page.

Colours reach the page as a stylesheet of ours, so the content security policy needs no exception.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from flask import Response, make_response, request, url_for
from flask_babel import gettext as _

from helpdesk import db, files, web
from helpdesk.actor import Actor
from helpdesk.catalog import SettingsChanged
from helpdesk.channels.portal import bp, colours
from helpdesk.errors import Invalid, NotFound, Words
from helpdesk.events import record
from helpdesk.preferences import Preferences, prefer, preferences
from helpdesk.versions import Stale

MOST_LINKS = 8
_ADDRESS = re.compile(r"(https?://[^\s\"'<>]+|mailto:[^\s\"'<>]+|tel:\+?[0-9 ()-]+|/[^/\\\s\"'<>][^\s\"'<>]*|/)")


@dataclass(frozen=True)
class Look:
    """What was chosen. Empty means the desk's own. `accent`, `header`: #rrggbb; `logo`: a key of the file store.

    `links`: under each page, as [English words, Russian words, address].
    """

    accent: str = ""
    header: str = ""
    logo: str = ""
    welcome: str = ""
    welcome_ru: str = ""
    intro: str = ""
    intro_ru: str = ""
    footer: str = ""
    footer_ru: str = ""
    links: list[list[str]] = field(default_factory=list)


#: The longest each text may be.
LONGEST = {"welcome": 120, "welcome_ru": 120, "intro": 500, "intro_ru": 500, "footer": 500, "footer_ru": 500}


def look() -> Look:
    """The present look; the desk's own where no transaction runs (an error's page may be drawn without one)."""
    held = (preferences() if db.in_transaction() else Preferences()).look
    return Look(**{name: held[name] for name in (f.name for f in fields(Look)) if name in held})


def stamp(shown: Look) -> str:
    """What stands for a version: the values themselves."""
    return hashlib.sha256(json.dumps(asdict(shown), sort_keys=True).encode()).hexdigest()[:16]


def checked(wanted: Look) -> Look:
    """Raises Invalid with all that is wrong."""
    wrong: dict[str, Words] = {}
    for name in ("accent", "header"):
        if getattr(wanted, name) and not colours.is_colour(getattr(wanted, name)):
            wrong[name] = _("Please give a colour such as #1f5fd6.")
    for name, longest in LONGEST.items():
        if len(getattr(wanted, name)) > longest:
            wrong[name] = _("Please shorten this to %(n)s characters.", n=longest)
    for words, words_ru, address in wanted.links:
        if not words or len(words) > 60 or len(words_ru) > 60:
            wrong["links"] = _("Each link needs words of at most %(n)s characters.", n=60)
        elif len(address) > 300 or not _ADDRESS.fullmatch(address):
            wrong["links"] = _("“%(address)s” is no address: begin it with https://, mailto:, tel: or /.", address=address[:80])
    if len(wanted.links) > MOST_LINKS:
        wrong["links"] = _("At most %(n)s links.", n=MOST_LINKS)
    if wrong:
        raise Invalid(fields=wrong)
    return wanted


def change(wanted: Look, *, company: str, seen: str, by: Actor) -> None:
    """Keep a new look and the company's name; the file of a former logo goes. Raises Invalid, Stale."""
    checked(wanted)
    if not 1 <= len(company) <= 80:
        raise Invalid(fields={"company": _("Please write from %(least)s to %(most)s characters.", least=1, most=80)})
    if seen != stamp(look()):
        raise Stale(_("Somebody saved a change while you were looking. Your entries are still here: compare, then save again."))
    former = look().logo
    if former and former != wanted.logo:
        db.after_commit(lambda: files.drop([former]))
    prefer(look=asdict(wanted), company=company)
    record(SettingsChanged(by, what="look"))


def stylesheet(shown: Look, scope: str = ":root") -> str:
    """The chosen colours as CSS; every one readable (see `colours`)."""
    lines: list[str] = []
    if shown.accent:
        made = colours.scheme(shown.accent)
        pairs = (("accent", "accent"), ("accent-ink", "ink"), ("accent-soft", "soft"), ("sel", "chosen"))
        lines += [f"--{name}: light-dark({getattr(made.light, part)}, {getattr(made.dark, part)});" for name, part in pairs]
    if shown.header:
        lines += [f"--head-ground: {shown.header};", f"--head-ink: {colours.ink_on(shown.header)};"]
    return f"{scope} {{ {' '.join(lines)} }}\n" if lines else ""


def sheet(text: str, *, lasting: bool) -> Response:
    """A stylesheet as an answer; `lasting` when its address changes with its content."""
    answer = make_response(text)
    answer.headers["Content-Type"] = "text/css; charset=utf-8"
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-store"
    return answer


@bp.get("/brand.css")
def brand_css() -> Response:
    shown = look()
    return sheet(stylesheet(shown), lasting=request.args.get("v") == stamp(shown))


@bp.get("/brand/<key>.png")
def brand_logo(key: str) -> Response:
    """The present logo, and no other file of the store."""
    if not key or key != look().logo:
        raise NotFound
    answer = make_response(files.store().read(key))
    answer.headers["Content-Type"] = "image/png"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


@bp.app_context_processor
def _brand() -> dict[str, Any]:
    """`brand()`: what the portal's frame draws, in the reader's language."""
    return {"brand": lambda: drawn(look())}


def drawn(shown: Look) -> dict[str, Any]:
    """A look as templates take it: {css, logo} addresses, {welcome, intro, footer} words, {links: [(words, address)]}."""
    russian = web.lang() == "ru"

    def words(name: str) -> str:
        return str((russian and getattr(shown, f"{name}_ru")) or getattr(shown, name))

    return {
        "css": url_for("portal.brand_css", v=stamp(shown)) if shown.accent or shown.header else "",
        "logo": url_for("portal.brand_logo", key=shown.logo) if shown.logo else "",
        "welcome": words("welcome"),
        "intro": words("intro"),
        "footer": words("footer"),
        "links": [((russian and ru) or en, address) for en, ru, address in shown.links],
    }
