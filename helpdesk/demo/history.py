"""Sixty days of the sample company's life, told through the verbs with a stopped clock, so that every ticket is the fold of its events.

A small simulation: customers write at believable hours, agents take what waits as far as their capacity allows, answer during working
hours, solve; customers answer, come back, rate. What lies beyond "now" does not happen, so the last hours leave work waiting and in hand.
Nothing is scheduled, pushed or sent: routing's part, which reactions do in a running desk, is played here at once.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import event, select

from helpdesk import clock, db, events
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents import assignments, offers, routing, waiting
from helpdesk.agents.models import AgentProfile, ItemState, Notification, Seen, Signature, WorkItem
from helpdesk.catalog import CustomerWrote, StatusChanged, TicketClosed, TicketMoved, TicketReopened, TicketSolved
from helpdesk.crm import calling
from helpdesk.crm.care_models import CallBack
from helpdesk.crm.models import Contact
from helpdesk.demo.company import STAFF, Colleague, Company
from helpdesk.demo.customers import Person
from helpdesk.demo.words import Scenario, Texts, texts
from helpdesk.preferences import Preference
from helpdesk.tickets import intake, lifecycle, surveys, thread
from helpdesk.tickets.models import Channel, DeliveryState, Inbox, Message, Priority, Queue, Status, Survey, Ticket

TICKETS = 300
DAYS = 60
TEXTS: dict[str, Texts] = {language: texts(language) for language in ("en", "ru")}
#: How many of the tickets arrive within the last hours, whatever time of day it is; and how many of them nobody has taken yet.
FRESH, FRESH_HOURS, UNTAKEN = 32, 5.0, 6
#: Fresh ones that nobody has taken, to their queue's own address, hours ago: the first is overdue, the others soon will be.
PRESSING = (("support", 4.75), ("support", 3.7), ("delivery", 1.65))
#: Requests per hour of the day (Moscow), relative to each other.
_BY_HOUR = (1, 1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 13, 10, 11, 12, 11, 10, 8, 6, 5, 4, 3, 2, 1)
_MOSCOW = timedelta(hours=3)
#: Longer ones are slower: whatever updates in bulk looks through every row that its session still holds.
_STEPS_PER_TRANSACTION = 60
#: A session forgets what nobody holds. These are asked for again and again: holding them saves a quarter of the statements.
_ASKED_AGAIN = (Ticket, Contact, Queue, Inbox, Signature, Preference)


@dataclass
class Case:
    """One ticket on its way: who asks, what the conversation will be, and how far it has come."""

    contact_id: int
    person: Person
    scenario: Scenario
    values: dict[str, str]
    channel: Channel
    fresh: bool = False
    untaken: bool = False
    ticket_id: int = 0
    turn: int = 0
    agent: Colleague | None = None
    came_back: bool = False
    stays_pending: bool = False


@dataclass
class Storyteller:
    """The simulation: a heap of what happens when, played in order."""

    made: Company
    rng: random.Random
    until: datetime
    _heap: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _order: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.agents = {colleague.name: colleague for colleague in STAFF if colleague.queues}
        self.last_message: dict[int, int] = {}

    # --- time ------------------------------------------------------------------------------------------------------------

    def at(self, when: datetime, what: Callable[..., None], *args: Any) -> None:
        """Let something happen then, unless that is in the future."""
        if when <= self.until:
            heapq.heappush(self._heap, (when, next(self._order), lambda: what(*args)))

    def later(self, low: float, high: float, what: Callable[..., None], *args: Any, fresh: bool = False) -> None:
        """Let something happen `low` to `high` minutes from now, in working hours; a fresh case knows no night."""
        when = clock.now() + timedelta(minutes=self.rng.uniform(low, high))
        self.at(when if fresh else working(when, self.rng), what, *args)

    def play(self) -> None:
        """Everything, in a few transactions."""
        while self._heap:
            with db.transaction() as session, events.history():
                kept: list[object] = []
                event.listen(session, "loaded_as_persistent", partial(_keep, kept))
                event.listen(session, "pending_to_persistent", partial(_keep, kept))
                for _step in range(_STEPS_PER_TRANSACTION):
                    if not self._heap:
                        break
                    when, _order, what = heapq.heappop(self._heap)
                    clock.freeze(when)
                    what()

    # --- a ticket's life -------------------------------------------------------------------------------------------------

    def opens(self, case: Case) -> None:
        contact = db.session().get_one(Contact, case.contact_id)
        inbox = db.session().get_one(Inbox, self._inbox(case))
        incoming = intake.Incoming(
            contact, self._said(case, case.scenario.turns[0][1]), case.channel, subject=case.scenario.subject.format(**case.values),
            language=case.person.language,
        )  # fmt: skip
        ticket, message = intake.receive(incoming, inbox, by=Actor("contact", contact.id, via=str(case.channel)))
        case.ticket_id, case.turn = ticket.id, 1
        self.last_message[ticket.id] = message.id
        queue_id = self.made.queues[case.scenario.queue]
        if ticket.queue_id != queue_id:
            # The portal and the phone lead to Support: somebody there sends it on.
            old = ticket.queue_id
            queue = db.session().get_one(Queue, queue_id)
            sorter = Actor("user", self.made.staff["Irina Belova"])
            waiting.enqueue(ticket)
            lifecycle.move(ticket, queue, by=sorter)
            routing.moved(TicketMoved(ticket.id, old, queue_id, sorter))
        else:
            waiting.enqueue(ticket)
        if case.scenario.priority != "normal" and self.rng.random() < 0.7:
            lifecycle.set_priority(ticket, Priority(case.scenario.priority), by=Actor("user", self.made.staff["Irina Belova"]))
        if not case.untaken:
            self.later(*((1, 12) if case.fresh else (1, 15)), self.taken, case, fresh=case.fresh)

    def taken(self, case: Case) -> None:
        """The least loaded agent of the queue who speaks the customer's language takes it, if anybody has room."""
        session = db.session()
        ticket = session.get_one(Ticket, case.ticket_id)
        item = assignments.live_item(ticket)
        if item is None or item.state is not ItemState.WAITING:
            return
        for colleague in self._able(case):
            user_id = self.made.staff[colleague.name]
            if not assignments.raise_load(user_id, item.weight):
                continue
            case.agent = colleague
            queue = session.get_one(Queue, ticket.queue_id)
            if queue.acceptance == "automatic":
                assignments.take_over(item, ticket, user_id, how="automatic", by=SYSTEM)
            else:
                item.state, item.user_id = ItemState.OFFERED, user_id
                session.flush()
                offer = offers.make(item, user_id, queue, {})
                offers.accept(offer, by=Actor("user", user_id))
            low, high = (15, 160) if case.fresh else self.rng.choices(((4, 30), (5, 60), (20, 100), (90, 420)), weights=(5, 5, 3, 1))[0]
            self.later(low, high, self.goes_on, case, fresh=case.fresh)
            return
        self.later(20, 90, self.taken, case, fresh=case.fresh)

    def goes_on(self, case: Case) -> None:
        """The next turn of the conversation."""
        if case.turn >= len(case.scenario.turns):
            return
        ticket = db.session().get_one(Ticket, case.ticket_id)
        if ticket.status in (Status.SOLVED, Status.CLOSED) or case.agent is None:
            return
        who, words = case.scenario.turns[case.turn]
        case.turn += 1
        text = self._said(case, words)
        last = case.turn >= len(case.scenario.turns)
        if who == "c":
            self._customer(case, ticket, text)
        elif who == "n":
            message = thread.note(ticket, text, by=self._agent(case))
            self.last_message[ticket.id] = message.id
            self.later(2, 25, self.goes_on, case, fresh=case.fresh)
        elif who == "s":
            lifecycle.solve(ticket, by=self._agent(case))
            self._solved(case, ticket, Status.OPEN)
        else:
            self._agent_answers(case, ticket, text, last=last)

    def _agent_answers(self, case: Case, ticket: Ticket, text: str, *, last: bool) -> None:
        old = ticket.status
        then = Status.SOLVED if last else Status.ON_HOLD if case.stays_pending and case.ticket_id % 3 == 0 else Status.PENDING
        message = thread.reply(ticket, text, by=self._agent(case), then=then)
        self._left(message)
        self.last_message[ticket.id] = message.id
        if last:
            self._solved(case, ticket, old)
            return
        routing.rest_or_wake(StatusChanged(ticket.id, old, then, self._agent(case)))
        if not case.stays_pending:
            low, high = (4, 60) if case.fresh else (15, 900)
            self.later(low, high, self.goes_on, case, fresh=case.fresh)

    def _customer(self, case: Case, ticket: Ticket, text: str) -> None:
        contact = db.session().get_one(Contact, case.contact_id)
        by = Actor("contact", contact.id, via=str(case.channel))
        reopens = ticket.status is Status.SOLVED
        message = intake.append(ticket, intake.Incoming(contact, text, case.channel, language=case.person.language), by=by)
        self.last_message[ticket.id] = message.id
        if reopens:
            routing.enqueue_reopened(TicketReopened(ticket.id, Status.SOLVED, by))
        routing.customer_wrote(CustomerWrote(ticket.id, contact.id, message.id, by, reopened=reopens))
        low, high = (15, 120) if case.fresh else self.rng.choices(((3, 25), (10, 60), (30, 110), (120, 420)), weights=(5, 5, 3, 1))[0]
        self.later(low, high, self.goes_on, case, fresh=case.fresh)

    def _solved(self, case: Case, ticket: Ticket, old: Status) -> None:
        fact = TicketSolved(ticket.id, old, self._agent(case))
        routing.release_solved(fact)
        now = clock.now()
        self.at(now + timedelta(hours=1), self.asked, case, fact)
        if not case.came_back and self.rng.random() < 0.07:
            self.at(now + timedelta(hours=self.rng.uniform(2, 60)), self.comes_back, case)
        else:
            self.at(now + timedelta(days=14), self.closes, case)

    def comes_back(self, case: Case) -> None:
        """It was not solved after all."""
        ticket = db.session().get_one(Ticket, case.ticket_id)
        if ticket.status is not Status.SOLVED:
            return
        case.came_back = True
        texts = TEXTS[case.person.language]
        more = (("c", self.rng.choice(texts.asks_again)), ("a", self.rng.choice(texts.answers)))
        case.scenario = Scenario(case.scenario.queue, case.scenario.subject, (*case.scenario.turns, *more), case.scenario.priority)  # type: ignore[arg-type]
        case.turn = len(case.scenario.turns) - 1
        self._customer(case, ticket, more[0][1])

    def asked(self, case: Case, fact: TicketSolved) -> None:
        """The survey, by its own rules; a little more than half of those asked answer."""
        surveys.ask_how_it_was(fact)
        survey = db.session().scalar(
            select(Survey).where(Survey.ticket_id == case.ticket_id, Survey.answered_at.is_(None)).order_by(Survey.id.desc()).limit(1)
        )
        if survey is not None and self.rng.random() < 0.58:
            soon = self.rng.random() < 0.6
            self.at(clock.now() + timedelta(minutes=self.rng.uniform(2, 30 if soon else 900)), self.rated, case, survey.id)

    def rated(self, case: Case, survey_id: int) -> None:
        ticket = db.session().get_one(Ticket, case.ticket_id)
        slow = ticket.breached_at is not None or case.came_back
        score = self.rng.choices((5, 4, 3, 2, 1), weights=(20, 30, 25, 15, 10) if slow else (66, 24, 6, 3, 1))[0]
        comment = self.rng.choice(TEXTS[case.person.language].comments[score])
        surveys.answer(db.session().get_one(Survey, survey_id), score, comment=comment)
        owed = db.session().scalar(select(CallBack).where(CallBack.ticket_id == ticket.id, CallBack.done_at.is_(None)))
        if owed is not None:
            self.later(60, 600, self.calls_back, case, owed.id)

    def calls_back(self, case: Case, call_id: int) -> None:
        call = db.session().get_one(CallBack, call_id)
        by = Actor("user", call.user_id or self.made.staff["Irina Belova"])
        if call.done_at is None:
            calling.settle(call, "made_good", self.rng.choice(TEXTS[case.person.language].called_back), by=by)

    def closes(self, case: Case) -> None:
        ticket = db.session().get_one(Ticket, case.ticket_id)
        if ticket.status is Status.SOLVED:
            lifecycle.close(ticket, by=SYSTEM)
            routing.release_closed(TicketClosed(ticket.id, Status.SOLVED, SYSTEM))

    # --- small things ----------------------------------------------------------------------------------------------------

    def _inbox(self, case: Case) -> int:
        return self.made.inboxes.get((case.scenario.queue, case.channel)) or self.made.inboxes["support", case.channel]

    def _able(self, case: Case) -> list[Colleague]:
        loads = dict(db.session().execute(select(AgentProfile.user_id, AgentProfile.load)).all())
        language = "Russian" if case.person.language == "ru" else "English"
        able = [colleague for colleague in self.agents.values() if case.scenario.queue in colleague.queues]
        return sorted(able, key=lambda one: (one.speaks.get(language, 0) < 2, loads[self.made.staff[one.name]], self.rng.random()))

    def _agent(self, case: Case) -> Actor:
        assert case.agent is not None
        return Actor("user", self.made.staff[case.agent.name], via="page")

    def _said(self, case: Case, words: str) -> str:
        agent = case.agent
        russian = case.person.language == "ru"
        signed = (agent.name_ru if russian else agent.name.split()[0]) if agent else ""
        return words.format(**case.values, agent=signed, a="а" if agent and agent.female else "", c="а" if case.person.female else "")

    def _left(self, message: Message) -> None:
        """History's mails have left long ago."""
        if message.delivery is DeliveryState.WAITING:
            message.delivery = DeliveryState.SENT


