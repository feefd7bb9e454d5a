"""Who answers: teams, skills, queues, presence, and the work that waits for or holds an agent."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from helpdesk import clock
from helpdesk.db import Base, where

#: E-mail, portal and API requests are one kind of work; it may be interrupted. Chats and calls cannot wait.
TICKET = "ticket"
LIVE = ("chat", "phone")
CHANNELS = (TICKET, *LIVE)


class PresenceState(enum.StrEnum):
    AVAILABLE = "available"
    AWAY = "away"
    NOT_RESPONDING = "not_responding"
    WRAP_UP = "wrap_up"
    OFFLINE = "offline"


class ItemState(enum.StrEnum):
    WAITING = "waiting"
    OFFERED = "offered"
    ASSIGNED = "assigned"
    DONE = "done"


class OfferState(enum.StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Team(Base):
    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    version: Mapped[int] = mapped_column(default=1)


class TeamMember(Base):
    __tablename__ = "team_member"

    team_id: Mapped[int] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)


class Skill(Base):
    """Something an agent can do at a level: a language, a product."""

    __tablename__ = "skill"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    version: Mapped[int] = mapped_column(default=1)


class AgentProfile(Base):
    """What an agent can carry: two budgets, because a call must not wait behind e-mail.

    `load` counts the weights of held, offered and wrapped-up tickets given by routing, guarded against `capacity`; tickets may be
    interrupted. `live_load` and `live_capacity` are the same for chats and calls. `channel_caps` and `weights` are by channel.
    `turn` grows with each piece of work that routing gives, so that a decision made on an older sight loses.
    """

    __tablename__ = "agent_profile"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    capacity: Mapped[int] = mapped_column(default=6)
    load: Mapped[int] = mapped_column(default=0)
    live_capacity: Mapped[int] = mapped_column(default=3)
    live_load: Mapped[int] = mapped_column(default=0)
    channel_caps: Mapped[dict[str, Any]] = mapped_column(default=dict)
    weights: Mapped[dict[str, Any]] = mapped_column(default=dict)
    turn: Mapped[int] = mapped_column(default=0)
    signature: Mapped[str] = mapped_column(Text, default="")
    after_send: Mapped[str] = mapped_column(String(5), default="stay")
    shortcuts: Mapped[bool] = mapped_column(Boolean, default=True)
    sound: Mapped[bool] = mapped_column(Boolean, default=True)
    do_not_disturb: Mapped[bool] = mapped_column(Boolean, default=False)
    version: Mapped[int] = mapped_column(default=1)

    # Routing raises the load only where it fits; work given by hand is not counted here.
    __table_args__ = (CheckConstraint("load >= 0", name="load_not_negative"),)


class AgentSkill(Base):
    __tablename__ = "agent_skill"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    skill_id: Mapped[int] = mapped_column(ForeignKey("skill.id"), primary_key=True)
    level: Mapped[int] = mapped_column(default=1)

    __table_args__ = (Index("ix_agent_skill_skill_id", "skill_id", "level"),)


class QueueMember(Base):
    __tablename__ = "queue_member"

    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)

    __table_args__ = (Index("ix_queue_member_user_id", "user_id"),)


class Presence(Base):
    """Whether an agent can be reached. A row with a time to live: without a heartbeat before `expires_at` the agent counts as offline."""

    __tablename__ = "presence"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    state: Mapped[PresenceState] = mapped_column(default=PresenceState.OFFLINE)
    reason: Mapped[str] = mapped_column(String(60), default="")
    since: Mapped[datetime] = mapped_column(default=clock.now)
    idle_since: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)


class Signature(Base):
    """What an item asks for, interned: few exist, however many items wait. `shape` is its canonical text.

    Step 0 holds items for the agent each names; from the last step on the members of `overflow_id` may take them too.
    """

    __tablename__ = "signature"

    id: Mapped[int] = mapped_column(primary_key=True)
    shape: Mapped[str] = mapped_column(String(500), unique=True)
    channel: Mapped[str] = mapped_column(String(8))
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"), index=True)
    requirements: Mapped[dict[str, Any]] = mapped_column(default=dict)
    step: Mapped[int] = mapped_column(default=0)
    overflow_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"), index=True)


class WorkItem(Base):
    """Work that waits for, or holds, an agent.

    Ordered by (tier, vkey, enqueued_at, id); `vkey` is epoch milliseconds and does not depend on now. `step_until` is when the next
    step begins; `boost` says what the key's boost is made of; an emergency stands in tier 0 whatever its queue's.
    """

    __tablename__ = "work_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    channel: Mapped[str] = mapped_column(String(8))
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id"))
    signature_id: Mapped[int] = mapped_column(ForeignKey("signature.id"))
    tier: Mapped[int] = mapped_column(default=1)
    vkey: Mapped[int]
    enqueued_at: Mapped[datetime]
    step: Mapped[int] = mapped_column(default=0)
    weight: Mapped[int] = mapped_column(default=1)
    state: Mapped[ItemState] = mapped_column(default=ItemState.WAITING)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    sticky_user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    step_until: Mapped[datetime | None]
    emergency: Mapped[bool] = mapped_column(Boolean, default=False)
    boost: Mapped[dict[str, Any]] = mapped_column(default=dict)
    why: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (
        Index("uq_work_item_live", "ticket_id", "channel", unique=True, **where("state <> 'done'")),
        Index("ix_work_item_head", "signature_id", "tier", "vkey", "enqueued_at", "id", **where("state = 'waiting'")),
        Index("ix_work_item_user", "user_id", **where("state IN ('offered','assigned')")),
        Index("ix_work_item_queue", "queue_id", "enqueued_at", **where("state = 'waiting'")),
        Index("ix_work_item_held", "sticky_user_id", "signature_id", "tier", "vkey", "enqueued_at", "id",
              **where("state = 'waiting' AND step = 0")),
        Index("ix_work_item_step", "step_until", **where("state = 'waiting'")),
    )  # fmt: skip


class Reordering(Base):
    """Work that waits follows a changed rule, a batch at a time: of one queue, or of all (None). Kept to show how far it is."""

    __tablename__ = "reordering"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queue.id"))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_reordering_open", "queue_id", **where("finished_at IS NULL")),)


class Offer(Base):
    """Work held out to one agent until `expires_at`. The database allows one open or accepted offer per item."""

    __tablename__ = "offer"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("work_item.id"))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    state: Mapped[OfferState] = mapped_column(default=OfferState.OFFERED)
    weight: Mapped[int] = mapped_column(default=1)
    offered_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(200), default="")
    why: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (
        Index("uq_offer_open", "item_id", unique=True, **where("state IN ('offered','accepted')")),
        Index("ix_offer_user", "user_id", **where("state = 'offered'")),
        Index("ix_offer_expiry", "expires_at", **where("state = 'offered'")),
    )  # fmt: skip


class Assignment(Base):
    """The period during which one agent owns an item.

    `how`: offer, automatic, manual, reply, transfer. `counted` says whether it weighs on the guarded load.
    """

    __tablename__ = "assignment"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("work_item.id"))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]
    how: Mapped[str] = mapped_column(String(10))
    counted: Mapped[bool] = mapped_column(Boolean, default=True)
    weight: Mapped[int] = mapped_column(default=1)
    why: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (
        Index(
            "uq_assignment_open",
            "item_id",
            unique=True,
            **where("ended_at IS NULL"),
        ),
        Index("ix_assignment_user", "user_id", "started_at"),
        Index("ix_assignment_started_at", "started_at"),
    )


class Disposition(Base):
    """How a piece of work ended, in the desk's own words: what wrap-up asks for."""

    __tablename__ = "disposition"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    name_ru: Mapped[str] = mapped_column(String(60), default="")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)


