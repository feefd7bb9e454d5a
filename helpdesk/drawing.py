"""Drawing what was committed onto open screens: one round at a time, what happens meanwhile together in the next, within a share of time.

Told by `helpdesk.live`, which knows who watches and sends what the packages' showers draw.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from flask import Flask, g

from helpdesk import db
from helpdesk.events import Fact

log = logging.getLogger(__name__)

Shower = Callable[[list[Fact]], None]

#: Drawing may take this part of a process's time. What was not used is saved up to a quarter of a second's worth, so a quiet desk draws at
#: once; under load rounds wait for their part, what happened meanwhile is drawn together, and screens are at most so much later.
DRAWING_SHARE, SAVED_S, LONGEST_REST_S = 0.3, 0.25, 0.25


class Allowance:
    """A part of the time, saved up while it is not used."""

    def __init__(self, share: float, saved: float, longest: float) -> None:
        self.share, self.saved, self.longest = share, saved, longest
        self._left = saved
        self._at: float | None = None

    def spend(self, begun: float, done: float) -> float:
        """Take what a round from `begun` to `done` (monotonic seconds) used, and return for how many seconds to rest after it."""
        since = begun if self._at is None else self._at
        self._left = min(self.saved, self._left + (done - since) * self.share) - (done - begun)
        self._at = done
        self._left = max(self._left, -self.longest * self.share)
        return max(0.0, -self._left / self.share)


class Artist:
    """Draws committed facts onto screens, one round at a time."""

    def __init__(self, app: Flask, showers: Sequence[tuple[tuple[type, ...], Shower]]) -> None:
        self.app, self._showers = app, showers
        self._waiting: list[Fact] = []
        self._allowance = Allowance(DRAWING_SHARE, SAVED_S, LONGEST_REST_S)
        self._guard = threading.Lock()
        self._running = False

    def draw(self, facts: list[Fact]) -> None:
        with self._guard:
            self._waiting.extend(facts)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._rounds, name="artist", daemon=True).start()

    def _rounds(self) -> None:
        while True:
            with self._guard:
                facts, self._waiting = self._waiting, []
                if not facts:
                    self._running = False
                    return
            begun = time.monotonic()
            self._round(facts)
            time.sleep(self._allowance.spend(begun, time.monotonic()))

    def _round(self, facts: list[Fact]) -> None:
        """Draw everything on one look at the database; a screen that fails costs the others a second look, no more."""
        shows = [(show, wanted) for kinds, show in self._showers if (wanted := [fact for fact in facts if isinstance(fact, kinds)])]
        with self.app.test_request_context(base_url=self.app.config["HELPDESK"].base_url):
            g.pushed = True  # nobody's session: forms drawn here carry no token, the page's script sends its own
            while shows:
                name = "the screens"
                try:
                    with db.read():
                        while shows:
                            show, wanted = shows.pop(0)
                            name = show.__name__
                            show(wanted)
                except Exception:
                    log.exception("drawing %s", name)
                    if name == "the screens":
                        return  # the database cannot be looked at: screens fetch for themselves once it can
