"""`helpdesk check` sees what is wrong, says what to do, and never tells a password."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from helpdesk import check, clock, db, files, links, schema, vault
from helpdesk.actor import SYSTEM
from helpdesk.agents.models import QueueMember
from helpdesk.auth import Role
from helpdesk.channels.email import listener
from helpdesk.channels.email.imap import accounts
from helpdesk.check import machine, servers
from helpdesk.config import Settings
from helpdesk.crm import contacts
from helpdesk.demo.postbox import Postbox
from helpdesk.events import Delivery
from helpdesk.kb.documents import Document
from helpdesk.kb.index import Index
from helpdesk.setup import first_records
from helpdesk.tickets.models import Channel, Inbox, Queue
from tests import imap, people
from tests.servers import free_port

Checked = Callable[..., dict[str, check.Finding]]


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    """A desk that has been set up, as its environment."""
    db.connect(settings.database_url, pool_size=2)
    links.use(settings.secret_keys)
    with db.transaction():
        first_records()
    db.disconnect()
    url = "" if settings.sqlite else settings.database_url
    keys = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    return {"HELPDESK_DATA": str(settings.data), "DATABASE_URL": url, "SECRET_KEYS": keys, "BASE_URL": "http://localhost"}


@pytest.fixture
def run(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    for name in ("SMTP_URL", "MAIL_LISTEN", "REDIS_URL", "TRUSTED_PROXIES"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str, **more: str) -> Result:
        db.disconnect()
        return CliRunner().invoke(check.check, list(words), env={**environ, **more})

    return call


@pytest.fixture
def found(run: Callable[..., Result]) -> Checked:
    """The findings by name, as the command prints them for programs."""

    def call(**more: str) -> dict[str, check.Finding]:
        result = run("--json", **more)
        findings = {one["name"]: check.Finding(**one) for one in json.loads(result.output)}
        assert result.exit_code == int(any(one.verdict == "fault" for one in findings.values()))
        assert all(one.do for one in findings.values() if one.verdict == "fault"), findings
        return findings

    return call


ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"])


def test_a_sound_desk_has_no_fault_and_exit_code_0(run: Callable[..., Result], found: Checked, engine: str) -> None:
    result = run()
    assert result.exit_code == 0 and "Everything is well." in result.output and "FAULT" not in result.output
    findings = found()
    assert findings["database"].verdict == "ok" and engine[:6].lower() in findings["database"].says.lower()
    assert schema.newest() is not None and str(schema.newest()) in findings["schema"].says
    assert ("clock" in findings) == (engine == "postgresql")


@ON_SQLITE
def test_unreadable_settings_are_all_named_and_nothing_else_is_tried(found: Checked, run: Callable[..., Result]) -> None:
    result = run(BASE_URL="ftp://x", DEFAULT_LANGUAGE="tlh")
    assert result.exit_code == 1 and "BASE_URL" in result.output and "DEFAULT_LANGUAGE" in result.output
    assert "database" not in result.output


@ON_SQLITE
def test_a_desk_that_was_never_set_up_is_told_to_init_and_no_file_is_made(found: Checked, tmp_path: Path) -> None:
    findings = found(HELPDESK_DATA=str(tmp_path / "fresh"))
    assert findings["database"].verdict == "fault" and "helpdesk init" in findings["database"].do
    assert not (tmp_path / "fresh" / "helpdesk.db").exists()


def test_an_older_schema_is_a_fault(found: Checked, settings: Settings) -> None:
    db.connect(settings.database_url)
    with db.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    findings = found()
    assert findings["schema"].verdict == "fault" and "step 0000" in findings["schema"].says and "helpdesk init" in findings["schema"].do


@ON_SQLITE
def test_a_database_that_does_not_answer_is_a_fault_without_its_password(run: Callable[..., Result]) -> None:
    result = run(DATABASE_URL=f"postgresql://me:hunter2hunter2@127.0.0.1:{free_port()}/desk")
    assert result.exit_code == 1 and "cannot be reached" in result.output and "DATABASE_URL" in result.output
    assert "hunter2" not in result.output


@ON_SQLITE
def test_little_room_is_noticed_before_it_is_none(found: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, verdict in ((machine.LITTLE_SPACE + 1, "ok"), (machine.LITTLE_SPACE - 1, "warning"), (machine.NO_SPACE - 1, "fault")):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path, free=free: type("Usage", (), {"free": free}))
        assert found()["data folder"].verdict == verdict


@ON_SQLITE
def test_keys_that_can_be_guessed_or_read_are_faults(found: Checked, environ: dict[str, str], settings: Settings) -> None:
    assert "guessed" in found(SECRET_KEYS="k" * 40)["secret keys"].says
    environ.pop("SECRET_KEYS")
    assert found(SECRET_KEYS="")["secret keys"].verdict == "ok"
    (settings.data / "secret").chmod(0o644)
    assert "chmod 600" in found(SECRET_KEYS="")["secret keys"].do


@ON_SQLITE
def test_an_address_nobody_else_can_open_is_noted(found: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["base URL"].verdict == "warning"
    assert found(BASE_URL="http://no-such-host.invalid")["base URL"].verdict == "fault"
    monkeypatch.setattr(machine.socket, "getaddrinfo", lambda *_args: [])
    assert "TRUSTED_PROXIES" in found(BASE_URL="https://help.example.com")["base URL"].do
    assert found(BASE_URL="https://help.example.com", TRUSTED_PROXIES="1")["base URL"].verdict == "ok"


@ON_SQLITE
def test_mail_servers_are_signed_in_to_and_no_password_is_told(
    run: Callable[..., Result], found: Checked, settings: Settings, tmp_path: Path
) -> None:
    box = Postbox(tmp_path / "sent")
    box.start()
    try:
        assert found(SMTP_URL=f"smtp://127.0.0.1:{box.port}")["outgoing mail"].verdict == "ok"
        refused = run(SMTP_URL=f"smtp://desk:hunter2hunter2@127.0.0.1:{box.port}?tls=none")
        assert refused.exit_code == 1 and "FAULT outgoing mail" in refused.output and "hunter2" not in refused.output
    finally:
        box.stop()
    assert not list((tmp_path / "sent").iterdir()), "nothing is sent"
    nobody = found(SMTP_URL=f"smtp://127.0.0.1:{free_port()}")["outgoing mail"]
    assert nobody.verdict == "fault" and "Nothing listens" in nobody.says
    assert found()["outgoing mail"].verdict == "warning"


@ON_SQLITE
def test_an_inboxs_own_mail_server_is_tried_too_and_a_lost_key_is_said(found: Checked, settings: Settings, environ: dict[str, str]) -> None:
    port = free_port()
    links.use((environ["SECRET_KEYS"],))
    db.connect(settings.database_url)
    with db.transaction() as session:
        queue = session.query(Inbox).first()
        assert queue is not None
        sealed = vault.seal(f"smtp://me:hunter2hunter2@127.0.0.1:{port}?tls=none")
        session.add(Inbox(name="Own", channel="email", queue_id=queue.queue_id, smtp_url=sealed))
    own = found()["outgoing mail"]
    assert own.verdict == "fault" and "inbox Own" in own.says and "hunter2" not in own.says
    lost = found(SECRET_KEYS="another-key-altogether-0123456789-ABCDEFGH")["outgoing mail"]
    assert lost.verdict == "fault" and "no longer in SECRET_KEYS" in lost.says


@ON_SQLITE
def test_the_mail_listeners_place_is_free_or_ours_or_a_strangers(found: Checked, settings: Settings, environ: dict[str, str]) -> None:
    assert "free" in found(MAIL_LISTEN=f"127.0.0.1:{free_port()}")["incoming mail"].says
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        stranger.settimeout(0.1)
        taken = found(MAIL_LISTEN=f"127.0.0.1:{stranger.getsockname()[1]}")["incoming mail"]
        assert taken.verdict == "fault" and "another port" in taken.do
    db.connect(settings.database_url)
    files.use(settings.data / "files")
    ours = listener.Listener(replace(settings, mail_listen=("127.0.0.1", 0)))
    ours.start()
    try:
        assert "our listener" in found(MAIL_LISTEN=f"127.0.0.1:{ours.port}")["incoming mail"].says
    finally:
        ours.stop()


@ON_SQLITE
def test_accounts_that_mail_is_fetched_from_are_signed_in_to_and_no_password_is_told(
    found: Checked, run: Callable[..., Result], settings: Settings, environ: dict[str, str]
) -> None:
    with imap.running(imap.ImapServer(password="correct horse")) as server:
        db.connect(settings.database_url)
        links.use((environ["SECRET_KEYS"],))
        with db.transaction() as session:
            inbox = Inbox(
                name="Fetched", channel=Channel.EMAIL, address="fetched@example.com", queue_id=session.scalars(select(Queue.id)).first()
            )
            session.add(inbox)
            session.flush()
            shape = accounts.Shape("127.0.0.1", "support", port=server.port, tls="none", password="correct horse")
            accounts.add(inbox, shape, by=SYSTEM)
        assert "lets us in (INBOX: 0)" in found()["fetched mail"].says
        server.password = "battery staple"
        assert found()["fetched mail"].verdict == "fault"
        assert "correct horse" not in run().output


@ON_SQLITE
def test_late_work_is_a_fault_and_parked_work_is_noted(found: Checked, settings: Settings) -> None:
    db.connect(settings.database_url)
    with db.transaction() as session:
        late = Delivery(reaction="mail.send", key="x", lane="io", due_at=clock.now() - timedelta(minutes=9), claim=0, attempts=0, error="")
        session.add(late)
    assert "9 minutes" in found()["work"].says
    db.connect(settings.database_url)
    with db.transaction() as session:
        session.get_one(Delivery, late.id).parked_at = clock.now()
    parked = found()["work"]
    assert parked.verdict == "warning" and "1 deliveries are parked" in parked.says and "--retry" in parked.do


@ON_SQLITE
def test_a_queue_that_nobody_can_serve_is_noted_and_a_fault_once_something_is_there(found: Checked, settings: Settings) -> None:
    assert found()["queue Support"].verdict == "warning" and "Nobody works in this queue" in found()["queue Support"].says
    db.connect(settings.database_url, pool_size=2)
    with db.transaction() as session:
        support = session.scalars(select(Queue)).one()
        inbox = session.scalars(select(Inbox).where(Inbox.queue_id == support.id).order_by(Inbox.id)).first()
        carol = contacts.by_email("carol@customer.example", by=SYSTEM)
        session.flush()
        assert inbox is not None
    people.writes(carol.id, inbox=inbox.id)
    db.disconnect()
    assert found()["queue Support"].verdict == "fault" and "1 are unsolved" in found()["queue Support"].says
    db.connect(settings.database_url, pool_size=2)
    with db.transaction() as session:
        session.add(QueueMember(queue_id=support.id, user_id=people.person("Alice", Role.AGENT).id))
    db.disconnect()
    assert found()["queues"].verdict == "ok" and "queue Support" not in found()


def test_a_damaged_search_index_is_noticed(found: Checked, settings: Settings) -> None:
    assert "not built yet" in found()["search index"].says
    index = Index(settings.data / "kb-index")
    index.rebuild([Document("1", "Descaling", "How to descale")], 1)
    assert found()["search index"].verdict == "ok"
    (settings.data / "kb-index" / "state.json").write_text("{")
    assert found()["search index"].verdict == "warning"


@pytest.mark.redis
@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_redis_without_a_worker_and_no_redis_at_all_are_faults(found: Checked, redis_url: str) -> None:
    alone = found(REDIS_URL=redis_url)
    assert alone["redis"].verdict == "ok" and alone["redis clock"].verdict == "ok"
    assert alone["workers"].verdict == "fault" and "helpdesk worker" in alone["workers"].do
    gone = found(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert gone["redis"].verdict == "fault" and "nothing is lost" in gone["redis"].do


def test_clocks_that_differ_are_measured_and_judged() -> None:
    assert servers.skew("clock", "the database's", 0.4).verdict == "ok"
    assert servers.skew("clock", "the database's", -5.0).verdict == "warning"
    assert servers.skew("clock", "the database's", 31.0).verdict == "fault"


@ON_SQLITE
def test_a_check_that_breaks_is_a_fault_and_the_others_still_run(found: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd_thing(_settings: Settings) -> object:
        raise RuntimeError("never seen before")

    monkeypatch.setattr(check, "LOOKS", (odd_thing, *check.LOOKS))
    findings = {one.name: one for one in check.findings()}
    assert findings["odd thing"].verdict == "fault" and "never seen before" in findings["odd thing"].says
    assert "search index" in findings
