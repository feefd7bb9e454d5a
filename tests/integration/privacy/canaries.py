"""One person's canaries: a word of its own in every place where the desk keeps something about somebody, and where to look for them.

`plant` fills a desk with Vera Vogel: sixty canaries that are hers to see, and as many as there are places inside the desk that an export
does not show (notes, drafts, queues, indexes, others' letters that cite her).
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from helpdesk import clock, db, files
from helpdesk.actor import SYSTEM, Actor
from helpdesk.agents.leading.models import ContactWish
from helpdesk.agents.models import Draft
from helpdesk.agents.scheduled.models import ScheduledFile, ScheduledReply
from helpdesk.auth import ApiToken, OneTimeLink, Role, SignInTry, User, hashed
from helpdesk.channels.api.models import IdempotencyKey
from helpdesk.channels.email.models import Arrival, ArrivalState, Outgoing, OutgoingKind, OutgoingState
from helpdesk.channels.portal.models import AddressWish
from helpdesk.crm import addresses, contacts, identities, memberships, merging
from helpdesk.crm.base_models import CompetitorOffer, FieldChange, Import, ImportRow, Segment, Unmatched
from helpdesk.crm.care_models import CallBack
from helpdesk.crm.models import (
    Contact,
    Identity,
    IdentityKind,
    Interaction,
    Order,
    OrderLine,
    Organization,
    Rating,
)
from helpdesk.crm.privacy_models import Consent, LegalHold
from helpdesk.crm.worth_models import CustomerValue, Payment, Return
from helpdesk.events import Delivery
from helpdesk.kb import articles, changes
from helpdesk.kb.models import AnswerFeedback, SearchLog, Translation
from helpdesk.tickets import knowledge
from helpdesk.tickets.models import Attachment, Channel, Message, MessageKind, Ticket
from helpdesk.tickets.topics.models import AnswerChange
from tests import people
from tests.desks import TestDesk

WORD = re.compile(rb"canary[a-z]*\d\d[a-z]", re.IGNORECASE)


@dataclass
class Planted:
    """Vera as she stands: her contact, the ones merged into her, her account, and every canary."""

    contact: int
    twin: int
    account: int
    ticket: int
    email: str
    former: str = ""
    hers: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)

    @property
    def all(self) -> set[str]:
        return {word.lower() for word in (*self.hers, *self.inner)}


def plant(desk: TestDesk) -> Planted:
    """Everything of Vera's, in transactions of its own."""
    made = Planted(0, 0, 0, 0, "")

    def hers() -> str:
        made.hers.append(f"canary{len(made.hers) + 1:02}v")
        return made.hers[-1]

    def inner() -> str:
        made.inner.append(f"canaryx{len(made.inner) + 1:02}i")
        return made.inner[-1]

    company, now = desk.people, clock.now()
    alice = Actor("user", company.alice)
    name, mail = f"Vera {hers().title()}", f"{hers()}@vogel.example"
    made.email = mail
    with db.transaction() as session:
        vera = contacts.by_email(mail, name=name, by=SYSTEM)
        vera.tags, vera.custom, vera.terms, vera.bounce_note = [hers()], {"shoe": hers()}, hers(), hers()
        session.add(Identity(contact_id=vera.id, kind=IdentityKind.MESSENGER, value=hers(), value_norm=made.hers[-1]))
        session.add(Identity(contact_id=vera.id, kind=IdentityKind.EXTERNAL, value=hers(), value_norm=made.hers[-1], failing_why=hers()))
        twin = contacts.by_email(f"{hers()}@twin.example", name=f"Vera {hers()}", by=SYSTEM)
        twin.terms = hers()
        firm = Organization(name="Vogel Ltd")
        session.add(firm)
        session.flush()
        part = memberships.belong(vera, firm, role=hers(), by=alice)
        memberships.change(part, role=hers(), sees_all=True, by=alice)
        made.former = f"{hers()}@former.example"
        identities.remove(identities.add(vera, addresses.email(made.former), by=alice), by=alice)
        kept = identities.add(vera, addresses.email(f"{hers()}@second.example"), by=alice)
        identities.mark(kept, verified=True, by=alice)
        user = people.person("Vera", Role.CUSTOMER, email=f"{hers()}@account.example", contact_id=vera.id)
        user.name = f"V. {hers()}"
        session.add(OneTimeLink(user_id=user.id, purpose="signin", hashed=hashed("x"), expires_at=now))
        session.add(AddressWish(contact_id=vera.id, user_id=user.id, value=hers(), value_norm=made.hers[-1], until_at=now))
        session.add(SignInTry(who=hashed(mail), at=now))
        made.contact, made.twin, made.account = vera.id, twin.id, user.id
    with db.transaction() as session:
        merging.merge(session.get_one(Contact, made.twin), session.get_one(Contact, made.contact), by=alice)
        merge = merging.of([made.twin])[0]
        merge.before, merge.after = {"tags": [hers()]}, {"tags": [hers()]}
    opened = people.writes(made.contact, f"Words {hers()}", inbox=company.mail, subject=f"Subject {hers()}")
    made.ticket = opened.id
    people.answers(opened, made.twin, f"More {hers()}")
    others = people.writes(company.oleg, "Hello", inbox=company.mail)
    people.answers(others, made.contact, f"I may say: {hers()}")
    desk.work()
    with db.transaction() as session:
        ticket = session.get_one(Ticket, made.ticket)
        ticket.custom = {"model": hers()}
        first = session.scalars(select(Message).where(Message.ticket_id == ticket.id).order_by(Message.id)).first()
        assert first is not None
        first.html, first.quote = f"<p>{inner()}</p>", inner()
        first.header_id, first.in_reply_to, first.delivery_note = f"<{inner()}@x>", f"<{inner()}@y>", inner()
        first.warnings, first.sender_checks = [inner()], {"by": inner()}
        kept = files.store().put(f"file {hers()}".encode())
        session.add(
            Attachment(message_id=first.id, object_key=kept.key, name=f"{hers()}.txt", content_type="text/plain", size=kept.size,
                       sha256=kept.sha256, content_id=inner())
        )  # fmt: skip
        session.add(
            Message(
                ticket_id=ticket.id, kind=MessageKind.REPLY, channel=Channel.EMAIL, user_id=company.alice, text=f"Answer {hers()}", at=now
            )
        )
        session.add(
            Message(
                ticket_id=ticket.id, kind=MessageKind.NOTE, channel=Channel.EMAIL, user_id=company.alice, text=f"Note {inner()}", at=now
            )
        )
        theirs = session.get_one(Ticket, others.id)
        theirs.snippet = inner()
        cited = Message(
            ticket_id=others.id, kind=MessageKind.NOTE, channel=Channel.EMAIL, user_id=company.alice, at=now,
            text=f"{name} called, write to {mail.upper()}, not to {made.former} any more", html=f"<b>{name}</b>", quote=inner(),
        )  # fmt: skip
        session.add(cited)
        session.flush()
        from helpdesk.tickets import search

        search.remember(cited)
        # the timeline and what it is about
        session.add(
            Interaction(contact_id=made.contact, at=now, kind="call", title=hers(), text=hers(), decision=hers(), next_step=hers(),
                        external_id=inner())
        )  # fmt: skip
        session.add(Rating(score=5, score100=100, comment=hers(), contact_id=made.contact, ticket_id=ticket.id))
        order = Order(contact_id=made.contact, number="A-1", at=now, total_cents=100, currency="EUR")
        session.add(order)
        session.flush()
        session.add(OrderLine(order_id=order.id, title="Shoes", price_cents=100))
        session.add(Payment(order_id=order.id, at=now, amount_cents=100))
        session.add(Return(order_id=order.id, at=now, amount_cents=1, note=hers()))
        session.add(CustomerValue(contact_id=made.contact, as_of=now, currency="EUR", signals={"why": hers()}, restless={"why": hers()}))
        session.add(FieldChange(contact_id=made.contact, field="terms", old=hers(), new=hers(), actor_kind="user"))
        session.add(Unmatched(kind="call", why="unknown", address=hers(), text=hers(), contact_id=made.contact, external_id=hers()))
        session.add(Unmatched(kind="call", why="unknown", address=mail, text=inner()))
        session.add(CompetitorOffer(contact_id=made.contact, competitor=hers(), what=hers(), note=hers()))
        listed = files.store().put(f"name,email\n{inner()},{mail}\n".encode())
        run = Import(name=f"List of {name}", file_key=listed.key, shape="csv", state="done")
        session.add(run)
        session.flush()
        session.add(
            ImportRow(run_id=run.id, number=1, outcome="create", contact_id=made.contact, before={"a": hers()}, after={"a": hers()},
                      reasons=[hers()])
        )  # fmt: skip
        session.add(Segment(name="Some", conditions={"email": mail}))
        session.add(CallBack(contact_id=made.contact, due_at=now, why=hers(), note=hers()))
        session.add(Consent(contact_id=made.contact, purpose="surveys", given=True, source="portal", words=hers(), proof=hers()))
        session.add(LegalHold(contact_id=made.contact, reason=inner(), lifted_at=now))
        session.add(ContactWish(ticket_id=ticket.id, contact_id=made.contact, kind="email", value=f"{hers()}@wish.example"))
        session.add(AnswerChange(ticket_id=ticket.id, key="order", old=inner(), new=inner(), actor_kind="user"))
        # work that waits
        session.add(Draft(user_id=company.alice, ticket_id=ticket.id, body=inner()))
        reply = ScheduledReply(ticket_id=ticket.id, user_id=company.alice, body=inner(), send_at=now)
        session.add(reply)
        session.flush()
        later = files.store().put(inner().encode())
        session.add(
            ScheduledFile(
                reply_id=reply.id, object_key=later.key, name=inner(), content_type="text/plain", size=later.size, sha256=later.sha256
            )
        )
        session.add(Delivery(reaction="mail.gone", key="x", lane="io", due_at=now, parked_at=now, error=f"Refused: {mail}"))
        token = ApiToken(user_id=company.ada, name="t", prefix="p", hashed="h" * 64)
        session.add(token)
        session.flush()
        session.add(IdempotencyKey(token_id=token.id, key="1", asked="a", answer=f'{{"email": "{mail}"}}'))
        session.add(
            IdempotencyKey(
                token_id=token.id, key="2", asked="a", answer=inner(), location=f"http://localhost/api/v1/tickets/{ticket.number}"
            )
        )
        # mail, in and out
        raw = files.store().put(f"From: {mail}\r\n\r\n{hers()}".encode())
        session.add(
            Arrival(box="support@example.com", sha256=raw.sha256, header_id=f"<{inner()}@x>", object_key=raw.key, size=raw.size,
                    sender=mail,
                    author=mail, recipients=[inner()], subject=hers(), why=f"said\n{inner()}", message_id=first.id, ticket_id=ticket.id,
                    state=ArrivalState.ACCEPTED)
        )  # fmt: skip
        strange = files.store().put(hers().encode())
        session.add(
            Arrival(box="support@example.com", sha256=strange.sha256, object_key=strange.key, size=strange.size, author=mail.title(),
                    subject=hers(), state=ArrivalState.QUARANTINED)
        )  # fmt: skip
        for state, words in ((OutgoingState.SENT, hers), (OutgoingState.WAITING, inner)):
            session.add(
                Outgoing(kind=OutgoingKind.REPLY, ticket_id=ticket.id, message_id=first.id, contact_id=made.contact,
                         recipient=mail if state is OutgoingState.SENT else f"{inner()}@cc.example", to=[[words(), mail]],
                         cc=[[words(), "cc@x.example"]], subject=words(), body_text=words(), body_html=inner(),
                         header_id=f"<{state}-vera@desk>", references=inner(), server_words=words(), not_before=now, state=state)
            )  # fmt: skip
        # what is known, and what was asked
        article = articles.create(by=alice)
        articles.save_draft(article, "en", title="Returns", body="Send it back.", by=alice)
        articles.publish(article, "en", by=alice)
        session.flush()
        for number in range(6):
            session.add(SearchLog(key=f"k{number:09}", query=f"{number} parcel of {mail}", clicked_article_id=article.id, solved=True))
        changes.touch(article.id)
        session.add(AnswerFeedback(article_id=article.id, language="en", helpful=True, reason=hers(), contact_id=made.contact))
        knowledge.draft_article(ticket, by=alice)
    with desk.app.app_context():
        from helpdesk.kb import search as kb_search

        kb_search.engine().rebuild()
    logging.getLogger("helpdesk.test").warning("contact %s was planted", made.contact)
    while len(made.hers) < 60:
        with db.transaction() as session:
            session.add(FieldChange(contact_id=made.contact, field="terms", old=hers(), actor_kind="user"))
    with db.read() as session:
        assert session.scalar(select(Translation.draft_body).where(Translation.draft_body.contains("canary"))), (
            "the article's draft cites her"
        )
    return made


