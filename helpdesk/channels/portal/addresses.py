"""A customer's own addresses: adding, confirming, preferring, removing, and which one signs in.

An e-mail address becomes theirs when they follow the link that was sent there, signed in as who asked for it: so nobody can put a
stranger's address on their own card by having the stranger click. Of every change the address that signs in is told. The page answers the
same whether somebody else has the address or not; the mail to it tells its owner.
"""

from __future__ import annotations

from datetime import timedelta

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from helpdesk import clock, db, links, web
from helpdesk.actor import Actor
from helpdesk.auth import User
from helpdesk.catalog import UserChanged
from helpdesk.channels.email import compose, languages, outbox
from helpdesk.channels.email.models import OutgoingKind
from helpdesk.channels.portal.models import AddressWish
from helpdesk.crm import addresses, contacts, identities
from helpdesk.crm.models import Contact, Identity, IdentityKind
from helpdesk.errors import Conflict, Gone, Invalid, NotFound
from helpdesk.events import record

PURPOSE = "own-address"
VALID = timedelta(days=1)
#: More addresses than this do not wait to be confirmed at once.
MOST_WAITING = 5


def of(me: Contact) -> list[Identity]:
    """Where this customer is reached, e-mail first; ids in other systems are the desk's own business."""
    shown = (IdentityKind.EMAIL, IdentityKind.PHONE)
    found = select(Identity).where(Identity.contact_id.in_(contacts.group(me.id)), Identity.kind.in_(shown))
    return sorted(db.session().scalars(found.order_by(Identity.id)), key=lambda one: shown.index(one.kind))


def waiting(me: Contact) -> list[AddressWish]:
    """Addresses whose links have not been followed yet."""
    found = select(AddressWish).where(AddressWish.contact_id.in_(contacts.group(me.id)), AddressWish.until_at > clock.now())
    return list(db.session().scalars(found.order_by(AddressWish.id)))


# --- adding --------------------------------------------------------------------------------------------------------------------------


def ask(me: Contact, user: User, raw: str) -> AddressWish:
    """Send a link to an address that the customer says is theirs. Raises Invalid for what is none, or is theirs already."""
    session, now = db.session(), clock.now()
    address = _read("email", raw, me)
    if any(one.value_norm == address.value for one in of(me)):
        raise Invalid(fields={"email": _("This is your address already.")})
    session.execute(delete(AddressWish).where(AddressWish.until_at <= now))
    known = waiting(me)
    wish = next((one for one in known if one.value_norm == address.value), None)
    if wish is None:
        if len(known) >= MOST_WAITING:
            raise Invalid(fields={"email": _("At most %(n)s addresses can wait to be confirmed.", n=MOST_WAITING)})
        wish = AddressWish(contact_id=me.id, user_id=user.id, value=address.shown, value_norm=address.value, asked_at=now)
        session.add(wish)
    wish.until_at = now + VALID
    session.flush()
    with force_locale(languages.of(None, me)):
        if identities.holding(address):
            subject, link = _("Your e-mail address is in use here"), ""
            opening = _("Somebody wanted to add this address to another account here. We know it already, so nothing was changed.")
        else:
            subject, link = _("Confirm your e-mail address"), f"{web.settings().base_url}/my/addresses/confirm/{_token(wish)}"
            opening = _("You said that this address is yours. Sign in and confirm it here, within a day:")
    _mail(me, address.shown, subject, opening, link)
    return wish


def opened(token: str, user: User) -> AddressWish:
    """The wish behind a mailed link. Raises Gone for a link that does not work (any more), NotFound for somebody else's."""
    wish_id, value = links.unsign(PURPOSE, token, valid_days=VALID.days)
    wish = db.session().get(AddressWish, wish_id)
    if wish is None or wish.value_norm != value or wish.until_at <= clock.now():
        raise Gone
    if wish.user_id != user.id:
        raise NotFound
    return wish


def confirm(wish: AddressWish, me: Contact, user: User, *, by: Actor) -> Identity:
    """The address is theirs. Raises Conflict when somebody else has it by now."""
    address = addresses.Address("email", wish.value_norm, wish.value)
    try:
        made = identities.add(me, address, by=by)
    except (identities.Taken, Invalid):
        raise Conflict(_("This address stands with us already. Please write to us, and we will look at it together.")) from None
    identities.mark(made, verified=True, by=by)
    db.session().delete(wish)
    _tell(me, user, "added", wish.value)
    return made


