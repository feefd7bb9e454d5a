"""Whether an agent can be reached. Set by the agent, kept alive by their open screen, ended by its time to live."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from helpdesk import clock, db, live
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents.models import AgentProfile, Presence, PresenceState
from helpdesk.auth import Principal
from helpdesk.catalog import PresenceChanged
from helpdesk.events import record
from helpdesk.preferences import preferences

log = logging.getLogger(__name__)

#: States a person chooses; the desk sets the others.
CHOSEN = (PresenceState.AVAILABLE, PresenceState.AWAY, PresenceState.OFFLINE)


def set_presence(user_id: int, state: PresenceState, *, by: Actor, reason: str = "") -> Presence:
    """Say that an agent is in a state from now on. The same state again only renews its life."""
    row = _row(user_id)
    old = row.state if row.expires_at >= clock.now() else PresenceState.OFFLINE
    row.expires_at = clock.now() + timedelta(seconds=preferences().presence_ttl_s)
    if old is state and row.reason == reason:
        return row
    now = clock.now()
    if state is PresenceState.AVAILABLE and old is not PresenceState.AVAILABLE:
        row.idle_since = now
    row.state, row.reason, row.since = state, reason[:60], now
    record(PresenceChanged(user_id, old, state, by, reason=reason[:60]))
    return row


@live.alive
def keep_alive(who: Principal, _shown: dict[str, Any]) -> None:
    """An open screen of the agent has just been heard. Somebody who is offline stays so until they say otherwise."""
    if not who.staff or who.user_id is None:
        return
    with db.transaction() as session:
        row = session.get(Presence, who.user_id)
        if row is None or row.state is PresenceState.OFFLINE:
            return
        expired = row.expires_at < clock.now()
        row.expires_at = clock.now() + timedelta(seconds=preferences().presence_ttl_s)
        if expired and row.state is PresenceState.AVAILABLE:
            # The laptop woke up: the agent is back, and routing hears of it.
            row.since = row.idle_since = clock.now()
            record(PresenceChanged(who.user_id, PresenceState.OFFLINE, row.state, Actor("user", who.user_id)))


def expire() -> int:
    """Agents whose screens have gone silent count as offline; how many. For the sweep."""
    with db.transaction() as session:
        gone = list(session.scalars(select(Presence).where(Presence.expires_at < clock.now(), Presence.state != PresenceState.OFFLINE)))
        for row in gone:
            record(PresenceChanged(row.user_id, row.state, PresenceState.OFFLINE, SYSTEM, reason="silent"))
            row.state, row.since, row.reason = PresenceState.OFFLINE, clock.now(), "silent"
    return len(gone)


def profile_of(user_id: int) -> AgentProfile:
    """An agent's capacity row, made at first need."""
    found = db.session().get(AgentProfile, user_id)
    if found is None:
        found = AgentProfile(user_id=user_id)
        db.session().add(found)
        db.session().flush()
    return found


def became_idle(user_id: int) -> None:
    """Work ended: from now on this agent is the longest idle only after the others."""
    db.session().execute(update(Presence).where(Presence.user_id == user_id).values(idle_since=clock.now()))


def _row(user_id: int) -> Presence:
    row = db.session().get(Presence, user_id)
    if row is None:
        row = Presence(
            user_id=user_id,
            state=PresenceState.OFFLINE,
            since=clock.now(),
            idle_since=clock.now(),
            expires_at=clock.now() - timedelta(seconds=1),
        )
        db.session().add(row)
        profile_of(user_id)
    return row
