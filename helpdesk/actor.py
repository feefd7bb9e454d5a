"""Who did it. Every verb and every policy takes an actor; every event stores one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["user", "contact", "link", "token", "rule", "system"]


@dataclass(frozen=True)
class Actor:
    """Somebody, or something, that acts.

    `id` is the user's, contact's, token's or rule's; a link holder's is the contact the link was given to.
    `on_behalf_of` names the contact an agent writes for; `via` names the door: page, api, email, import, ….
    `owner` is the user a token belongs to, whose name its messages carry; events store the token alone, which knows its owner.
    """

    kind: Kind
    id: int | None = None
    on_behalf_of: int | None = None
    via: str = ""
    owner: int | None = None

    def through(self, door: str) -> Actor:
        return replace(self, via=door)

    @property
    def user_id(self) -> int | None:
        return self.id if self.kind == "user" else self.owner


#: The desk itself: timers, automatic steps, repairs.
SYSTEM = Actor("system")
