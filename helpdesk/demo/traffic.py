"""Life in the sample company: invented customers write, answer and rate, invented agents accept, reply and solve, all the time.

One thread beside the server, a deed every second or two, each through the verbs in a transaction of its own. It looks at the database
before each deed and remembers nothing, so it goes on after a restart and never grows. An agent as whom a real person has a screen open is
left alone, and so are customers whom no one invented. The stock of open work pulls towards a middle: much of it and the agents hurry,
little and the customers do.
"""

from __future__ import annotations

import logging
import random
import smtplib
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from sqlalchemy import func, select

from helpdesk import clock, db, live
from helpdesk.actor import Actor
from helpdesk.agents import offers, presence
from helpdesk.agents.models import PresenceState
from helpdesk.auth import Role, User
from helpdesk.config import Settings
from helpdesk.crm import contacts
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.demo.company import CUSTOMER_NUMBER, DOMAIN, STAFF
from helpdesk.demo.customers import Person
from helpdesk.demo.history import TEXTS, values_for
from helpdesk.errors import HelpdeskError
from helpdesk.tickets import intake, surveys, thread
from helpdesk.tickets.models import UNSOLVED, Channel, Inbox, Status, Survey, Ticket

log = logging.getLogger(__name__)

#: Unsolved tickets that the company likes to have, and how many it stops at.
STOCK, FULL = 32, 80
#: After so many tickets the company has shown what it can; the visitor's disk is not ours.
MOST_TICKETS = 20_000
BEAT_S = 15.0
PAUSE_S = (0.8, 2.2)
PATIENCE_S = (20, 150)
_MAIL_TIMEOUT_S = 5.0