def tell(made: Company, rng: random.Random, *, tickets: int = TICKETS) -> None:
    """Play the sixty days up to now. Opens its own transactions; the clock is stopped meanwhile and runs again afterwards."""
    now = clock.now()
    teller = Storyteller(made, rng, now)
    moments = _moments(now, rng, tickets)
    for case, (when, _fresh, _pressing) in zip(_cases(made, rng, moments), moments, strict=True):
        teller.at(when, teller.opens, case)
    try:
        with clock.frozen(now):
            teller.play()
    finally:
        clock.freeze(None)
    with db.transaction():
        _read_marks(teller)


def _cases(made: Company, rng: random.Random, moments: list[tuple[datetime, bool, str]]) -> list[Case]:
    """What will be asked, one case for each moment; `pressing` names the queue of one that must wait there."""
    cases = []
    recent: list[int] = []
    decks: dict[str, list[Scenario]] = {"en": [], "ru": []}
    fresh_ones = [number for number, (_when, fresh, pressing) in enumerate(moments) if fresh and not pressing]
    untaken = set(rng.sample(fresh_ones, min(UNTAKEN, len(fresh_ones))))
    for number, (_when, fresh, pressing) in enumerate(moments):
        contact_id, person = rng.choice([one for one in made.customers if one[0] not in recent])
        recent = [*recent[-12:], contact_id]
        if not decks[person.language]:
            decks[person.language] = rng.sample(TEXTS[person.language].scenarios, len(TEXTS[person.language].scenarios))
        scenario = decks[person.language].pop()
        channel = rng.choices((Channel.EMAIL, Channel.PORTAL, Channel.PHONE, Channel.API), weights=(58, 30, 8, 4))[0]
        if pressing:
            scenario = rng.choice([one for one in TEXTS[person.language].scenarios if one.queue == pressing])
            channel = Channel.EMAIL
        case = Case(contact_id, person, scenario, values_for(person, scenario, rng), channel)
        case.fresh, case.untaken = fresh, bool(pressing) or number in untaken
        case.stays_pending = number > len(moments) * 0.9 and rng.random() < 0.25
        cases.append(case)
    return cases


