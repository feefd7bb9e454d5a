"""Every domain event, on one page, in the order of a ticket's life. Read aloud it is the product's story.

Fields are ids, enumerations and numbers only: an erased person must not live on in the history. A change states the old and the new value.
"""

from __future__ import annotations

from helpdesk.actor import Actor
from helpdesk.events import event

# --- a customer appears -----------------------------------------------------------------------------------------------------------------


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


# --- a ticket's life --------------------------------------------------------------------------------------------------------------------


@event
class TicketOpened:
    """A request arrived and became a ticket."""

    ticket_id: int
    contact_id: int
    queue_id: int
    inbox_id: int
    channel: str
    status: str
    priority: str
    by: Actor
    organization_id: int | None = None


@event
class CustomerWrote:
    """The customer added a message to an existing ticket. `reopened` says whether that brought it back."""

    ticket_id: int
    contact_id: int
    message_id: int
    by: Actor
    reopened: bool = False


@event
class AgentReplied:
    """An agent answered the customer. The channel's door sends it; `not_before` passes first, so that it can be undone."""

    ticket_id: int
    message_id: int
    by: Actor
    contact_id: int | None = None
    first: bool = False


@event
class ReplyWithdrawn:
    """The agent took a reply back before it left."""

    ticket_id: int
    message_id: int
    by: Actor


@event
class ReplyScheduled:
    """An agent wrote a reply that leaves later, or chose another hour for it. `reply_id` is not a message's until it leaves."""

    ticket_id: int
    reply_id: int
    by: Actor


@event
class ScheduledReplyLeft:
    """A reply's hour came, or somebody did not want to wait for it."""

    ticket_id: int
    reply_id: int
    by: Actor


@event
class ScheduledReplyCancelled:
    """A reply that was to leave later does not. `why`: author, colleague, customer (wrote first), answered (by a colleague), closed."""

    ticket_id: int
    reply_id: int
    by: Actor
    why: str = ""


@event
class NoteAdded:
    """An agent wrote to colleagues. Customers never see it."""

    ticket_id: int
    message_id: int
    by: Actor


@event
class StatusChanged:
    """The ticket moved between new, open, pending and on hold."""

    ticket_id: int
    old: str
    new: str
    by: Actor


@event
class PriorityChanged:
    """Somebody made the ticket more or less urgent."""

    ticket_id: int
    old: str
    new: str
    by: Actor


@event
class TicketMoved:
    """The ticket went to another queue."""

    ticket_id: int
    old: int
    new: int
    by: Actor


@event
class TicketAssigned:
    """An agent owns the ticket now. `old` and `new` are users; `how` is offer, automatic, manual, reply or transfer."""

    ticket_id: int
    old: int | None
    new: int | None
    how: str
    by: Actor
    user_id: int | None = None


@event
class SubjectChanged:
    """The ticket got a better name."""

    ticket_id: int
    by: Actor


@event
class TicketSolved:
    """An agent, or the customer, says the request is answered. The customer reopens it by writing again."""

    ticket_id: int
    old: str
    by: Actor


@event
class TicketReopened:
    """It was not answered after all."""

    ticket_id: int
    old: str
    by: Actor


@event
class TicketClosed:
    """Nothing more will be said here; writing again opens a new ticket."""

    ticket_id: int
    old: str
    by: Actor


# --- who answers ------------------------------------------------------------------------------------------------------------------------


@event
class ItemQueued:
    """Work waits for an agent. `next_step_at` (ISO, or empty) is when more agents are admitted. `channel` empty: stored before it was told."""

    ticket_id: int
    item_id: int
    queue_id: int
    by: Actor
    next_step_at: str = ""
    channel: str = ""


@event
class ItemWidened:
    """Work has waited so long that more agents are admitted to it; `step` is where it stands now."""

    ticket_id: int
    item_id: int
    queue_id: int
    step: int
    by: Actor
    next_step_at: str = ""


@event
class EmergencyDeclared:
    """Somebody who leads says that this cannot wait for anything: it goes before all other work."""

    ticket_id: int
    by: Actor


@event
class ContactEnded:
    """A chat or a call is over, whether an agent had it or the customer gave up waiting."""

    ticket_id: int
    item_id: int
    channel: str
    by: Actor


@event
class WrapUpBegan:
    """An agent finishes up after a piece of work. `until` (ISO, or empty) is when that ends by itself."""

    ticket_id: int
    wrap_up_id: int
    user_id: int
    by: Actor
    until: str = ""


