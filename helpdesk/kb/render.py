"""An article's Markdown as safe HTML, as plain words for search, and as a list of its headings.

Markdown is CommonMark with tables and strikethrough; HTML inside it is text. What comes out passes an allow-list all the same, so
that a fault in either is caught by the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, zip_longest

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

#: Pictures come from the desk itself: others would tell a stranger who reads what, and the page's policy blocks them anyway.
PICTURES = "/kb/files/"
_OURS = re.compile(re.escape(PICTURES) + r"\d+")

_TAGS = {
    "h2", "h3", "h4", "p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "a", "img",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title", "loading"}, "ol": {"start"}, "h2": {"id"}, "h3": {"id"}}

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@dataclass(frozen=True)
class Heading:
    """A second-level heading and the id of its place on the page."""

    id: str
    words: str


@lru_cache(maxsize=256)
def html(body: str) -> Markup:
    """The article's text as HTML that may stand in any page. Headings begin at the second level: the title is the first."""
    tokens = _parsed(body)
    drawn = _markdown.renderer.render(tokens, _markdown.options, {})
    return Markup(
        nh3.clean(
            drawn,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_filtered,
            url_schemes={"http", "https", "mailto", "tel"},
            link_rel="noopener noreferrer",
        )
    )


def text(body: str) -> str:
    """The article's words without markup, a line per block."""
    return "\n".join(line for line in _lines(_parsed(body)) if line)


def plain(body: str, base_url: str = "") -> str:
    """The article as a mail without markup carries it: list marks, a blank line between blocks, addresses behind their words.

    Addresses of ours begin with `base_url`. Pictures stay away.
    """
    lines: list[str] = []
    marks: list[int | None] = []  # of the lists around: the next number, or None
    pending = ""
    for token in _parsed(body):
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                marks.append(int(token.attrGet("start") or 1) if token.type.startswith("ordered") else None)
            case "bullet_list_close" | "ordered_list_close":
                marks.pop()
                if not marks:
                    lines.append("")
            case "list_item_open":
                number = marks[-1]
                pending = "  " * (len(marks) - 1) + ("- " if number is None else f"{number}. ")
                marks[-1] = None if number is None else number + 1
            case "inline":
                lines.append(pending + _with_addresses(token, base_url))
                pending = ""
            case "fence" | "code_block":
                lines.append(pending + token.content.rstrip())
                pending = ""
        if token.type in ("paragraph_close", "heading_close", "fence", "code_block", "table_close") and not marks:
            lines.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def headings(body: str) -> list[Heading]:
    """The second-level headings in order, for the table of contents."""
    tokens = _parsed(body)
    return [
        Heading(str(token.attrGet("id")), _words(following))
        for token, following in pairwise(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]


def first_words(body: str, longest: int = 160) -> str:
    """The beginning of an article for a card or a search engine, cut between words."""
    words = " ".join(text(body).split())
    if len(words) <= longest:
        return words
    return words[:longest].rsplit(" ", 1)[0].rstrip(" ,.;:–—-") + "…"


def _parsed(body: str) -> list[Token]:
    tokens = _markdown.parse(body)
    taken: set[str] = set()
    deeper = 2 - _top(tokens)
    for token, following in zip_longest(tokens, tokens[1:]):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(4, int(token.tag[1]) + deeper)}"
        if token.type == "heading_open" and following is not None and token.tag in ("h2", "h3"):
            token.attrSet("id", _place(_words(following), taken))
        for child in token.children or ():
            if child.type == "image":
                _ours_or_words(child)
    return tokens


def _ours_or_words(picture: Token) -> None:
    if _OURS.fullmatch(str(picture.attrGet("src") or "")):
        picture.attrSet("loading", "lazy")
    else:
        picture.type, picture.tag, picture.attrs, picture.children = "text", "", {}, None


def _top(tokens: list[Token]) -> int:
    """The level that the author's headings begin at: whoever begins at # and whoever begins at ## get the same page."""
    levels = [token.markup.count("#") or (1 if token.markup == "=" else 2) for token in tokens if token.type == "heading_open"]
    return min(levels, default=2)


def _place(words: str, taken: set[str]) -> str:
    wanted = "s-" + ("-".join(re.findall(r"\w+", words.lower()))[:60] or "1")
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    taken.add(name)
    return name


def _filtered(tag: str, attribute: str, value: str) -> str | None:
    if tag == "img" and attribute == "src" and not _OURS.fullmatch(value):
        return None
    return value


def _lines(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "inline":
            yield _words(token)
        elif token.type in ("fence", "code_block"):
            yield token.content.strip()


def _with_addresses(inline: Token, base_url: str) -> str:
    parts: list[str] = []
    address = ""
    for child in inline.children or ():
        if child.type == "link_open":
            address = str(child.attrGet("href") or "")
        elif child.type == "link_close":
            whole = f"{base_url}{address}" if address.startswith("/") else address
            if parts[-1:] != [whole]:
                parts.append(f" ({whole})")
        elif child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts).strip()


def _words(inline: Token) -> str:
    parts: list[str] = []
    for child in inline.children or ():
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts).strip()
