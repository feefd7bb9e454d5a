"""What happens to what we know of a customer."""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event


@event
class ContactAdded:
    """A person is known to the desk for the first time."""

    contact_id: int
    by: Actor


@event
class ContactChanged:
    """Somebody changed what we know about a person. `fields` are column names, without their values."""

    contact_id: int
    by: Actor
    fields: tuple[str, ...] = ()


@event
class InteractionAdded:
    """A colleague wrote down a call, a meeting, a letter or a visit."""

    contact_id: int
    interaction_id: int
    kind: str
    by: Actor
    organization_id: int | None = None


@event
class OrganizationAdded:
    """A company is known to the desk for the first time."""

    organization_id: int
    by: Actor


@event
class OrganizationChanged:
    """Somebody changed what we know about a company. `fields` are column names, without their values."""

    organization_id: int
    by: Actor
    fields: tuple[str, ...] = ()


@event
class ContactsMerged:
    """Two contacts were found to be one person: `contact_id` speaks for `merged_id` from now on."""

    contact_id: int
    merged_id: int
    merge_id: int
    by: Actor


@event
class ContactsUnmerged:
    """A merge was undone: `merged_id` stands for itself again."""

    contact_id: int
    merged_id: int
    merge_id: int
    by: Actor


@event
class DuplicatesSought:
    """Everybody from `after_id` on is to be compared with those who may be the same person; goes on by itself until the end."""

    by: Actor
    after_id: int = 0


@event
class CustomersHandedOver:
    """A colleague's customers got another owner, all at once."""

    user_id: int
    to_id: int | None
    customers: int
    organizations: int
    promises: int
    by: Actor


@event
class CustomerErased:
    """A person was erased: what was theirs is gone from the rows, and is now swept out of everything else."""

    contact_id: int
    erasure_id: int
    by: Actor


@event
class ErasureSwept:
    """Nothing in the desk names an erased person any more; freed space is still to be overwritten."""

    contact_id: int
    erasure_id: int
    by: Actor


@event
class ErasureAsked:
    """A customer confirmed that they want to be erased; it happens after the waiting time."""

    contact_id: int
    wish_id: int
    by: Actor


@event
class ErasureCancelled:
    """A customer changed their mind before they were erased."""

    contact_id: int
    wish_id: int
    by: Actor


@event
class LegalHoldChanged:
    """A customer must be kept, or no longer has to be. `what`: placed, lifted."""

    contact_id: int
    hold_id: int
    what: str
    by: Actor


@event
class ConsentChanged:
    """A customer agreed to something, or withdrew it."""

    contact_id: int
    consent_id: int
    purpose: str
    given: bool
    by: Actor


@event
class PromiseSettled:
    """What a colleague promised a customer was done, or dropped."""

    contact_id: int
    interaction_id: int
    outcome: str
    by: Actor


@event
class UnmatchedSettled:
    """Somebody said whose contact it was that nobody could tell."""

    unmatched_id: int
    outcome: str
    by: Actor
    contact_id: int | None = None


@event
class ImportStarted:
    """A file of customers is to be taken in."""

    import_id: int
    by: Actor


@event
class ImportFinished:
    """A file of customers was taken in."""

    import_id: int
    created: int
    updated: int
    unchanged: int
    refused: int
    by: Actor


@event
class ImportUndone:
    """What an import did was taken back; `kept` rows had changed since and stay."""

    import_id: int
    kept: int
    by: Actor


@event
class ListExported:
    """A list left the desk as a file."""

    what: str
    rows: int
    by: Actor
