"""What is wrong with an open page for people without a mouse, without good eyes, or with a small screen."""

from __future__ import annotations

from typing import Any

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


def faults(page: Any, *, keyboard: bool = True) -> list[str]:
    """What axe finds, what is wider than the screen, and where the keyboard does not come or cannot be seen; one line each."""
    page.wait_for_function("() => performance.getEntriesByName('app-ready').length > 0")
    found = axe.violations(page)
    if (wide := page.evaluate("() => document.documentElement.scrollWidth - innerWidth")) > 1:
        found.append(f"{wide} px wider than the screen")
    return found + (_walk(page) if keyboard else [])


def _walk(page: Any) -> list[str]:
    """Press Tab until it begins anew."""
    found, walked = [], 0
    stops = page.evaluate(WALK)
    page.evaluate("() => document.activeElement?.blur()")
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
