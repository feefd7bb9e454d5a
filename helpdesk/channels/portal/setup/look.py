"""How the portal looks and what it says: one form, with a preview that follows what is typed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, flash, make_response, render_template, request, url_for
from flask_babel import gettext as _

from helpdesk import db, files, web
from helpdesk.agents.admin.forms import REFUSALS, page
from helpdesk.channels.portal import brand, colours, logo
from helpdesk.channels.portal.brand import Look
from helpdesk.channels.portal.setup import bp
from helpdesk.errors import HelpdeskError
from helpdesk.preferences import preferences


@bp.get("/look", endpoint="look")
def shown() -> Response:
    return _page(brand.look())


@bp.post("/look")
@web.own_edge
def change_look() -> Response:
    """Keep it; with `preview`, the button of pages without scripts, only show it."""
    with db.read():
        wanted = _typed(brand.look())
        if "preview" in request.form:
            return _page(wanted)
    try:
        wanted = replace(wanted, logo=_logo(wanted.logo))
        with db.transaction():
            company = " ".join(request.form.get("company", "").split())
            brand.change(wanted, company=company, seen=request.form.get("version", ""), by=web.current_actor())
    except REFUSALS as wrong:
        with db.read():
            now = brand.look().logo
            if wanted.logo not in ("", now):  # uploaded for nothing; the form asks for it again
                files.drop([wanted.logo])
            return _page(replace(wanted, logo=now if wanted.logo else ""), wrong)
    flash(_("Saved."))
    return web.see("/admin/portal/look")


@bp.post("/look/preview")
def preview_look() -> Response:
    """The preview of what is typed, for the script."""
    return make_response(render_template("portal/setup/_look_preview.html", **_preview(_typed(brand.look()))))


@bp.get("/look.css")
def look_css() -> Response:
    """The colours of the preview, for the preview alone."""
    sane = Look(accent=_sane(request.args.get("accent", "")), header=_sane(request.args.get("header", "")))
    return brand.sheet(brand.stylesheet(sane, ".brand-preview"), lasting=False)


def _sane(colour: str) -> str:
    """The colour, or nothing for what is none."""
    return colour if colours.is_colour(colour) else ""


def _typed(now: Look) -> Look:
    """The form as it was sent; the logo stays as it is, or goes."""
    texts = {name: request.form.get(name, "").replace("\x00", "").replace("\r\n", "\n").strip() for name in brand.LONGEST}
    tints = {
        name: request.form.get(name, "").strip().lower() if request.form.get(f"own_{name}") == "1" else "" for name in ("accent", "header")
    }
    links = []
    for line in request.form.get("links", "").splitlines():
        parts = [part.strip() for part in line.split("|")]
        if any(parts):
            links.append([parts[0], parts[1] if len(parts) > 2 else "", parts[-1] if len(parts) > 1 else ""])
    return Look(**tints, **texts, links=links, logo="" if request.form.get("logo_remove") == "1" else now.logo)


def _logo(now: str) -> str:
    """The key of the logo that was uploaded, made anew; else the present one."""
    sent = web.uploads("logo")
    if not sent:
        return now
    return files.store().put(logo.made_anew(sent[0].stream.read(logo.LARGEST_BYTES + 1))).key


def _page(look: Look, wrong: HelpdeskError | None = None) -> Response:
    return page(
        "portal/setup/look.html",
        wrong,
        look=look,
        version=request.form.get("version") or brand.stamp(look),
        links="\n".join(" | ".join(part for part in row if part or row[1]) for row in look.links),
        **_preview(look),
    )


def _preview(look: Look) -> dict[str, Any]:
    """What the preview draws; a colour that is none is left out, and what had to be corrected is said."""
    sane = replace(look, accent=_sane(look.accent), header=_sane(look.header))
    made = colours.scheme(sane.accent) if sane.accent else None
    css = url_for("portal_setup.look_css", accent=sane.accent or None, header=sane.header or None)
    company = " ".join(request.form.get("company", preferences().company).split())[:80]
    return {"preview": brand.drawn(sane), "preview_css": css, "scheme": made, "chosen": sane.accent, "name": company}
