"""HTML from outside made harmless, and text and HTML turned into each other. Every HTML that the desk did not write goes through here.

An allow-list (nh3): structure, emphasis, tables, links, the mail's own images. No scripts, styles sheets, forms, frames, ids, classes
(but the marks of quotes), no remote images: those would tell the sender who read the mail, when and where.
"""

from __future__ import annotations

import re
from html import escape

import nh3

from .visible import lines

MAX_HTML = 2 * 1024 * 1024  # characters; longer HTML is cut there
MAX_TAG = 4096  # characters; a longer tag with very many attributes loses them: nh3 compares each with every other
MAX_ENTITIES = 100_000  # HTML with more is cut: nh3 takes quadratic time on text full of them
MAX_NESTING = 1000  # nh3's time grows with the square of the depth: 10,000 levels take 0.2 s, 100,000 half a minute

TAGS = {
    "a", "abbr", "acronym", "address", "article", "b", "bdi", "big", "blockquote", "br", "caption", "center", "cite", "code", "col",
    "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span",
    "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul",
    "var", "wbr",
}  # fmt: skip
ATTRIBUTES = {
    "*": {"dir", "lang", "title", "style"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "blockquote": {"type"},
    "font": {"color"},
    "ol": {"start", "type"},
    "col": {"span", "width"},
    "table": {"border", "cellpadding", "cellspacing", "width", "align"},
    "td": {"colspan", "rowspan", "align", "valign", "width"},
    "th": {"colspan", "rowspan", "align", "valign", "width"},
    "tr": {"align", "valign"},
    "p": {"align"},
    "div": {"align"},
}
STYLES = {"color", "background-color", "font-weight", "font-style", "text-decoration", "text-align", "white-space"}
QUOTE_CLASSES = {"gmail_quote", "gmail_quote_container", "gmail_attr", "yahoo_quoted", "moz-cite-prefix"}
DROPPED_WITH_CONTENT = {
    "script", "style", "title", "template", "noscript", "iframe", "object", "embed", "applet", "svg", "math", "select", "textarea",
    "button", "audio", "video", "canvas", "xml", "head",
}  # fmt: skip
SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}

_LINK_SCHEME = re.compile(r"(?i)(?:https?://|mailto:|tel:)")
_IMAGE = re.compile(r"(?i)cid:[^\s\"'<>]{1,250}$|data:image/(?:png|gif|jpeg|jpg|webp);base64,[A-Za-z0-9+/=\s]{1,400000}$")
_IMAGE_TAG = re.compile(r'<img(?:\s[^<>"]*(?:"[^"]*"[^<>"]*)*)?>')
_STYLE_VALUE = re.compile(r"(?i)url\s*\(|expression|\\|/\*|var\s*\(")
_REMOTE = re.compile(r"(?i)<img\b[^<>]{0,2000}?\bsrc\s*=\s*[\"']?\s*(?:https?:|//)")
_OVERGROWN = re.compile(rf"<[a-zA-Z][^<>]{{{MAX_TAG},}}>?")
_BETWEEN = re.compile(r"(?:^|>)([^<>]+)")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")
# Their end tags are optional, so that an open one does not mean a deeper tree.
_NOT_NESTING = {"p", "li", "td", "th", "tr", "dt", "dd", "br", "img", "hr", "meta", "link", "input", "col", "wbr", "area", "base", "option"}
_URL = re.compile(r"(?i)\bhttps?://[^\s<>\"']{1,2000}")
_URL_TAIL = ".,;:!?)]}»"


