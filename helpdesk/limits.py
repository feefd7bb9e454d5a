"""How often one address may do a thing that costs us something: a form, a fresh link, a vote.

Counted in Redis where there is one, in memory otherwise. A counter that does not answer refuses nobody: losing a customer's
request is worse
than one too many.
"""

from __future__ import annotations

import logging

from flask import current_app
from flask_limiter.util import get_remote_address
from limits import parse

from helpdesk.errors import TooMany

log = logging.getLogger(__name__)


def within(name: str, allowed: str, *, who: str = "") -> None:
    """Count one more `name` by `who` (default: the reader's address). `allowed` is such as "5 per 10 minutes". Raises TooMany."""
    for limiter in current_app.extensions.get("limiter", ()):
        if not limiter.enabled:
            continue
        item = parse(allowed)
        try:
            free = limiter.limiter.hit(item, name, who or get_remote_address())
        except Exception:
            log.warning("the rate counter does not answer", exc_info=True)
            return
        if not free:
            raise TooMany(retry_after=item.get_expiry())
