"""Privacy of the customers' tables, and what erasing a person does to them besides emptying them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text, update

from helpdesk import clock, db, files
from helpdesk.crm import access, finding  # noqa: F401  (access declares how long accesses are kept)
from helpdesk.crm.base_models import Import, ImportRow, Unmatched
from helpdesk.crm.care_models import CallBack
from helpdesk.crm.models import Contact, Interaction
from helpdesk.errors import NotFound
from helpdesk.privacy import MARK, Person, classify, compacts, erases, exports, swept

classify(
    "contact",
    fact="lifecycle tier currency",
    personal="name name_key language time_zone preferred_channel reach_from reach_until tags custom bounce_note",
    content="terms",
    belongs="id",
    exported=False,
)
classify("identity", personal="value value_norm match_key failing_why", belongs="contact_id", erase="delete")
classify("membership", personal="role", belongs="contact_id", erase="delete")
classify("organization", fact="kind tier", operational="name name_key domain tags", content="custom terms", erase="kept")
classify(
    "interaction",
    fact="kind channel direction next_outcome currency",
    personal="external_id",
    content="title text decision next_step",
    belongs="contact_id ticket_id",
    exported=False,
)
classify("rating", fact="reason channel", content="comment", belongs="contact_id", exported=False)
classify("order", fact="number currency status external_id", belongs="contact_id", exported=False)
classify("order_line", fact="title", belongs="order_id")
classify("payment", fact="method external_id", belongs="order_id")
classify("order_return", fact="reason external_id", content="note", belongs="order_id")
classify("customer_value", fact="currency rfm tier habit", content="signals restless", belongs="contact_id", erase="delete")
classify("value_run", operational="state model error")
classify("contact_merge", personal="before after", belongs="from_id into_id")
classify("duplicate", fact="reasons settled_as", belongs="first_id second_id", exported=False)
classify("field_change", fact="field actor_kind via", personal="old new", belongs="contact_id")
classify("custom_field", operational="subject key label label_ru options")
classify(
    "unmatched", fact="kind address_kind why settled_as", personal="address external_id candidates", content="text", belongs="contact_id"
)
classify("competitor_offer", fact="currency", content="competitor what note", belongs="contact_id")
classify(
    "import_run",
    operational="subject shape encoding delimiter mapping mode match_on state error",
    content="name",
    secret="file_key",
    erase="kept",
)
classify("import_row", fact="outcome", personal="before after", content="reasons", belongs="contact_id")
classify("segment", operational="name", content="conditions", erase="kept")
classify("survey_definition", operational="name occasion questions reasons")
classify("call_back", fact="outcome", content="why note", belongs="contact_id")
classify("corrective_action", fact="reason", operational="title text", erase="kept")
classify("consent", fact="purpose channel source version", personal="words proof", belongs="contact_id")
classify("erasure", fact="state source ledger", content="reason", secret="needles files")
classify("erasure_wish", fact="state", belongs="contact_id")
classify("legal_hold", content="reason", belongs="contact_id", exported=False)
classify("profile_access", fact="what via", belongs="contact_id")


@erases
def customer(person: Person) -> None:
    """Free their addresses, drop what is owed to them, and note when they went."""
    session, now = db.session(), clock.now()
    for contact in session.scalars(select(Contact).where(Contact.id.in_(person.contacts))):
        contact.erased_at, contact.owner_id, contact.organization_id, contact.survey_allowed = now, None, None, False
    finding.forget(person.contacts)
    session.execute(
        update(CallBack).where(CallBack.contact_id.in_(person.contacts), CallBack.done_at.is_(None)).values(done_at=now, outcome="dropped")
    )
    promised = Interaction.contact_id.in_(person.contacts) & Interaction.next_at.is_not(None) & Interaction.next_done_at.is_(None)
    session.execute(update(Interaction).where(promised).values(next_done_at=now, next_outcome="dropped"))
    # Who called from an address of theirs, and was never told apart, was them as far as anybody can say.
    strangers = Unmatched.address.in_(person.addresses)
    session.execute(update(Unmatched).where(strangers).values(address="", text=MARK, candidates=[], external_id=None, settled_at=now))


@swept("contact")
def renamed(contact_ids: list[int]) -> None:
    """Who was called by somebody's name is found by what is left of it."""
    finding.touch(*contact_ids)


@compacts
def rewrite_pieces() -> None:
    """SQLite's full-text table keeps what was taken out in its old segments until it is written anew; PostgreSQL's does not."""
    if db.engine().dialect.name == "sqlite":
        with db.transaction() as session:
            session.execute(text("INSERT INTO contact_words(contact_words) VALUES('rebuild')"))


@erases
def imported(person: Person) -> None:
    """Files of customers that name them are of no use any more: what went wrong in a run stays with its rows."""
    session = db.session()
    runs = set(session.scalars(select(ImportRow.run_id).where(ImportRow.contact_id.in_(person.contacts))))
    for run in session.scalars(select(Import)):
        if run.file_key and (run.id in runs or _names(run.file_key, person)):
            person.files.add(run.file_key)


def _names(key: str, person: Person) -> bool:
    """Whether a stored list names them, in any encoding that we read."""
    try:
        content = files.store().read(key).lower()
    except NotFound:
        return False
    wanted = {word.lower() for word in (*person.addresses, *person.names)}
    return any(word.encode(encoding, "ignore") in content for word in wanted for encoding in ("utf-8", "utf-16-le", "cp1251") if word)


# --- what they get ---------------------------------------------------------------------------------------------------------


@exports("conversations_noted")
def noted(person: Person) -> list[dict[str, Any]]:
    """Calls, meetings, letters and visits as they were written down."""
    found = (
        select(Interaction)
        .where(Interaction.contact_id.in_(person.contacts), Interaction.kind.in_(("call", "meeting", "letter", "visit")))
        .order_by(Interaction.id)
    )
    return [
        {
            "at": row.at.isoformat(),
            "kind": row.kind,
            "title": row.title,
            "text": row.text,
            "decision": row.decision,
            "next_step": row.next_step,
        }
        for row in db.session().scalars(found)
    ]


@exports("profile")
def profile(person: Person) -> list[dict[str, Any]]:
    """The card itself, of each contact that is this person."""
    found = select(Contact).where(Contact.id.in_(person.contacts)).order_by(Contact.id)
    names = ("name", "language", "time_zone", "preferred_channel", "reach_from", "reach_until", "tags", "custom", "terms", "lifecycle",
             "tier", "bounce_note")  # fmt: skip
    return [{name: getattr(row, name) for name in names} for row in db.session().scalars(found)]
