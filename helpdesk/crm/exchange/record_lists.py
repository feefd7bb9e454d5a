"""What the desk keeps about its own doing as files: imports, segments, what a customer agreed to, who looked at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import select

from helpdesk import db
from helpdesk.auth import Principal
from helpdesk.crm import access, consent, policy, queries, segment_counts
from helpdesk.crm.base_models import Import
from helpdesk.crm.exchange.exporting import PAGE, Row
from helpdesk.crm.exchange.listing import At, batches, declared, given_id, moment


@declared("imports", At("Date"), "File", "Holds", "State", "Rows", "New", "Changed", "Unchanged", "Refused", "Who", At("Finished"),
          may=policy.may_import)  # fmt: skip
def _imports(_who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    def before(last: int | None) -> list[Import]:
        found = select(Import).order_by(Import.id.desc()).limit(PAGE + 1)
        return list(db.session().scalars(found if last is None else found.where(Import.id < last)))

    for rows in batches(before, lambda run: run.id):
        with db.read():
            users = queries.names({run.user_id for run in rows if run.user_id})
        for run in rows:
            numbers = [run.rows_total, run.created, run.updated, run.unchanged, run.refused]
            yield [moment(run.at), run.name, run.subject, run.state, *numbers, users.get(run.user_id or 0, ""), moment(run.finished_at)]


@declared("segments", "Name", "Customers", At("Counted"), "Seen by", "Whose")
def _segments(who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    """As the list of segments shows them: with the numbers that are kept."""
    with db.read():
        found = segment_counts.listed(who)
        users = queries.names({one.user_id for one, _counted in found if one.user_id})
    for one, counted in found:
        number = "" if counted.number is None else counted.number
        yield [one.name, number, moment(counted.at), "all" if one.shared else "owner", users.get(one.user_id or 0, "")]


@declared("consents", At("Date"), "Customer ID", "Purpose", "Channel", "Given", "Source", "Version", "Words", "Proof", "Who")
def _consents(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    """Every word of one customer, the newest first."""
    with db.read():
        found = consent.ledger(queries.all_of(queries.find(who, given_id(given, "contact"))), limit=None)
        users = queries.names({row.user_id for row in found if row.user_id})
    for row in found:
        said = [row.purpose, row.channel, row.given, row.source, row.version, row.words, row.proof]
        yield [moment(row.at), row.contact_id, *said, users.get(row.user_id or 0, "")]


@declared("accesses", At("Date"), "Customer ID", "Who", "What", "Via", may=lambda who: who.admin)
def _accesses(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    """Who looked at one customer's profile, or took it out of the desk."""
    with db.read():
        found = access.of(queries.all_of(queries.find(who, given_id(given, "contact"))), limit=None)
        users = queries.names({row.user_id for row in found if row.user_id})
    yield from ([moment(row.at), row.contact_id, users.get(row.user_id or 0, ""), row.what, row.via] for row in found)
