"""What is wrong with an open page for people without a mouse, without good eyes, or with a small screen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from weakref import WeakKeyDictionary

from tests import axe

#: How many places of the page the keyboard should reach.
WALK = """() => {
  const seen = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter((one) =>
    !one.disabled && one.type !== 'hidden' && one.tabIndex >= 0 && one.checkVisibility({ visibilityProperty: true })
    && !one.closest('details:not([open]) > :not(summary)'));
  // of radio buttons with one name the keyboard stops at one
  const groups = new Set();
  return seen.filter((one) => {
    if (one.type !== 'radio') return true;
    const fresh = !groups.has(one.name);
    groups.add(one.name);
    return fresh;
  }).length;
}"""
#: Nothing has been walked.
AFRESH = """() => {
  document.querySelectorAll('[data-walked]').forEach((one) => delete one.dataset.walked);
  document.activeElement?.blur();
}"""
#: Where the keyboard stands now: on a place not seen before and whether it shows that, or where it was already.
STOP = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return 'nothing';
  const last = document.querySelector('[data-walked="last"]');
  if (one === last) return 'within';  // a field of a time has places of its own
  if (one.dataset.walked) return 'again';
  if (last) last.dataset.walked = 'before';
  one.dataset.walked = 'last';
  const style = getComputedStyle(one);
  const around = one.matches('input, select, textarea') ? style : null;
  const marked = style.outlineStyle !== 'none' || style.boxShadow !== 'none'
    || (one.nextElementSibling && getComputedStyle(one.nextElementSibling).outlineStyle !== 'none')
    || (one.parentElement && getComputedStyle(one.parentElement).outlineStyle !== 'none');
  return marked ? 'marked' : one.outerHTML.slice(0, 120);
}"""
#: A theme and a width. A tab keeps the one it wears, and changing it loads nothing anew.
Look = tuple[str, int]
_worn: WeakKeyDictionary[Any, Look] = WeakKeyDictionary()
#: Nothing is caught half faded.
SETTLE = "() => document.getAnimations().forEach((one) => { try { one.finish(); } catch { one.cancel(); } })"
ROOM = """() => [document.documentElement.scrollWidth - innerWidth, innerWidth,
  Math.max(...[...document.querySelectorAll('main, main > *')].map((part) => part.getBoundingClientRect().width))]"""


def wear(page: Any, look: Look) -> None:
    """Show a tab in a look, what is open in it and what will be."""
    if _worn.get(page) == look:
        return
    _worn[page] = look
    page.emulate_media(color_scheme=look[0])
    page.set_viewport_size({"width": look[1], "height": 844})
    page.evaluate(SETTLE)


def faults(page: Any, address: str, *looks: Look, keyboard: Collection[Look] = (), status: int = 200) -> list[str]:
    """What is wrong with a page in these looks, of which it is opened in the one that the tab wears: what axe finds, what has no room, and
    in which of the looks `keyboard` that does not come somewhere or cannot be seen; one line each.
    """
    first, *others = sorted(looks, key=lambda look: look != _worn.get(page))
    if found := _opened(page, address, first, status):
        return found
    for look in (first, *others):
        wear(page, look)
        seen = axe.violations(page) if look is first else axe.violations_of_look(page)
        seen += room(page) + (_walk(page) if look in keyboard else [])
        found += [f"{look}: {fault}" for fault in seen]
    return found


def faults_of_words(page: Any, address: str, language: str, look: Look, *, status: int = 200) -> list[str]:
    """What other words can make wrong with a page that is in order otherwise: its language is not said, or they have no room."""
    if found := _opened(page, address, look, status):
        return found
    if not page.evaluate("code => document.documentElement.lang === code && document.title.trim() !== ''", language):
        found.append(f"the page does not say that it is in {language}, or has no title")
    return found + room(page)


def room(page: Any) -> list[str]:
    """Whether the page is wider than the screen, or its main part narrower than it need be."""
    over, screen, main = page.evaluate(ROOM)
    found = [f"{over} px wider than the screen"] if over > 1 else []
    return found + ([f"its main part is only {main} px wide"] if main < min(300, screen - 100) else [])


def _opened(page: Any, address: str, look: Look, status: int) -> list[str]:
    """Open it and wait until its script has done its part."""
    wear(page, look)
    answer = page.goto(address)
    if answer.status != status:
        return [f"answers {answer.status}"]
    page.wait_for_function("() => performance.getEntriesByName('app-ready').length > 0")
    return []


def _walk(page: Any) -> list[str]:
    """Press Tab until it begins anew."""
    found, walked = [], 0
    stops = page.evaluate(WALK)
    page.evaluate(AFRESH)
    for _ in range(2 * stops + 20):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop == "again":
            break
        if stop in ("nothing", "within"):  # between the page's end and its beginning
            continue
        walked += 1
        if stop != "marked":
            found.append(f"the focus is not seen on {stop}")
    if walked < stops:
        found.append(f"the keyboard reaches {walked} of {stops} places")
    return found
