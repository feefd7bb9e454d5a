"""Mails broken at random, taken in as any other: each meets a fate that the ledger shows, none is dropped in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from helpdesk.channels.email import arrivals as ledger
from helpdesk.channels.email.models import ArrivalState
from tests.desks import TestDesk
from tests.integration.email.conftest import arrivals
from tests.unit.email.mutants import mutants


@pytest.mark.parametrize("count", [60, pytest.param(5000, marks=[pytest.mark.soak, pytest.mark.timeout(4 * 3600)])], ids=["sample", "full"])
def test_every_broken_mail_meets_a_fate(desk: TestDesk, record_property: Callable[[str, object], None], count: int) -> None:
    stored = 0
    for raw in mutants(count, seed=31):
        _arrival, new = ledger.store(
            raw, box="support@example.com", inbox_id=desk.people.mail, sender="x@customer.example", recipients=["support@example.com"]
        )
        stored += new
        if stored % 50 == 0:
            desk.work(patience_s=300)
    desk.work(patience_s=300)
    fates = Counter(row.state for row in arrivals())
    for state, found in fates.most_common():
        record_property(state.value, found)
    assert sum(fates.values()) == stored and not fates[ArrivalState.STORED]
    assert all(
        row.why
        for row in arrivals()
        if row.state in (ArrivalState.QUARANTINED, ArrivalState.NOTED, ArrivalState.REFUSED, ArrivalState.DUPLICATE)
    )