@event
class WrapUpEnded:
    """The agent is done with finishing up, or its time is over."""

    ticket_id: int
    wrap_up_id: int
    user_id: int
    by: Actor
    disposition_id: int | None = None


@event
class OfferMade:
    """Work is held out to one agent, until `until` (ISO)."""

    ticket_id: int
    offer_id: int
    item_id: int
    user_id: int
    by: Actor
    until: str = ""


@event
class OfferAccepted:
    """The agent took it."""

    ticket_id: int
    offer_id: int
    user_id: int
    by: Actor


@event
class OfferDeclined:
    """The agent would rather not, and said why."""

    ticket_id: int
    offer_id: int
    user_id: int
    by: Actor
    reason: str = ""


@event
class OfferExpired:
    """Nobody reacted in time; the work waits again, with its place kept."""

    ticket_id: int
    offer_id: int
    user_id: int
    by: Actor


@event
class AssignmentEnded:
    """An agent no longer owns the work: solved, transferred or handed back. Their capacity is free again."""

    ticket_id: int
    item_id: int
    user_id: int
    how: str
    by: Actor


@event
class ContactWished:
    """The customer would rather be written to, or called, than wait at the page. `kind` is email or phone."""

    ticket_id: int
    contact_id: int
    kind: str
    by: Actor


@event
class WishSettled:
    """The customer was reached as they wished (done), or waits at the page after all (taken_back)."""

    ticket_id: int
    how: str
    by: Actor


@event
class CapacityExceeded:
    """A person gave an agent more than they can carry at once. It is theirs, and does not count against routing's guard."""

    ticket_id: int
    user_id: int
    by: Actor
    load: int = 0
    capacity: int = 0


@event
class PresenceChanged:
    """An agent became available, away, not responding, wrapping up or offline."""

    user_id: int
    old: str
    new: str
    by: Actor
    reason: str = ""


@event
class LinkAsked:
    """Somebody wants a fresh link to a ticket; the contact's own address gets it, nobody else."""

    ticket_id: int
    contact_id: int
    by: Actor


@event
class LinksEnded:
    """Links to a ticket no longer open it: one person's, or without `contact_id` everybody's."""

    ticket_id: int
    by: Actor
    contact_id: int | None = None


# --- how it was -------------------------------------------------------------------------------------------------------------------------


@event
class SurveySent:
    """The customer was asked how it was."""

    ticket_id: int
    contact_id: int
    survey_id: int
    by: Actor


@event
class TicketRated:
    """The customer told us how it was."""

    ticket_id: int
    contact_id: int
    rating_id: int
    score: int
    by: Actor


@event
class RelationshipAsked:
    """A customer was asked about us as a whole, not about a ticket."""

    contact_id: int
    survey_id: int
    by: Actor


@event
class SurveyReminded:
    """A customer who did not answer yet was reminded, once."""

    contact_id: int
    survey_id: int
    by: Actor
    ticket_id: int | None = None


@event
class RelationshipRated:
    """A customer told us how it is with us as a whole."""

    contact_id: int
    rating_id: int
    score: int
    by: Actor


@event
class CallOwed:
    """A customer is to be called: because of a bad rating, or because somebody said so. `user_id` is who does it, if anybody yet."""

    contact_id: int
    call_id: int
    by: Actor
    user_id: int | None = None


@event
class CallSettled:
    """A call that was owed was made, or dropped."""

    contact_id: int
    call_id: int
    outcome: str
    by: Actor


@event
class CorrectionChanged:
    """Something is to be done, or was done, about a reason for dissatisfaction. `state`: planned, in_force, dropped."""

    correction_id: int
    state: str
    by: Actor


@event
class OrderChanged:
    """A purchase was written down, paid, or came back; `what`: order, payment, return."""

    contact_id: int
    order_id: int
    what: str
    by: Actor


@event
class ValueWanted:
    """Everybody's value is to be computed anew."""

    run_id: int
    by: Actor


# --- what we know -----------------------------------------------------------------------------------------------------------------------


@event
class ArticleAdded:
    """Somebody began an article."""

    article_id: int
    by: Actor


@event
class ArticleChanged:
    """Somebody edited an article's draft or what is known about it.

    `fields` are column names, `language` is empty for the article itself.
    """

    article_id: int
    by: Actor
    language: str = ""
    fields: tuple[str, ...] = ()


@event
class ArticleSentForReview:
    """An author asks whoever may publish to look at a draft."""

    article_id: int
    by: Actor
    language: str = ""


