"""Two wordings of a text line by line, and in lines that were only touched up, word by word. Pure."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from helpdesk.kb.snippets import Run

_PIECE = re.compile(r"\w+|\s+|[^\w\s]")
_ALIKE = 0.35  # share of two lines that must be the same for words to be told apart; below, the lines simply differ
_MOST_PIECES = 600  # of a line: comparing is quadratic


@dataclass(frozen=True)
class Line:
    """A line of a comparison. `mark`: "+" added, "-" removed, " " the same, "…" lines left out.

    `runs` are its words, the changed ones told apart.
    """

    mark: str
    words: str
    runs: tuple[Run, ...] = ()


def compared(old: str, new: str, *, around: int = 3) -> list[Line]:
    """Two texts line by line; of long stretches that are the same only the edges."""
    lines: list[Line] = []
    before, after = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for group in matcher.get_grouped_opcodes(around):
        if lines:
            lines.append(Line("…", ""))
        for deed, a1, a2, b1, b2 in group:
            if deed == "equal":
                lines += [_line(" ", words) for words in before[a1:a2]]
            else:
                lines += _changed(before[a1:a2], after[b1:b2])
    return lines


def _changed(before: list[str], after: list[str]) -> list[Line]:
    """Removed lines, then added ones; those in the same place are compared word by word."""
    removed, added = [_line("-", words) for words in before], [_line("+", words) for words in after]
    for at, (old, new) in enumerate(zip(before, after, strict=False)):
        told_apart = _told_apart(old, new)
        if told_apart is not None:
            removed[at], added[at] = Line("-", old, told_apart[0]), Line("+", new, told_apart[1])
    return removed + added


def _told_apart(old: str, new: str) -> tuple[tuple[Run, ...], tuple[Run, ...]] | None:
    """Both lines as runs with what differs marked; None when they have too little in common for that to help."""
    a, b = _PIECE.findall(old), _PIECE.findall(new)
    if max(len(a), len(b)) > _MOST_PIECES:
        return None
    matcher = difflib.SequenceMatcher(a=a, b=b, autojunk=False)
    same = sum(len(piece) for block in matcher.get_matching_blocks() for piece in a[block.a : block.a + block.size] if not piece.isspace())
    if 2 * same < _ALIKE * (len("".join(old.split())) + len("".join(new.split()))):
        return None
    gone: list[Run] = []
    come: list[Run] = []
    for deed, a1, a2, b1, b2 in matcher.get_opcodes():
        for runs, pieces in ((gone, a[a1:a2]), (come, b[b1:b2])):
            if pieces:
                runs.append(Run("".join(pieces), deed != "equal"))
    return tuple(gone), tuple(come)


def _line(mark: str, words: str) -> Line:
    return Line(mark, words, (Run(words, False),) if words else ())