def sanitise(html: str) -> str:
    """Harmless HTML, well-formed, without remote images. Bounded: overlong HTML is cut, absurdly nested HTML loses its tags."""
    html = html[:MAX_HTML].replace("\x00", "")
    if html.count("&") > MAX_ENTITIES:
        html = "&".join(html.replace("&nbsp;", "\xa0").split("&", MAX_ENTITIES)[:MAX_ENTITIES])
    if len(html) > MAX_TAG:
        html = _OVERGROWN.sub(_fewer_attributes, html)
    if html.count("<") > MAX_NESTING and _nesting(html) > MAX_NESTING:
        html = html_of(re.sub(r"[ \t\r\n]+", " ", re.sub(r"<[^<>]*>", " ", html)))
    cleaned = _CLEANER.clean(html)
    return _IMAGE_TAG.sub(_only_with_source, cleaned) if "<img" in cleaned else cleaned


def text_of(html: str) -> str:
    """The text that a reader of this HTML sees, in lines; HTML from outside is sanitised first (which changes nothing when it was)."""
    return "\n".join(line.text for line in lines(sanitise(html))).strip("\n")


def html_of(text: str) -> str:
    """Text as HTML that shows the same: escaped, line breaks kept, web addresses made links."""
    out: list[str] = []
    at = 0
    for match in _URL.finditer(text):
        url = match[0].rstrip(_URL_TAIL)
        out.append(_escaped(text[at : match.start()]))
        out.append(f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer nofollow">{escape(url)}</a>')
        at = match.start() + len(url)
    out.append(_escaped(text[at:]))
    return "".join(out)


def has_content(html: str) -> bool:
    """Sanitised HTML shows something: a word or an image."""
    return shows_image(html) or any(found[1].replace("&nbsp;", "").strip() for found in _BETWEEN.finditer(html))


def shows_image(html: str) -> bool:
    """Sanitised HTML has an image of the mail itself."""
    return "<img" in html and any(' src="' in tag[0] for tag in _IMAGE_TAG.finditer(html))


def remote_images(html: str) -> int:
    """How many remote images raw HTML asks for (they are never shown)."""
    return len(_REMOTE.findall(html[:MAX_HTML]))


def _kept(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "href":
        stripped = re.sub(r"[\x00-\x20]+", "", value[:20])
        return value.strip() if _LINK_SCHEME.match(stripped) else None
    if attribute == "src":
        return value.strip() if _IMAGE.match(value.strip()) else None
    if attribute == "style" and _STYLE_VALUE.search(value):
        return None
    if attribute in ("width", "height", "border", "cellpadding", "cellspacing", "colspan", "rowspan", "span", "start"):
        return value if re.fullmatch(r"\d{1,4}(?:px|%)?", value.strip()) else None
    if attribute in ("alt", "title"):
        return re.sub(r"[<>]", "", value)[:500]
    return value[:1000]


_CLEANER = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags=DROPPED_WITH_CONTENT,
    attributes=ATTRIBUTES,
    attribute_filter=_kept,
    strip_comments=True,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
    url_schemes=SCHEMES,
    allowed_classes={"div": QUOTE_CLASSES, "blockquote": QUOTE_CLASSES},
    filter_style_properties=STYLES,
)


def _only_with_source(match: re.Match[str]) -> str:
    """An image that lost its source stays only for its alternative text, which the browser shows in its place."""
    return match[0] if ' src="' in match[0] or re.search(r' alt="[^"]*\S[^"]*"', match[0]) else ""


def _fewer_attributes(match: re.Match[str]) -> str:
    tag = match[0]
    return tag if tag.count(" ") + tag.count("\n") + tag.count("/") <= MAX_TAG // 4 or "data:image" in tag else tag.split(None, 1)[0] + ">"


def _nesting(html: str) -> int:
    depth = deepest = 0
    for match in _TAG.finditer(html):
        if match[2].lower() in _NOT_NESTING:
            continue
        depth = max(depth - 1, 0) if match[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _escaped(text: str) -> str:
    kept = re.sub(r"(?<= ) |^ ", "&nbsp;", escape(text), flags=re.M) if "  " in text or "\n " in text or text[:1] == " " else escape(text)
    return kept.replace("\r\n", "\n").replace("\n", "<br>\n")
