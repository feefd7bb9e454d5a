"""Every stored word has a privacy class: a column without one fails the build, because nobody would know whether to erase it."""

from __future__ import annotations

import importlib

from helpdesk import privacy, schema
from helpdesk.db import Base
from helpdesk.privacy import GOES


def test_every_column_that_can_hold_words_has_a_class_and_every_class_a_column() -> None:
    for module in schema.TABLES:
        importlib.import_module(module)
    assert not privacy.unclassified(), "say in the package's module `privacy` what these are (see helpdesk/privacy.py)"


def test_what_is_personal_can_be_found_by_the_person() -> None:
    """A table with words of customers either says how its rows belong to one, or is named here with the reason."""
    for module in schema.TABLES:
        importlib.import_module(module)
    swept_only = {
        "delivery",  # errors that may cite an address
        "idempotency_key",  # answers, told by their location
        "search_log",  # names no person, but what was typed may
        "import_run", "segment", "corrective_action", "organization",  # a name that a colleague typed
        "revision", "translation", "dry_run", "user", "erasure",
    }  # fmt: skip
    loose = {one.table for one in privacy.classified().values() if set(one.columns.values()) & set(GOES) and not one.belongs} - swept_only
    assert not loose
    assert all(name in Base.metadata.tables for name in privacy.classified())
