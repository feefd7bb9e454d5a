"""An older backup does not bring back who was erased since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from helpdesk import clock, db, files, live
from helpdesk.actor import SYSTEM, Actor
from helpdesk.backup import restoring, taking
from helpdesk.config import Settings
from helpdesk.crm import contacts, erasure, erasure_ledger
from helpdesk.crm.models import Contact
from helpdesk.crm.privacy_models import Erasure
from helpdesk.events import Delivery
from tests import people
from tests.desks import TestDesk
from tests.integration.backup.conftest import elsewhere  # noqa: F401
from tests.integration.privacy import canaries

Elsewhere = Callable[[str], Settings]


def quiet(_words: str) -> None:
    pass


def test_an_older_backup_does_not_bring_them_back(
    desk: TestDesk,
    stopped: clock.Hand,
    tmp_path: Path,
    elsewhere: Elsewhere,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_artist", None)
    planted = canaries.plant(desk)
    archive = tmp_path / "before.tar.gz"
    taking.take(db.engine(), desk.settings, archive, with_secret=False, say=quiet)
    stopped.move(minutes=1)
    with desk.app.app_context(), db.transaction() as session:
        erasure.erase(session.get_one(Contact, planted.contact), by=Actor("user", desk.people.ada))
    stopped.move(minutes=1)
    with db.transaction():
        again = contacts.by_email(planted.email, name="Somebody new", by=SYSTEM).id
    onto = elsewhere(db.engine().dialect.name)
    onto.data.mkdir(parents=True, exist_ok=True)
    (onto.data / erasure_ledger.FILE).write_text((desk.settings.data / erasure_ledger.FILE).read_text())
    assert planted.email not in (onto.data / erasure_ledger.FILE).read_text()

    done = restoring_to(onto, archive)

    assert done.erased == 1
    with db.read() as session:
        gone = session.get_one(Contact, planted.contact)
        assert gone.erased_at is not None and session.get_one(Contact, planted.twin).erased_at is not None
        assert session.get_one(Contact, desk.people.oleg).erased_at is None
        assert session.get(Contact, again) is None, "who came after the backup is not in it"
        assert session.scalars(select(Erasure.source)).one() == "restore"
        assert not list(session.scalars(select(Delivery.id).where(Delivery.done_at.is_(None), Delivery.parked_at.is_(None))))
    place = replace_desk(desk, onto)
    assert canaries.found_in(place, tmp_path) == {}


def test_who_came_back_after_being_erased_is_kept_when_a_backup_of_then_is_restored(
    desk: TestDesk,
    stopped: clock.Hand,
    tmp_path: Path,
    elsewhere: Elsewhere,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_artist", None)
    with desk.app.app_context(), db.transaction() as session:
        erasure.erase(session.get_one(Contact, desk.people.carol), by=SYSTEM)
    stopped.move(minutes=1)
    with db.transaction():
        again = contacts.by_email("carol@customer.example", name="Carol Jones", by=SYSTEM).id
    people.writes(again, "I am back.", inbox=desk.people.mail)
    archive = tmp_path / "after.tar.gz"
    taking.take(db.engine(), desk.settings, archive, with_secret=False, say=quiet)
    done = restoring_to(elsewhere(db.engine().dialect.name), archive)
    assert done.erased == 0
    with db.read() as session:
        assert session.get_one(Contact, again).name == "Carol Jones"


def restoring_to(settings: Settings, archive: Path) -> restoring.Restored:
    db.disconnect()
    done = restoring.restore(settings, archive, force=True, say=quiet)
    db.connect(settings.database_url, pool_size=3)
    files.use(settings.data / "files")
    return done


def replace_desk(desk: TestDesk, settings: Settings) -> TestDesk:
    return replace(desk, settings=settings)
