"""Every other list about customers as a file: calls, promises, ratings, timelines, duplicates, figures of satisfaction and retention.

Each names who may have it beside who may take lists out at all; what a person may not see on its page is not in its file either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from helpdesk import clock, db, web
from helpdesk.auth import Principal
from helpdesk.crm import (
    calling,
    corrections,
    duplicates,
    feelings,
    forms,
    merging,
    money,
    organizations,
    policy,
    promises,
    queries,
    staying,
    triage,
)
from helpdesk.crm.exchange.exporting import PAGE, Row
from helpdesk.crm.exchange.listing import At, batches, declared, given_id, moment, pages
from helpdesk.preferences import preferences

# --- what is owed ------------------------------------------------------------------------------------------------------------


@declared("calls", "Customer ID", "Customer", "Why", "Score", "Comment", At("Until"), "Who", At("Done"), "Outcome", "Note")
def _calls(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    whose = given.get("whose", "mine")
    for one in pages(lambda cursor: calling.owed(who, whose=whose, cursor=cursor, limit=PAGE)):
        call, rating = one.call, one.rating
        why, score, comment = (rating.reason, rating.score, rating.comment) if rating else (call.why, "", "")
        done = [moment(call.due_at), one.user.name if one.user else "", moment(call.done_at), call.outcome, call.note]
        yield [one.contact.id, one.contact.name, why, score, comment, *done]


@declared("promises", "Customer ID", "Customer", "Promise", At("Until"), "Who")
def _promises(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    mine = None if given.get("whose") == "all" else who.user_id
    for rows in batches(
        lambda after: promises.open_ones(who, user_id=mine, after=after, limit=PAGE), lambda row: (row[0].next_at, row[0].id)
    ):
        with db.read():
            names = queries.names({entry.next_who_id for entry, _contact in rows if entry.next_who_id})
        for entry, contact in rows:
            yield [contact.canonical_id, contact.name, entry.next_step, moment(entry.next_at), names.get(entry.next_who_id or 0, "")]


# --- what happened -----------------------------------------------------------------------------------------------------------

_ENTRY = (At("Date"), "Customer ID", "Kind", "Channel", "Direction", "Title", "Text", "Decided", "Next step", At("Until"), "Seconds", "Sum",
          "Currency")  # fmt: skip


@declared("timeline", *_ENTRY)
def _timeline(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    """A customer's, as it is narrowed."""
    with db.read():
        ids = queries.all_of(queries.find(who, given_id(given, "contact")))
    return _entries(lambda cursor: queries.timeline(ids, forms.narrowed(given), cursor=cursor, limit=PAGE))


