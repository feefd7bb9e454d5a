"""The house itself: people, settings, work that failed."""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event


@event
class UserInvited:
    """Somebody may join the desk."""

    user_id: int
    role: str
    by: Actor


@event
class UserChanged:
    """A person's role, teams or rights changed."""

    user_id: int
    by: Actor
    old: str = ""
    new: str = ""


@event
class UserDeactivated:
    """A person may no longer sign in; their sessions and sockets end."""

    user_id: int
    by: Actor


@event
class TokenIssued:
    """A person made a key for a program that acts in their name."""

    user_id: int
    token_id: int
    by: Actor


@event
class TokenRevoked:
    """A program's key stopped working."""

    user_id: int
    token_id: int
    by: Actor


@event
class UserReactivated:
    """A person may sign in again."""

    user_id: int
    by: Actor


@event
class SignedIn:
    """A person signed in."""

    user_id: int
    by: Actor


@event
class LinkRequested:
    """Somebody asked for a single-use link by mail: invite, reset or signin. Without a user when nobody here has that address."""

    user_id: int | None
    purpose: str
    by: Actor


@event
class PasswordChanged:
    """A person chose a new password; their other sessions and sockets ended."""

    user_id: int
    by: Actor


@event
class SessionsEnded:
    """A person signed out everywhere."""

    user_id: int
    by: Actor


@event
class QueueChanged:
    """What a queue asks of agents, who works in it, or whether it is open at all has changed."""

    queue_id: int
    by: Actor


@event
class BoostsChanged:
    """Priorities and customers' value put work earlier in line by more or less than before: what waits is keyed anew."""

    by: Actor


@event
class InterruptsChanged:
    """What agents may be given beside work in hand has changed: who has work in hand is looked at again. A row for each channel in hand."""

    old: str
    new: str
    by: Actor


@event
class StepsComing:
    """Steps of a queue changed while work waited there: of what waited then (up to `upto`) some reaches its next step at `at` (ISO)."""

    queue_id: int
    upto: int
    at: str
    by: Actor


@event
class DryRunAsked:
    """Somebody who leads wants to know what a changed rule would have done to a recorded week. Nothing is changed by it."""

    run_id: int
    queue_id: int
    by: Actor


@event
class SettingsChanged:
    """An administrator changed how the desk works. `what` names the screen or record."""

    by: Actor
    what: str = ""


@event
class DeliveryRetried:
    """An administrator let parked work be tried again."""

    delivery_id: int
    by: Actor


@event
class DeliveryDiscarded:
    """An administrator decided that parked work is not done any more."""

    delivery_id: int
    by: Actor


@event
class WorkStranded:
    """The sweep found work waiting beside a free agent. It must never happen; each one is counted."""

    user_id: int
    by: Actor