class Traffic:
    """The running company. `start` once, `stop` at the end."""

    def __init__(self, app: Any, settings: Settings, *, rng: random.Random | None = None) -> None:
        self._app, self._settings = app, settings
        self._rng = rng or random.Random()
        self._stop = threading.Event()
        self._agents: dict[int, Any] = {}
        self._customers: list[int] = []
        self._next_beat = 0.0
        self._next_request = 0.0
        self._away_until: dict[int, float] = {}
        self._busy_until: dict[int, float] = {}

    def start(self) -> None:
        threading.Thread(target=self._run, name="traffic", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        pause = 1.0
        while not self._stop.wait(pause):
            pause = self._rng.uniform(*PAUSE_S)
            try:
                with self._app.app_context():
                    self.step()
            except HelpdeskError as refused:
                log.info("somebody was faster: %s", refused)
            except Exception:
                if self._stop.is_set():
                    return
                log.exception("the traffic stumbled")
                pause = 10.0

    # --- one look around -------------------------------------------------------------------------------------------------

    def step(self) -> str:
        """Do at most one deed of each side; what was done, for tests and the log."""
        if not self._agents:
            self._meet()
        now = clock.now().timestamp()
        if now >= self._next_beat:
            self._next_beat = now + BEAT_S
            self._beat()
        done = [name for name, deed in (("accepted", self._accept), ("answered", self._answer)) if deed()]
        if now >= self._next_request and self._request():
            done.append("requested")
        customers: list[tuple[str, Callable[[], bool]]] = [("wrote", self._write_back), ("rated", self._rate)]
        self._rng.shuffle(customers)
        done += [name for name, deed in customers[:1] if deed()]
        return " ".join(done)

    def _meet(self) -> None:
        """Who is invented: the company's agents, and customers with a number in its shop and no account of their own."""
        known = {colleague.email: colleague for colleague in STAFF if colleague.queues}
        with db.read() as session:
            users = session.scalars(select(User).where(User.role == Role.AGENT, User.email.in_(list(known)), User.active))
            self._agents = {user.id: known[user.email] for user in users}
            invented = (
                select(Identity.contact_id)
                .where(Identity.kind == IdentityKind.EXTERNAL, Identity.value_norm.startswith(CUSTOMER_NUMBER))
                .where(Identity.contact_id.not_in(select(User.contact_id).where(User.contact_id.is_not(None))))
            )
            self._customers = list(session.scalars(invented))

    def _free_agents(self) -> dict[int, Any]:
        """The invented agents: those as whom nobody has a screen open."""
        real = live.people()
        return {user_id: colleague for user_id, colleague in self._agents.items() if user_id not in real}

    def _beat(self) -> None:
        """Keep the invented agents present; now and then one has a coffee."""
        now = clock.now().timestamp()
        with db.transaction():
            for user_id in self._free_agents():
                if self._away_until.get(user_id, 0.0) <= now and self._rng.random() < 0.012:
                    self._away_until[user_id] = now + self._rng.uniform(60, 180)
                away = self._away_until.get(user_id, 0.0) > now
                state = PresenceState.AWAY if away else PresenceState.AVAILABLE
                presence.set_presence(user_id, state, by=Actor("user", user_id, via="page"), reason="coffee" if away else "")

    # --- agents ----------------------------------------------------------------------------------------------------------

    def _accept(self) -> bool:
        """Take, or rarely decline, what has been held out for some seconds."""
        done = False
        with db.transaction():
            for user_id in self._free_agents():
                for offer in offers.open_offers(user_id):
                    if _age(offer.offered_at) < 3 + offer.id % 7:
                        continue
                    by = Actor("user", user_id, via="page")
                    if offer.id % 25 == 0:
                        offers.decline(offer, reason="not my subject", by=by)
                    else:
                        offers.accept(offer, by=by)
                    done = True
                    break
        return done

    def _answer(self) -> bool:
        """One agent answers the customer who has waited longest for them, if it is time."""
        now = clock.now().timestamp()
        able = [
            user_id
            for user_id in self._free_agents()
            if self._busy_until.get(user_id, 0.0) <= now and self._away_until.get(user_id, 0.0) <= now
        ]
        if not able:
            return False
        hurry = self._open_count() > STOCK
        with db.transaction() as session:
            due = select(Ticket).where(
                Ticket.assignee_id.in_(able), Ticket.status.in_((Status.NEW, Status.OPEN)), Ticket.waiting_since.is_not(None)
            )
            for ticket in session.scalars(due.order_by(Ticket.waiting_since).limit(20)):
                patience = _between(PATIENCE_S, ticket.id + ticket.messages_count) * (0.5 if hurry else 1.5)
                if ticket.waiting_since is None or ticket.assignee_id is None or _age(ticket.waiting_since) < patience:
                    continue
                solves = ticket.replies_count > 0 or self._rng.random() < (0.65 if hurry else 0.4)
                colleague = self._agents[ticket.assignee_id]
                contact = session.get_one(Contact, ticket.requester_id)
                text = self._worded(TEXTS[_language(ticket, contact)].answers, contact, colleague)
                by = Actor("user", ticket.assignee_id, via="page")
                thread.reply(ticket, text, by=by, then=Status.SOLVED if solves else Status.PENDING)
                self._busy_until[ticket.assignee_id] = now + self._rng.uniform(8, 25)
                return True
        return False

    # --- customers -------------------------------------------------------------------------------------------------------

    def _request(self) -> bool:
        """Somebody new writes: by mail through the listener, or by the portal."""
        stock = self._open_count()
        self._next_request = clock.now().timestamp() + self._rng.uniform(6, 16) * (1 if stock < STOCK else 3)
        with db.read() as session:
            tickets = session.scalar(select(func.count()).select_from(Ticket)) or 0
        if stock >= FULL or tickets >= MOST_TICKETS or not self._customers:
            return False
        contact_id = self._rng.choice(self._customers)
        with db.read() as session:
            contact = session.get_one(Contact, contact_id)
            address = contacts.email_of(contact_id)
        language = contact.language if contact.language in TEXTS else "en"
        question = self._rng.choice(TEXTS[language].questions)
        values = values_for(_person(contact, language), question, self._rng) | {"agent": "", "a": "", "c": ""}
        subject, words = question.subject.format(**values), question.turns[0][1].format(**values)
        if address and self._settings.mail_listen is not None and self._rng.random() < 0.5:
            return self._by_mail(contact, address, f"{question.queue}@{DOMAIN}", subject, words)
        with db.transaction() as session:
            inbox = session.scalars(select(Inbox).where(Inbox.channel == Channel.PORTAL).limit(1)).one()
            incoming = intake.Incoming(contact, words, Channel.PORTAL, subject=subject, language=language)
            intake.receive(incoming, inbox, by=Actor("contact", contact_id, via="portal"))
        return True

    def _by_mail(self, contact: Contact, address: str, to: str, subject: str, words: str) -> bool:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = f"{contact.name} <{address}>", to, subject
        mail["Message-ID"] = f"<{self._rng.getrandbits(64):x}@{address.partition('@')[2]}>"
        mail["Date"] = clock.now()
        mail.set_content(words)
        assert self._settings.mail_listen is not None
        try:
            with smtplib.SMTP(*self._settings.mail_listen, timeout=_MAIL_TIMEOUT_S) as server:
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as wrong:
            log.info("a customer's mail was not taken: %s", wrong)
            return False
        return True

    def _write_back(self) -> bool:
        """A customer whose turn it is answers."""
        with db.transaction() as session:
            due = select(Ticket).where(Ticket.status == Status.PENDING, Ticket.requester_id.in_(self._customers))
            for ticket in session.scalars(due.order_by(Ticket.last_message_at.desc()).limit(20)):
                if ticket.id % 4 == 0 or _age(ticket.last_message_at) < _between((25, 120), ticket.id + ticket.messages_count):
                    continue
                contact = session.get_one(Contact, ticket.requester_id)
                texts = TEXTS[_language(ticket, contact)]
                words = self._rng.choice(texts.thanks if self._rng.random() < 0.6 else texts.asks_again)
                intake.append(
                    ticket, intake.Incoming(contact, words, ticket.channel), by=Actor("contact", contact.id, via=str(ticket.channel))
                )
                return True
        return False

    def _rate(self) -> bool:
        """A customer who was asked says how it was; not everybody does."""
        with db.transaction() as session:
            asked = select(Survey).where(
                Survey.answered_at.is_(None), Survey.contact_id.in_(self._customers), Survey.sent_at > clock.now() - timedelta(minutes=20)
            )
            for survey in session.scalars(asked.order_by(Survey.id).limit(20)):
                if survey.id % 5 < 2 or _age(survey.sent_at) < _between((20, 90), survey.id):
                    continue
                contact = session.get_one(Contact, survey.contact_id)
                score = self._rng.choices((5, 4, 3, 2, 1), weights=(60, 25, 8, 4, 3))[0]
                comment = self._rng.choice(TEXTS[contact.language if contact.language in TEXTS else "en"].comments[score])
                surveys.answer(survey, score, comment=comment)
                return True
        return False

    # --- small things ----------------------------------------------------------------------------------------------------

    def _open_count(self) -> int:
        with db.read() as session:
            return session.scalar(select(func.count()).select_from(Ticket).where(Ticket.status.in_(UNSOLVED))) or 0

    def _worded(self, choices: tuple[str, ...], contact: Contact, colleague: Any) -> str:
        russian = contact.language == "ru"
        return self._rng.choice(choices).format(
            name=contact.name.split()[0],
            agent=colleague.name_ru if russian else colleague.name.split()[0],
            a="а" if colleague.female else "",
            c="",
        )


def _age(since: datetime) -> float:
    return (clock.now() - since).total_seconds()


def _between(bounds: tuple[float, float], seed: int) -> float:
    """A number between the bounds that is always the same for the same thing."""
    low, high = bounds
    return low + (seed * 2654435761 % 1000) / 1000 * (high - low)


def _language(ticket: Ticket, contact: Contact) -> str:
    return next((language for language in (ticket.language, contact.language) if language in TEXTS), "en")


def _person(contact: Contact, language: str) -> Person:
    return Person(contact.name, "", "", language, contact.name.endswith("а"))