class WrapUp(Base):
    """The time after a piece of work in which its agent finishes up. It weighs on the agent like the work did, until it ends.

    `mode`: optional, mandatory (ends with a disposition) or timed. `until` None: until the agent says so.
    """

    __tablename__ = "wrap_up"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("work_item.id"))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    channel: Mapped[str] = mapped_column(String(8))
    mode: Mapped[str] = mapped_column(String(9))
    weight: Mapped[int] = mapped_column(default=0)
    began_at: Mapped[datetime] = mapped_column(default=clock.now)
    until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    disposition_id: Mapped[int | None] = mapped_column(ForeignKey("disposition.id"))

    __table_args__ = (
        Index("uq_wrap_up_item", "item_id", unique=True, **where("ended_at IS NULL")),
        Index("ix_wrap_up_user", "user_id", "began_at"),
        Index("ix_wrap_up_until", "until", **where("ended_at IS NULL")),
    )


class Exclusion(Base):
    """An agent who is not asked again about an item for a while."""

    __tablename__ = "exclusion"

    item_id: Mapped[int] = mapped_column(ForeignKey("work_item.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    until: Mapped[datetime]


class Notification(Base):
    """Something that happened for an agent while they were not looking, about a ticket or an article."""

    __tablename__ = "notification"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    article_id: Mapped[int | None] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    read_at: Mapped[datetime | None]
    event_id: Mapped[int | None]

    __table_args__ = (
        UniqueConstraint("user_id", "event_id", "kind"),
        Index(
            "ix_notification_unread",
            "user_id",
            "at",
            **where("read_at IS NULL"),
        ),
    )


class Draft(Base):
    """What an agent is writing and has not sent."""

    __tablename__ = "draft"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), default="reply")
    body: Mapped[str] = mapped_column(Text, default="")
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)


class Seen(Base):
    """Up to which message an agent has read a ticket; what is newer shows as unread."""

    __tablename__ = "seen"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    message_id: Mapped[int] = mapped_column(default=0)


class Viewer(Base):
    """Who has a ticket open, and whether they are replying. Believed for 30 s after `seen_at`."""

    __tablename__ = "viewer"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(8), default="viewing")
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