@declared("organization-timeline", *_ENTRY)
def _organization_timeline(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        found = organizations.find(given_id(given, "organization")).id
    return _entries(lambda cursor: queries.timeline_of_organization(who, found, forms.narrowed(given), cursor=cursor, limit=PAGE))


def _entries(page: Callable[[str | None], web.Paged[Any]]) -> Iterator[Row]:
    for one in pages(page):
        total = "" if one.amount_cents is None else one.amount_cents / 100
        said = [one.title, one.text, one.decision, one.next_step, moment(one.next_at)]
        yield [moment(one.at), one.contact_id, one.kind, one.channel, one.direction, *said, one.duration_s or "", total, one.currency]


@declared("people", "Customer ID", "Customer", "Part", "Sees all tickets", "Satisfaction", "Ratings")
def _people(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    """Of an organization."""
    with db.read():
        rows = organizations.people_of(who, organizations.find(given_id(given, "organization")).id)
    for contact, part in rows:
        score = round(contact.satisfaction, 1) if contact.ratings_count and contact.satisfaction is not None else ""
        yield [contact.id, contact.name, part.role if part else "", bool(part and part.sees_all_tickets), score, contact.ratings_count]


# --- one base ----------------------------------------------------------------------------------------------------------------


@declared("duplicates", "Customer ID", "Customer", "Other ID", "Other", "Likely", "Why")
def _duplicates(who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    for rows in batches(lambda after: duplicates.listed(after=after, limit=PAGE), lambda row: (row[0].score, row[0].id)):
        with db.read():
            seen = queries.seen(who, [one.id for _pair, *both in rows for one in both])
        for pair, first, second in rows:
            if {first.id, second.id} <= seen:
                yield [first.id, first.name, second.id, second.name, pair.score, ", ".join(pair.reasons)]


@declared("merges", At("Date"), "From ID", "From", "Into ID", "Into", "Who", At("Undone"), "Undone by")
def _merges(who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    for rows in batches(lambda before: merging.listed(before=before, limit=PAGE), lambda row: row.id):
        with db.read():
            ids = {id_ for row in rows for id_ in (row.from_id, row.into_id)}
            seen, names = queries.seen(who, ids, merged=True), queries.names_of_contacts(ids)
            users = queries.names({id_ for row in rows for id_ in (row.user_id, row.undone_by_id) if id_})
        for row in rows:
            if {row.from_id, row.into_id} <= seen:
                yield [
                    moment(row.at), row.from_id, names[row.from_id], row.into_id, names[row.into_id], users.get(row.user_id or 0, ""),
                    moment(row.undone_at), users.get(row.undone_by_id or 0, ""),
                ]  # fmt: skip


@declared("unknown", At("Date"), "Kind", "Address", "Why", "Text", "Written down by")
def _unknown(_who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    for rows in batches(lambda after: triage.waiting(after=after, limit=PAGE), lambda row: (row.at, row.id)):
        with db.read():
            users = queries.names({row.user_id for row in rows if row.user_id})
        for row in rows:
            yield [moment(row.at), row.kind, row.address, row.why, row.text, users.get(row.user_id or 0, "")]


# --- how they feel -----------------------------------------------------------------------------------------------------------


def _leads(who: Principal) -> bool:
    return who.leads


@declared("ratings", At("Date"), "Customer ID", "Customer", "Question", "Score", "Reason", "Comment", "Who", "Channel", may=_leads)
def _ratings(who: Principal, given: Mapping[str, str]) -> Iterator[Row]:
    """The bad ratings that name a reason."""
    with db.read():
        users = dict(queries.owners())
    for one, contact in pages(lambda cursor: feelings.behind(who, given.get("reason", "")[:60], cursor=cursor)):
        said = [one.kind.value, one.score, one.reason, one.comment, users.get(one.user_id or 0, ""), one.channel]
        yield [moment(one.at), contact.id, contact.name, *said]


@declared("reasons", "Reason", "Bad ratings", "Share", "Customers", "Returns", may=_leads)
def _reasons(who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        named, _bad = feelings.reasons(who)
    yield from ([one.reason, one.n, round(one.share, 4), one.customers, one.returns] for one in named)


@declared("satisfaction", "Month", "Satisfied", "CSAT n", "NPS", "NPS n", "CES", "CES n", may=_leads)
def _satisfaction(who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        found = feelings.months(who)
    for one in found:
        yield [one.first.isoformat()[:7], _part(one.csat), one.csat_n, _part(one.nps), one.nps_n, _part(one.ces), one.ces_n]


@declared("actions", "Reason", "Change", "Text", "Who", At("Until"), At("In force"), At("Given up"), "Satisfied before", "n before",
          "Satisfied after",
       "n after", may=_leads)  # fmt: skip
def _actions(_who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        found = [(action, owner, corrections.effect(action)) for action, owner in corrections.listed()]
    for action, owner, effect in found:
        measured = [value for part in effect.satisfied for value in (_part(part.share), part.n)] if effect else [""] * 4
        when = [moment(action.due_at), moment(action.in_force_at), moment(action.dropped_at)]
        yield [action.reason, action.title, action.text, owner.name if owner else "", *when, *measured]


@declared("restless", "Customer ID", "Customer", "Health", "Why", may=_leads)
def _restless(who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        found = feelings.restless(who, limit=None)
    for contact, row in found:
        yield [contact.id, contact.name, _part(row.health), ", ".join(f"{rule} {value}" for rule, value in row.restless.items())]


@declared("promoters", "Customer ID", "Customer", "Score", At("Date"), "Comment", may=_leads)
def _promoters(who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        found = feelings.promoters(who, limit=None)
    yield from ([contact.id, contact.name, one.score, moment(one.at), one.comment] for contact, one in found)


# --- who stays ---------------------------------------------------------------------------------------------------------------


@declared("cohorts", "Month", "Customers", *(f"Month {n}" for n in range(13)), may=policy.may_see_value)
def _cohorts(_who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    """How many of those who first bought in a month bought in each month after it; what is not over yet is empty, never 0."""
    with db.read():
        found = staying.of_months()
    for one in found:
        active = ["" if n is None else n for n in one.active]
        yield [one.month.isoformat()[:7], one.size, *active, *[""] * (13 - len(active))]


@declared("leavers", "Reason", "Customers", may=policy.may_see_value)
def _leavers(_who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        found = staying.leavers(clock.now())
    yield from found


@declared("scorecard", "Figure", "Last 365 days", "The year before", "n", may=policy.may_see_value)
def _scorecard(_who: Principal, _given: Mapping[str, str]) -> Iterator[Row]:
    with db.read():
        found = staying.scorecard(clock.now(), money.of_desk(preferences()))
    yield from ([one.name, _part(one.now), _part(one.before), one.n] for one in found)


# --- below -------------------------------------------------------------------------------------------------------------------


def _part(value: float | None) -> float | str:
    return "" if value is None else round(value, 4)