def found_in(desk: TestDesk, tmp_path: Path, log: Path | None = None) -> dict[str, set[str]]:
    """Every canary in the bytes of the database, its log, the files, the index and the server's log: {place: canaries}."""
    places: dict[str, bytes] = {}
    if db.engine().dialect.name == "sqlite":
        place = Path(str(db.engine().url.database))
        for ending in ("", "-wal"):
            if (one := place.with_name(place.name + ending)).exists():
                places[one.name] = one.read_bytes()
    else:
        places["dump"] = _dump()
    for path in sorted(desk.settings.data.rglob("*")):
        if path.is_file() and ".db" not in path.name and os.access(path, os.R_OK):
            places[str(path.relative_to(desk.settings.data))] = path.read_bytes()
    if log is not None and log.exists():
        places["log"] = log.read_bytes()
    hits = {name: {word.decode().lower() for word in WORD.findall(content)} for name, content in places.items()}
    return {name: words for name, words in hits.items() if words}


def _dump() -> bytes:
    url = db.engine().url.set(drivername="postgresql").render_as_string(hide_password=False)
    tool = shutil.which("pg_dump") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), reverse=True)), None)
    assert tool, "pg_dump is part of PostgreSQL"
    return subprocess.run([str(tool), url], check=True, capture_output=True, timeout=60).stdout


def said_in(data: Any) -> set[str]:
    """Every canary in an export, with what stands in base64 inside."""
    import base64

    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                if key.endswith("_base64"):
                    found.update(word.decode().lower() for word in WORD.findall(base64.b64decode(one)))
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)
        elif isinstance(value, str):
            found.update(word.decode().lower() for word in WORD.findall(value.encode()))

    walk(json.loads(json.dumps(data)))
    return found


def account(planted: Planted) -> User:
    with db.read() as session:
        return session.get_one(User, planted.account)
