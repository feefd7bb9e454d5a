"""Sanitised HTML read as lines of text, each knowing where it begins in the HTML and how deep it is quoted.

`sanitise.text_of` shows these lines; `quotes` finds among them where the reply ends, and cuts the HTML at the same place.
The input is what nh3 wrote: well-formed, attribute values in double quotes, no bare < in text. One pass, linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)([^<>"]*(?:"[^"]*"[^<>"]*)*)>')
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "table", "dl"})
_BREAKS = _PARAGRAPHS | {
    "address", "article", "caption", "center", "dd", "div", "dt", "figcaption", "figure", "footer", "header", "hr", "li", "main", "section",
    "summary", "tbody", "tfoot", "thead", "tr", "br",
}  # fmt: skip
VOID = frozenset({"br", "hr", "img", "col", "wbr"})
_SPACES = re.compile(r"[ \t\r\n\f]+")


@dataclass(slots=True)
class Line:
    """One visible line. `offset`: where in the HTML it begins (the first tag or sign that belongs to it); `depth`: quote levels."""

    text: str
    offset: int
    depth: int
    rule: bool = False  # a horizontal rule: empty text, but a line that separates


def lines(html: str) -> list[Line]:
    """The visible lines of sanitised HTML; never two empty ones in a row."""
    out: list[Line] = []
    words: list[str] = []
    start = -1
    depth = pre = 0
    at = 0

    def end_line(*, blank: bool = False) -> None:
        nonlocal start
        line = "".join(words)
        words.clear()
        line = line if pre else _SPACES.sub(" ", line).strip(" ")
        if line.strip():
            out.append(Line(line.replace("\xa0", " "), start, depth))
            start = -1
        if blank and out and (out[-1].text or out[-1].rule):
            out.append(Line("", -1, depth))

    def say(text: str, offset: int) -> None:
        nonlocal start
        if not text:
            return
        if start == -1 and (pre or text.strip(" \t\r\n\f")):
            start = offset
        if pre and "\n" in text:
            first, *rest = text.split("\n")
            words.append(first)
            for more in rest:
                end_line(blank=not "".join(words).strip())
                start = offset
                words.append(more)
        else:
            words.append(text)

    for match in _TAG.finditer(html):
        say(_unescaped(html[at : match.start()]), at)
        at = match.end()
        closing, tag = match[1], match[2]
        if tag in _BREAKS:
            if tag == "br":
                end_line(blank=not "".join(words).strip())
            else:
                end_line(blank=tag in _PARAGRAPHS)
            if tag == "hr":
                out.append(Line("", match.start(), depth, rule=True))
            elif tag == "blockquote":
                depth = max(depth + (-1 if closing else 1), 0)
            elif tag == "pre":
                pre = max(pre + (-1 if closing else 1), 0)
        elif tag in ("td", "th") and closing:
            words.append(" ")
        if not closing and start == -1 and tag not in ("br", "hr"):
            start = match.start()
    say(_unescaped(html[at:]), at)
    end_line()
    _give_offsets(out, len(html))
    return out


def split_at(html: str, offset: int) -> tuple[str, str]:
    """Cut sanitised HTML in two well-formed pieces: elements open at the cut are closed in the first and reopened in the second."""
    open_tags: list[tuple[str, str]] = []
    for match in _TAG.finditer(html, 0, offset):
        if match[2] in VOID:
            continue
        if not match[1]:
            open_tags.append((match[2], match[0]))
        elif open_tags and open_tags[-1][0] == match[2]:
            open_tags.pop()
    first = html[:offset] + "".join(f"</{name}>" for name, _ in reversed(open_tags))
    second = "".join(tag for _, tag in open_tags) + html[offset:]
    return first, second


def _give_offsets(found: list[Line], end: int) -> None:
    """Empty lines begin where the next line with text begins."""
    offset = end
    for line in reversed(found):
        if line.offset == -1:
            line.offset = offset
        offset = line.offset


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&nbsp;", "\xa0").replace("&amp;", "&")
