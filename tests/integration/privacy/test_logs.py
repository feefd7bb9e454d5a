"""Logs hold ids only, also when the database refuses something: its own words quote what was sent."""

from __future__ import annotations

import io
import logging

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from helpdesk import db
from helpdesk.crm.models import Identity, IdentityKind
from tests.desks import TestDesk

CANARY = "canary@secret.example"


def refused_twice(desk: TestDesk) -> None:
    """One address of two people, in a transaction that fails as a delivery's would."""
    with db.transaction() as session:
        for contact_id in (desk.people.carol, desk.people.oleg):
            session.add(Identity(contact_id=contact_id, kind=IdentityKind.EMAIL, value=CANARY, value_norm=CANARY))
        session.flush()


def misunderstood(desk: TestDesk) -> None:
    """Words where a number belongs; SQLite takes them."""
    with db.transaction() as session:
        session.execute(text("SELECT CAST(:said AS integer)"), {"said": CANARY})


@pytest.mark.parametrize("fails", [refused_twice, misunderstood])
def test_an_error_of_the_database_is_logged_with_its_kind_and_without_a_value(desk: TestDesk, fails: object) -> None:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    try:
        try:
            fails(desk)  # type: ignore[operator]
        except DBAPIError as wrong:
            logging.getLogger("helpdesk.test").exception("delivery 7 failed: %s", wrong)
            assert wrong.orig is not None and "\n" not in str(wrong.orig)
        else:
            assert fails is misunderstood and db.engine().dialect.name == "sqlite"
            return
    finally:
        logging.getLogger().removeHandler(handler)
    assert "Error" in said.getvalue() and "delivery 7" in said.getvalue()
    assert "uq_identity_own" in said.getvalue() or "identity.value_norm" in said.getvalue() or "invalid input" in said.getvalue()
    assert "canary" not in said.getvalue() and "secret" not in said.getvalue()
