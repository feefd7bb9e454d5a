"""Being certain who asks before something that cannot be undone: the password once more, or having come in by a mailed link just now."""

from __future__ import annotations

from datetime import timedelta

from flask import request
from flask_babel import gettext as _

from helpdesk import auth, clock, db, passwords
from helpdesk.auth import User
from helpdesk.errors import Invalid

#: Who came in through a mailed link so lately has confirmed who they are by that mail.
LATELY = timedelta(minutes=15)


def require(user: User) -> None:
    """Raise Invalid unless it is certain who asks (the form's `password`), TooMany after too many wrong ones. Outside of transactions."""
    if not user.password:
        if user.last_login_at is None or clock.now() - user.last_login_at > LATELY:
            raise Invalid(_("Please sign in once more with a link by e-mail, then come back here within 15 minutes."))
        return
    with db.transaction():
        auth.tries_left(user.email)
        tried = auth.count_failure(user.email)
    if not passwords.right(request.form.get("password", ""), user.password):
        raise Invalid(fields={"password": _("This is not your password.")})
    with db.transaction():
        auth.take_back(tried)
