"""What is wrong with a page, as readable lines: axe-core's findings, script errors, refusals of the content security policy."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parent.parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: What colours and room can make wrong on a page that is in order otherwise.
LOOK = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]

#: What is in order is neither gathered nor handed over: it is most of what axe finds.
RUN = """only => axe.run(document, {runOnly: only, resultTypes: ['violations'], elementRef: false})
    .then(found => found.violations.map(({id, impact, nodes}) =>
        ({id, impact, nodes: nodes.map(({target, failureSummary}) => ({target, failureSummary}))})))"""


@cache
def _script() -> str:
    return SCRIPT.read_text(encoding="utf-8")


def violations(page: Any) -> list[str]:
    """One line per element that breaks a WCAG 2.2 AA rule or a best practice. Works under a strict CSP."""
    page.evaluate(_script())
    return _found(page, {"type": "tag", "values": RULES})


def violations_of_look(page: Any) -> list[str]:
    """The same for a page that `violations` has seen in other colours or another size: only what depends on these."""
    return _found(page, {"type": "rule", "values": LOOK})


def _found(page: Any, only: dict[str, Any]) -> list[str]:
    found = page.evaluate(RUN, only)
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def listen(page: Any, faults: list[str]) -> None:
    """Add to `faults` what goes wrong in a tab from now on: script errors, and refusals by the content security policy."""
    page.on("pageerror", lambda error: faults.append(f"{page.url}: script error {error}"))
    page.on("console", lambda message: _note(page, faults, message))


def _note(page: Any, faults: list[str], message: Any) -> None:
    """A 404 page's own status is no fault."""
    if message.type == "error" and "Failed to load resource" not in message.text:
        faults.append(f"{page.url}: {message.text}")