@event
class ArticleReturned:
    """A draft came back from its review: something is to be done first."""

    article_id: int
    by: Actor
    language: str = ""


@event
class ArticleScheduled:
    """A draft was approved and appears at a moment to come; `at` in seconds since 1970."""

    article_id: int
    at: float
    by: Actor
    language: str = ""


@event
class ArticlePublished:
    """A revision of an article is public, or visible to its audience."""

    article_id: int
    revision: int
    by: Actor
    language: str = ""


@event
class ArticleWithdrawn:
    """An article is no longer shown."""

    article_id: int
    by: Actor


@event
class ArticleJudged:
    """A reader said whether an article helped; a second opinion of the same reader replaces the first."""

    article_id: int
    helpful: bool
    by: Actor


# --- mail -------------------------------------------------------------------------------------------------------------------------------


@event
class MailStored:
    """A mail's bytes are safe; understanding them comes next."""

    arrival_id: int
    by: Actor


@event
class LargeMailStored:
    """A mail's bytes are safe; it is big or intricate, so it is understood where nobody waits behind it."""

    arrival_id: int
    by: Actor


@event
class MailNoted:
    """A mail that no person wrote left its mark and nothing else: a delivery report, a holiday reply. `what` is its kind."""

    arrival_id: int
    by: Actor
    ticket_id: int | None = None
    what: str = ""


@event
class MailQuarantined:
    """A mail could not be understood, or must not be acted on without a person."""

    arrival_id: int
    by: Actor
    why: str = ""


@event
class MailQueued:
    """A mail wants to leave, at `not_before` (ISO; empty: when its row says)."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None
    not_before: str = ""


@event
class MailSent:
    """The mail server took it."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class MailDelayed:
    """The mail server did not take it yet; it is tried again later."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class MailWithdrawn:
    """A mail was taken out of the outbox before it left."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class MailFailed:
    """The mail server refused it for good, or we stopped trying."""

    outgoing_id: int
    by: Actor
    ticket_id: int | None = None


@event
class DeliveryFailed:
    """A delivery report says that a customer's address did not take our mail. `status` is RFC 3463's, such as 5.1.1."""

    contact_id: int
    by: Actor
    ticket_id: int | None = None
    status: str = ""


# --- the house itself -------------------------------------------------------------------------------------------------------------------


@event
class UserInvited:
    """Somebody may join the desk."""

    user_id: int
    role: str
    by: Actor


@event
class UserChanged:
    """A person's role, teams or rights changed."""

    user_id: int
    by: Actor
    old: str = ""
    new: str = ""


@event
class UserDeactivated:
    """A person may no longer sign in; their sessions and sockets end."""

    user_id: int
    by: Actor


@event
class TokenIssued:
    """A person made a key for a program that acts in their name."""

    user_id: int
    token_id: int
    by: Actor


@event
class TokenRevoked:
    """A program's key stopped working."""

    user_id: int
    token_id: int
    by: Actor


@event
class UserReactivated:
    """A person may sign in again."""

    user_id: int
    by: Actor


@event
class SignedIn:
    """A person signed in."""

    user_id: int
    by: Actor


@event
class LinkRequested:
    """Somebody asked for a single-use link by mail: invite, reset or signin. Without a user when nobody here has that address."""

    user_id: int | None
    purpose: str
    by: Actor


@event
class PasswordChanged:
    """A person chose a new password; their other sessions and sockets ended."""

    user_id: int
    by: Actor


@event
class SessionsEnded:
    """A person signed out everywhere."""

    user_id: int
    by: Actor


@event
class QueueChanged:
    """What a queue asks of agents, who works in it, or whether it is open at all has changed."""

    queue_id: int
    by: Actor


@event
class DryRunAsked:
    """Somebody who leads wants to know what a changed rule would have done to a recorded week. Nothing is changed by it."""

    run_id: int
    queue_id: int
    by: Actor


@event
class SettingsChanged:
    """An administrator changed how the desk works. `what` names the screen or record."""

    by: Actor
    what: str = ""


@event
class DeliveryRetried:
    """An administrator let parked work be tried again."""

    delivery_id: int
    by: Actor


@event
class DeliveryDiscarded:
    """An administrator decided that parked work is not done any more."""

    delivery_id: int
    by: Actor


@event
class WorkStranded:
    """The sweep found work waiting beside a free agent. It must never happen; each one is counted."""

    user_id: int
    by: Actor