def values_for(person: Person, scenario: Scenario, rng: random.Random) -> dict[str, str]:
    """What the placeholders of a conversation stand for."""
    texts = TEXTS[person.language]
    product, cents, _does = rng.choice([one for one in texts.products[:5] if scenario.about in one[2]])
    amount = f"{cents / 100:.0f} €" if person.language == "en" else f"{cents // 100:,} ₽".replace(",", " ")
    return {
        "name": person.first_name,
        "product": product,
        "sum": amount,
        "order": f"S-{rng.randint(20000, 49999)}",
        "day": rng.choice(texts.days),
    }


def _moments(now: datetime, rng: random.Random, tickets: int) -> list[tuple[datetime, bool, str]]:
    """When each request arrives, in order, whether it is fresh, and the queue in which it must wait.

    By the hours of a working day, fewer at weekends; and some just now, whatever the hour.
    """
    fresh = min(FRESH, tickets)
    end = now - timedelta(hours=FRESH_HOURS)
    slots, weights = [], []
    hour = now - timedelta(days=DAYS)
    while hour < end:
        local = hour + _MOSCOW
        slots.append(hour)
        weights.append(_BY_HOUR[local.hour] * (0.3 if local.weekday() >= 5 else 1.0))
        hour += timedelta(hours=1)
    past = [(min(slot + timedelta(minutes=rng.uniform(0, 60)), end), False, "") for slot in rng.choices(slots, weights, k=tickets - fresh)]
    pressing = [(now - timedelta(hours=hours), True, queue) for queue, hours in PRESSING[:fresh]]
    # More of them lately than hours ago: somebody has just written.
    recent = [(now - timedelta(hours=FRESH_HOURS * rng.random() ** 1.6, seconds=20), True, "") for _number in range(fresh - len(pressing))]
    return sorted(past) + sorted(pressing + recent)


