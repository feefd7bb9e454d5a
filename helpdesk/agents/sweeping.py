"""The sweep: what a lost timer or a dead process left is found once a minute, mended, logged and counted. It should find nothing."""

from __future__ import annotations

import logging
from functools import partial

from sqlalchemy import or_, select

from helpdesk import clock, db
from helpdesk.actor import SYSTEM
from helpdesk.agents import matching, offers, steps, turns, wrap_up
from helpdesk.agents.models import AgentProfile, Presence, PresenceState
from helpdesk.catalog import WorkStranded
from helpdesk.events import record

log = logging.getLogger(__name__)


def sweep() -> int:
    """Look for an eligible item waiting beside a free agent. There must be none; each found is matched, logged and counted.

    Before that, what a lost timer left: steps, offers and wrap-ups whose time is over.
    """
    with db.read() as session:
        late = steps.overdue()
        ended = offers.overdue()
        unwrapped = wrap_up.overdue()
    for repair, ids in ((steps.widen, late), (offers.expire_late, ended), (wrap_up.expire_late, unwrapped)):
        for row_id in ids:
            with db.transaction():
                repair(row_id)
    with db.read() as session:
        free = list(
            session.scalars(
                select(AgentProfile.user_id)
                .join(Presence, Presence.user_id == AgentProfile.user_id)
                .where(
                    Presence.state == PresenceState.AVAILABLE,
                    Presence.expires_at >= clock.now(),
                    or_(AgentProfile.load < AgentProfile.capacity, AgentProfile.live_load < AgentProfile.live_capacity),
                )
            )
        )
    stranded = 0
    for user_id in free:
        with db.transaction():
            if matching.serve(user_id, once=True):
                stranded += 1
                turns.afterwards(partial(turns.serve, user_id))
                record(WorkStranded(user_id, SYSTEM))
                log.warning("the sweep found work waiting beside free agent %s", user_id)
    return stranded
