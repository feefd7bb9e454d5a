"""The router against a reference that looks at everything, one by one: random people, queues, steps, holds, limits and refusals.

Each world is built in one transaction, routed, compared, and thrown away with it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from helpdesk import clock, db
from helpdesk.actor import Actor
from helpdesk.agents import candidates, matching, presence, waiting
from helpdesk.agents.models import (
    AgentProfile,
    AgentSkill,
    Exclusion,
    ItemState,
    Presence,
    PresenceState,
    QueueMember,
    Signature,
    WorkItem,
)
from helpdesk.auth import Role
from helpdesk.preferences import prefer
from helpdesk.tickets.models import Channel, Message, MessageKind, Priority, Queue, Ticket
from tests import people
from tests.desks import TestDesk

MANY = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHANNELS = ("ticket", "chat", "phone")
USUAL: dict[str, set[str]] = {"phone": set(), "chat": {"chat"}, "ticket": {"ticket", "chat", "phone"}}


class World:
    """A desk with everything drawn at random, and the reference's own account of who has what in hand."""

    def __init__(self, desk: TestDesk, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.company = c = desk.people
        session = db.session()
        self.users = [c.alice, c.bob, c.eve, *(people.person(f"Agent {n}", Role.AGENT, email=f"n{n}@example.com").id for n in range(3))]
        self.queues = [session.get_one(Queue, c.support), session.get_one(Queue, c.billing)]
        self.may_join = USUAL
        if rng.random() < 0.6:
            self.may_join = {held: {channel for channel in CHANNELS if rng.random() < 0.5} for held in CHANNELS}
            prefer(interrupts={held: sorted(beside) for held, beside in self.may_join.items()})
        session.execute(delete(AgentSkill))
        session.execute(delete(QueueMember))
        for user in self.users:
            self._agent(user)
        for queue in self.queues:
            self._queue(queue)
        session.flush()
        self.items = [self._item(number) for number in range(rng.randint(1, 14))]
        for item in self.items:
            for user in self.users:
                if rng.random() < 0.15:
                    session.add(Exclusion(item_id=item.id, user_id=user, until=clock.now() + timedelta(minutes=rng.choice((-1, 5)))))
        session.flush()
        self.in_hand: dict[int, list[tuple[str, int]]] = {user: [] for user in self.users}

    def _agent(self, user: int) -> None:
        rng, session = self.rng, db.session()
        profile = session.get_one(AgentProfile, user)
        profile.capacity, profile.live_capacity = rng.randint(0, 4), rng.randint(0, 3)
        profile.channel_caps = {channel: rng.randint(0, 2) for channel in CHANNELS if rng.random() < 0.3}
        profile.weights = {channel: rng.randint(1, 2) for channel in CHANNELS if rng.random() < 0.2}
        state = rng.choice([PresenceState.AVAILABLE] * 5 + [PresenceState.AWAY, PresenceState.WRAP_UP, PresenceState.OFFLINE])
        idle, ends = clock.now() - timedelta(seconds=rng.randint(0, 3)), clock.now() + timedelta(seconds=rng.choice((-1, 40, 40, 40)))
        session.merge(Presence(user_id=user, state=state, reason="", since=idle, idle_since=idle, expires_at=ends))
        for skill in (self.company.russian, self.company.english):
            if rng.random() < 0.7:
                session.add(AgentSkill(user_id=user, skill_id=skill, level=rng.randint(1, 3)))
        for queue in (self.company.support, self.company.billing):
            if rng.random() < 0.6:
                session.add(QueueMember(queue_id=queue, user_id=user))

    def _queue(self, queue: Queue) -> None:
        rng = self.rng
        other = next(one for one in self.queues if one is not queue)
        first = {str(skill): rng.randint(1, 3) for skill in (self.company.russian, self.company.english) if rng.random() < 0.4}
        second = {skill: rng.randint(1, level) for skill, level in first.items() if rng.random() < 0.7}
        queue.acceptance = rng.choice(["offer", "offer", "automatic", "pull"])
        queue.requirements, queue.hold_s, queue.tier = first, rng.choice([0, 600, None]), rng.randint(1, 2)
        queue.weights = {channel: rng.randint(1, 2) for channel in CHANNELS}
        queue.prefers_proficiency = rng.random() < 0.3
        queue.steps, queue.overflow_id = [], None
        if rng.random() < 0.7:
            queue.overflow_id = other.id
            queue.steps = [{"requirements": first, "until_age_s": 300}, {"requirements": second, "until_age_s": 900}]
            queue.steps.append({"requirements": second, "overflow": True})

    def _item(self, number: int) -> WorkItem:
        rng, session = self.rng, db.session()
        contact = rng.choice([self.company.carol, self.company.oleg])
        opened = clock.now() - timedelta(seconds=rng.choice([0, 10, 299, 300, 500, 900, 5000]))
        ticket = Ticket(
            number=5000 + number, subject="?", channel=Channel.EMAIL, inbox_id=self.company.mail, queue_id=rng.choice(self.queues).id,
            requester_id=contact, opened_at=opened, waiting_since=opened, priority=rng.choice(list(Priority)),
            next_due_at=rng.choice([None, clock.now() + timedelta(seconds=rng.randint(-2, 2) * 600)]),
        )  # fmt: skip
        session.add(ticket)
        session.flush()
        if rng.random() < 0.3:  # an older conversation somebody answered
            said = {"ticket_id": ticket.id, "channel": Channel.EMAIL, "text": "Hello."}
            session.add(Message(kind=MessageKind.REPLY, user_id=rng.choice(self.users), **said))
            session.flush()
        return waiting.enqueue(ticket, rng.choice(["ticket", "ticket", "chat", "phone"]))

    # --- the reference ---------------------------------------------------------------------------------------------------

    def queue_of(self, item: WorkItem) -> Queue:
        return next(queue for queue in self.queues if queue.id == item.queue_id)

    def weight(self, user: int, item: WorkItem) -> int:
        profile = db.session().get_one(AgentProfile, user)
        return int(profile.weights.get(item.channel, self.queue_of(item).weights[item.channel]))

    def used(self, user: int, *, live: bool) -> int:
        return sum(weight for channel, weight in self.in_hand[user] if (channel != "ticket") == live)

    def could_have(self, user: int, item: WorkItem) -> bool:
        """Queue, hold and skills: whether it could be theirs at all."""
        session, queue, now = db.session(), self.queue_of(item), clock.now()
        steps: list[dict[str, Any]] = queue.steps or [{"requirements": queue.requirements}]
        age = (now - item.enqueued_at).total_seconds()
        step = next(step for step in steps if "until_age_s" not in step or age < step["until_age_s"])
        queues = {queue.id, queue.overflow_id} if step.get("overflow") else {queue.id}
        if item.step == 0:
            assert item.sticky_user_id is not None and age < (7200 if item.channel == "ticket" else 600)
            step, queues = steps[0], {queue.id}
        else:
            assert steps.index(step) + 1 == item.step
        known = {str(row.skill_id): row.level for row in session.scalars(select(AgentSkill).where(AgentSkill.user_id == user))}
        return (
            any(session.get(QueueMember, (queue_id, user)) for queue_id in queues if queue_id)
            and (item.step > 0 or item.sticky_user_id == user)
            and all(known.get(skill, 0) >= level for skill, level in step["requirements"].items())
        )

    def here(self, user: int, *states: PresenceState) -> bool:
        found = db.session().get_one(Presence, user)
        return found.state in states and found.expires_at >= clock.now()

    def refused(self, user: int, item: WorkItem) -> bool:
        out = db.session().get(Exclusion, (item.id, user))
        return out is not None and out.until > clock.now()

    def nobody_left(self, item: WorkItem) -> bool:
        """Whether all who are here and could have the item refused it: then it is as if nobody had."""
        left = [
            user for user in self.users
            if self.here(user, PresenceState.AVAILABLE, PresenceState.WRAP_UP) and self.could_have(user, item)
        ]  # fmt: skip
        return bool(left) and all(self.refused(user, item) for user in left)

    def may_have(self, user: int, item: WorkItem, *, again: bool = False) -> bool:
        """Every rule of the specification, read off the rows; `again`: whatever was refused."""
        profile = db.session().get_one(AgentProfile, user)
        channels = [channel for channel, _weight in self.in_hand[user]]
        live = item.channel != "ticket"
        return (
            self.queue_of(item).acceptance != "pull"
            and self.here(user, PresenceState.AVAILABLE)
            and self.could_have(user, item)
            and (again or not self.refused(user, item))
            and channels.count(item.channel) < profile.channel_caps.get(item.channel, 99)
            and all(item.channel in self.may_join[channel] for channel in channels)
            and self.used(user, live=live) + self.weight(user, item) <= (profile.live_capacity if live else profile.capacity)
        )

    def place(self, user: int, item: WorkItem) -> tuple[float, float, float, int]:
        """Proficiency if the queue asks for it, then the emptiest, the longest idle, the first."""
        session, live = db.session(), item.channel != "ticket"
        profile, presence = session.get_one(AgentProfile, user), session.get_one(Presence, user)
        asked = (self.queue_of(item).steps or [{"requirements": self.queue_of(item).requirements}])[max(item.step, 1) - 1]["requirements"]
        rows = session.scalars(
            select(AgentSkill).where(AgentSkill.user_id == user, AgentSkill.skill_id.in_([int(skill) for skill in asked]))
        )
        level = sum(row.level for row in rows) if self.queue_of(item).prefers_proficiency else 0
        used = self.used(user, live=live) / (profile.live_capacity if live else profile.capacity)
        return (-level, used, presence.idle_since.timestamp(), user)

    def take(self, user: int, item: WorkItem) -> None:
        self.in_hand[user].append((item.channel, self.weight(user, item)))

    def waiting(self) -> list[WorkItem]:
        session = db.session()
        session.expire_all()
        return [item for item in self.items if session.get_one(WorkItem, item.id).state is ItemState.WAITING]

    def owners(self) -> dict[int, int | None]:
        return {row.id: row.user_id for row in db.session().execute(select(WorkItem.id, WorkItem.user_id))}


def worlds(desk: TestDesk, seed: int) -> Iterator[World]:
    with db.transaction():
        yield World(desk, seed)
        db.doom()


@given(seed=st.integers(0, 10**9))
@MANY
def test_each_agent_who_becomes_free_gets_exactly_what_looking_at_everything_would_give(desk: TestDesk, seed: int) -> None:
    with clock.frozen(clock.now()):
        for world in worlds(desk, seed):
            order = list(world.users)
            world.rng.shuffle(order)
            for user in order:
                expected = {}
                while True:
                    able = [item for item in world.waiting() if item.id not in expected and world.may_have(user, item)]
                    if not able:
                        break
                    best = min(able, key=lambda item: (item.tier, item.vkey, item.enqueued_at, item.id))
                    world.take(user, best)
                    expected[best.id] = user
                before = world.owners()
                matching.serve(user)
                got = {item: owner for item, owner in world.owners().items() if owner is not None and before[item] is None}
                assert got == expected
            check(world)


@given(seed=st.integers(0, 10**9))
@MANY
def test_each_item_that_arrives_goes_to_exactly_whom_looking_at_everybody_would_choose(desk: TestDesk, seed: int) -> None:
    with clock.frozen(clock.now()):
        for world in worlds(desk, seed):
            order = list(world.items)
            world.rng.shuffle(order)
            for item in order:
                again = world.nobody_left(item) and world.queue_of(item).acceptance != "pull"
                able = [user for user in world.users if world.may_have(user, item, again=again)]
                chosen = min(able, key=lambda user: world.place(user, item)) if able else None
                if chosen is not None:
                    world.take(chosen, item)
                matching.match_item(item.id)
                db.session().expire_all()
                assert world.owners()[item.id] == chosen
                assert not (again and db.session().scalar(select(Exclusion.user_id).where(Exclusion.item_id == item.id)))
            check(world)


@given(seed=st.integers(0, 10**9))
@MANY
def test_in_a_queue_of_very_many_the_database_puts_the_same_agent_first(desk: TestDesk, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    with monkeypatch.context() as many:
        many.setattr(candidates, "ONE_BY_ONE", 1)
        many.setattr(candidates, "_PEOPLE", candidates._people().limit(2))
        candidates._able.cache_clear()
        try:
            test_each_item_that_arrives_goes_to_exactly_whom_looking_at_everybody_would_choose.hypothesis.inner_test(desk, seed)
        finally:
            candidates._able.cache_clear()


@given(seed=st.integers(0, 10**9))
@MANY
def test_whoever_comes_back_gets_the_best_of_everything_also_what_only_they_could_have_and_refused(desk: TestDesk, seed: int) -> None:
    with clock.frozen(clock.now()):
        for world in worlds(desk, seed):
            for user in world.users:  # as the desk stands when all that could be given has been
                settle(world, user)
            user = world.rng.choice(world.users)
            presence.set_presence(user, PresenceState.AVAILABLE, by=Actor("user", user))
            again = {item.id for item in world.waiting() if world.nobody_left(item) and works_at(user, item)}
            expected: set[int] = set()
            while able := [
                item for item in world.waiting()
                if item.id not in expected and world.may_have(user, item, again=item.id in again)
            ]:  # fmt: skip
                best = min(able, key=lambda item: (item.tier, item.vkey, item.enqueued_at, item.id))
                world.take(user, best)
                expected.add(best.id)
            before = world.owners()
            comes(user)
            owners = world.owners()
            assert {item for item, owner in owners.items() if owner is not None and before[item] is None} == expected
            assert all(owners[item] == user for item in expected)
            assert not any(world.nobody_left(item) for item in world.waiting() if works_at(user, item))
            check(world)


@pytest.mark.soak
def test_all_of_this_holds_in_hundreds_of_worlds(desk: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(200):
        test_each_agent_who_becomes_free_gets_exactly_what_looking_at_everything_would_give.hypothesis.inner_test(desk, seed)
        test_each_item_that_arrives_goes_to_exactly_whom_looking_at_everybody_would_choose.hypothesis.inner_test(desk, seed)
        test_in_a_queue_of_very_many_the_database_puts_the_same_agent_first.hypothesis.inner_test(desk, monkeypatch, seed)
        test_whoever_comes_back_gets_the_best_of_everything_also_what_only_they_could_have_and_refused.hypothesis.inner_test(desk, seed)


def settle(world: World, user: int) -> None:
    """Give an agent what they may have, as the reference and the router agree (tested above)."""
    before = world.owners()
    comes(user)
    db.session().expire_all()
    for item in world.items:
        if world.owners()[item.id] == user and before[item.id] is None:
            world.take(user, item)


def comes(user: int) -> None:
    """What `turns.ask_again` does, in this one transaction."""
    forgotten = {item for item in waiting.refused(user) if matching.forget_refusals(item)}
    matching.serve(user, forgotten=forgotten)


def works_at(user: int, item: WorkItem) -> bool:
    """Whether the item is of a queue that the agent works in, or overflows into one."""
    signature = db.session().get_one(Signature, item.signature_id)
    return any(db.session().get(QueueMember, (queue, user)) for queue in (signature.queue_id, signature.overflow_id) if queue)


def check(world: World) -> None:
    """No capacity overrun, and nobody idles beside what they could have."""
    session = db.session()
    session.expire_all()
    for user in world.users:
        profile = session.get_one(AgentProfile, user)
        assert (profile.load, profile.live_load) == (world.used(user, live=False), world.used(user, live=True))
        assert profile.load <= profile.capacity and profile.live_load <= profile.live_capacity
        assert not any(world.may_have(user, item) for item in world.waiting())
