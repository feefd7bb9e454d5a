"""The figures of a rendered customer's page, read by their markup.

`data-figure` names a figure, `data-of` on elements around it says of what; a moment that ticks (`rel-time`) is a figure by itself. Whatever
else on the page has a digit in it is kept as `loose`, so that a figure nobody marked cannot pass unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "use", "wbr"}
#: What people type into, choose from or do not see at all.
NOT_SHOWN = {"form", "script", "style", "template", "svg"}


@dataclass
class Seen:
    """One figure as it stands on the page: its words, the moment of a `rel-time` in it, the value of a `meter`."""

    key: str
    text: str = ""
    moment: float | None = None
    meter: float | None = None


@dataclass
class Page:
    """Everything of a page's main part that is a figure, or looks like one."""

    figures: list[Seen]
    loose: list[str]

    def of(self, beginning: str) -> list[Seen]:
        return [one for one in self.figures if one.key.startswith(beginning)]


@dataclass
class _Open:
    tag: str
    of: str
    figure: Seen | None = None
    texts: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[_Open] = []
        self.figures: list[Seen] = []
        self.loose: list[str] = []

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in given}
        if tag in VOID:
            return
        made = _Open(tag, attrs.get("data-of", ""))
        self.open.append(made)
        if not self._shown():
            return
        if "data-figure" in attrs:
            made.figure = self._seen(attrs["data-figure"])
            made.figure.meter = float(attrs["value"]) if tag == "meter" else None
        elif tag == "rel-time" and not self._figure():
            made.figure = self._seen("at")
        if tag == "rel-time" and (figure := self._figure()):
            figure.moment = float(attrs["at"])

    def handle_endtag(self, tag: str) -> None:
        while self.open and tag not in VOID:
            closed = self.open.pop()
            text = " ".join("".join(closed.texts).split())
            if closed.figure is None and any(letter.isdigit() for letter in text):
                self.loose.append(text)
            if closed.tag == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self._shown() or any(one.tag == "rel-time" for one in self.open):
            return
        if figure := self._figure():
            figure.text += data
        else:
            self.open[-1].texts.append(data)

    def _seen(self, name: str) -> Seen:
        made = Seen("/".join([*(one.of for one in self.open if one.of), name]))
        self.figures.append(made)
        return made

    def _figure(self) -> Seen | None:
        return next((one.figure for one in reversed(self.open) if one.figure), None)

    def _shown(self) -> bool:
        tags = [one.tag for one in self.open]
        return "main" in tags and not NOT_SHOWN.intersection(tags)


def read(html: str) -> Page:
    """The figures of a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    for one in reader.figures:
        one.text = " ".join(one.text.split())
    return Page(reader.figures, reader.loose)


def unexplained(page: Page, words: set[str], said: Callable[[], set[str]]) -> list[str]:
    """What has a digit in it, is no marked figure, and stands neither among the desk's own `words` nor in what people `said`."""
    left = [text for text in page.loose if _rest(text, words)]
    known = said() if left else set()
    return [text for text in left if _rest(text, words | known)]


def _rest(text: str, known: set[str]) -> bool:
    """Whether a digit is left when everything known is taken out."""
    for one in sorted((" ".join(one.split()) for one in known if any(letter.isdigit() for letter in one)), key=len, reverse=True):
        text = text.replace(one, "")
    return any(letter.isdigit() for letter in text)