def forget(me: Contact, wish_id: int) -> None:
    """The link that waits stops working. Raises NotFound."""
    wish = next((one for one in waiting(me) if one.id == wish_id), None)
    if wish is None:
        raise NotFound
    db.session().delete(wish)


def add_phone(me: Contact, user: User, raw: str, *, by: Actor) -> Identity:
    """A phone number, not verified: nobody can be asked there. Raises Invalid."""
    number = _read("phone", raw, me)
    try:
        made = identities.add(me, number, by=by)
    except identities.Taken:
        raise Invalid(fields={"phone": _("This number cannot be added here. Please write to us.")}) from None
    except Invalid as wrong:
        raise Invalid(fields={"phone": next(iter(wrong.fields.values()), wrong.detail)}) from wrong
    _tell(me, user, "added", made.value)
    return made


# --- what stands there ---------------------------------------------------------------------------------------------------------------


def prefer(me: Contact, identity_id: int, *, by: Actor) -> Identity:
    """Write or call there first. Raises NotFound."""
    mine = _mine(me, identity_id)
    identities.prefer(mine, by=by)
    return mine


def sign_in_with(me: Contact, user: User, identity_id: int, *, by: Actor) -> Identity:
    """Sign in with another confirmed e-mail address from now on; the former one stays theirs and is told.

    Raises NotFound, Conflict for an address that is not confirmed or that another account signs in with.
    """
    mine = _mine(me, identity_id)
    if mine.kind is not IdentityKind.EMAIL or mine.verified_at is None:
        raise Conflict(_("Confirm this address first."))
    if mine.value_norm == user.email:
        return mine
    _tell(me, user, "signs_in", mine.value)
    try:
        with db.session().begin_nested():
            user.email = mine.value_norm
            db.session().flush()
    except IntegrityError:
        raise Conflict(_("Another account signs in with this address.")) from None
    record(UserChanged(user.id, by))
    return mine


def remove(me: Contact, user: User, identity_id: int, *, by: Actor) -> None:
    """Take an address away. Raises NotFound, Conflict for the one that signs in and for the last e-mail address."""
    mine = _mine(me, identity_id)
    mails = [one for one in of(me) if one.kind is IdentityKind.EMAIL]
    if mine.kind is IdentityKind.EMAIL and (mine.value_norm == user.email or len(mails) == 1):
        raise Conflict(_("You sign in with this address. Choose another for that first."))
    _tell(me, user, "removed", mine.value)
    identities.remove(mine, by=by)


# --- below ---------------------------------------------------------------------------------------------------------------------------


def _read(kind: str, raw: str, me: Contact) -> addresses.Address:
    try:
        return identities.read(kind, raw, language=me.language or web.lang())
    except addresses.UnusableAddress as wrong:
        raise Invalid(fields={kind: wrong.detail}) from wrong


def _mine(me: Contact, identity_id: int) -> Identity:
    found = next((one for one in of(me) if one.id == identity_id), None)
    if found is None:
        raise NotFound
    return found


def _token(wish: AddressWish) -> str:
    return links.sign(PURPOSE, [wish.id, wish.value_norm])


def _tell(me: Contact, user: User, what: str, address: str) -> None:
    """Tell the address that signs in until now what becomes of the customer's addresses."""
    with force_locale(languages.of(None, me)):
        subject = _("Your addresses with us have changed")
        opening = {
            "added": _("This address is yours here now: %(address)s.", address=address),
            "removed": _("This address is not yours here any more: %(address)s.", address=address),
            "signs_in": _("From now on you sign in with another address: %(address)s.", address=address),
        }[what]
    _mail(me, user.email, subject, opening, "")


def _mail(me: Contact, to: str, subject: str, opening: str, link: str) -> None:
    words = compose.words(OutgoingKind.ADDRESS, languages.of(None, me), subject, opening=opening, link=link)
    outbox.put(OutgoingKind.ADDRESS, None, me, to, words)