def working(when: datetime, rng: random.Random) -> datetime:
    """The same moment, or the next morning's first hours when nobody works then (Moscow, 7 to 22, weekends 9 to 20)."""
    local = when + _MOSCOW
    for _day in range(4):
        opens, closes = (9, 20) if local.weekday() >= 5 else (7, 22)
        if opens <= local.hour < closes:
            return local - _MOSCOW
        if local.hour >= closes:
            local += timedelta(days=1)
        opens = 9 if local.weekday() >= 5 else 7
        local = local.replace(hour=opens, minute=0, second=0) + timedelta(minutes=rng.uniform(2, 60))
    return local - _MOSCOW


def _read_marks(teller: Storyteller) -> None:
    """Agents have read what they solved, and most of what they hold; the rest is unread and stands among their notifications."""
    session = db.session()
    owned = session.execute(
        select(Ticket.id, Ticket.assignee_id, Ticket.status, Ticket.waiting_since).where(Ticket.assignee_id.is_not(None))
    ).all()
    for ticket_id, user_id, status, waiting_since in owned:
        last = teller.last_message[ticket_id]
        unread = status == Status.OPEN and waiting_since is not None and teller.rng.random() < 0.4
        session.add(Seen(user_id=user_id, ticket_id=ticket_id, message_id=last - 1 if unread else last))
        if unread:
            session.add(Notification(user_id=user_id, ticket_id=ticket_id, kind="answered", at=waiting_since))


def _keep(kept: list[object], _session: object, row: object) -> None:
    if isinstance(row, _ASKED_AGAIN):
        kept.append(row)


def waiting_now() -> int:
    """How many requests wait for somebody, inside a transaction."""
    return len(list(db.session().scalars(select(WorkItem.id).where(WorkItem.state == ItemState.WAITING))))
