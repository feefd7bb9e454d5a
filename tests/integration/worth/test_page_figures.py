"""Every figure on a customer's page equals what pandas finds in the raw tables; and none is on the page that pandas was not asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from helpdesk import clock, config, db
from helpdesk.app import create_app
from helpdesk.auth import Role, User
from helpdesk.crm import words, worth_words
from helpdesk.crm.models import Contact
from tests import samples
from tests.desks import Template, TestDesk
from tests.integration.worth import page as pages
from tests.integration.worth import sample
from tests.integration.worth.by_pandas import Desk, Figures, Raw
from tests.integration.worth.expected import Whole

CHOSEN = Desk({"EUR": 1.0, "USD": 0.9}, minute_cents=80, winning_cents=500, reply_s=240)
#: The desk's own sentences that have a digit in them.
SENTENCES = {"In 90 days", "Next 52 weeks", "halved every 90 days", "which counts as 5 ratings", "on 0 to 100"}


def own_words() -> set[str]:
    tables = (worth_words.FORMULA, worth_words.MEANS, worth_words.INPUT, worth_words.SIGNAL, words.FORMULAS)
    return SENTENCES | {str(said) for table in tables for said in table.values()}


def figures(desk: Desk, as_of: datetime) -> Figures:
    with db.engine().connect() as connection:
        return Figures(Raw(connection), desk, as_of)


def faults_of(page: pages.Page, whole: Whole) -> Iterator[str]:
    """What the page says that pandas does not, what pandas says that the page does not, and what nobody marked."""
    expected = whole.all()
    for seen in page.figures:
        if seen.key not in expected:
            yield f"{seen.key}: nobody compares “{seen.text}”"
        elif not expected[seen.key].agrees(seen):
            yield f"{seen.key}: the page says “{seen.text or seen.moment}”, pandas {expected[seen.key]}"
    yield from (f"{key}: not on the page" for key in expected.keys() - {seen.key for seen in page.figures})
    yield from (f"unmarked: {text}" for text in pages.unexplained(page, own_words(), whole.said))


@pytest.mark.slow
def test_every_figure_of_a_customers_page_is_what_pandas_finds(desk: TestDesk, lived: list[int]) -> None:
    found, dana, faults = figures(CHOSEN, clock.now()), desk.client(desk.people.dana), []
    kinds: set[str] = set()
    for who in lived[::4] if desk.settings.sqlite else lived[2::8]:  # other customers: the sample is the same on both
        page = pages.read(dana.get(f"/customers/{who}").text)
        faults += [f"customer {who}: {fault}" for fault in faults_of(page, Whole(found, who))]
        kinds |= {"/".join(part for part in seen.key.split("/") if not part.isdigit()) for seen in page.figures}
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])
    # The sample is worth its name only if it fills the page: nearly every figure that there is was seen.
    assert len(kinds) > 100, sorted(kinds)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_who_may_not_see_worth_sees_no_figure_of_it_and_the_same_others(desk: TestDesk, lived: list[int]) -> None:
    alice, dana = desk.client(desk.people.alice), desk.client(desk.people.dana)
    of_worth = ("bought/", "value.", "health", "reason/", "restless/", "tier", "rfm", "habit")
    for who in lived[:6]:
        hidden, shown = (pages.read(one.get(f"/customers/{who}").text) for one in (alice, dana))
        withheld = {seen.key for seen in shown.figures} - {seen.key for seen in hidden.figures}
        assert withheld and all(key.startswith(of_worth) for key in withheld)
        assert [(one.key, one.text) for one in hidden.figures] == [(one.key, one.text) for one in shown.figures if one.key not in withheld]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_figure_that_nobody_compares_is_a_fault(desk: TestDesk, lived: list[int]) -> None:
    found = figures(CHOSEN, clock.now())
    who = lived[0]
    html = desk.client(desk.people.dana).get(f"/customers/{who}").text
    whole = Whole(found, who)
    assert not list(faults_of(pages.read(html), whole))
    for added, fault in (
        ('<p data-figure="luck">7</p>', "luck: nobody compares “7”"),
        ("<p>Luck: 7</p>", "unmarked: Luck: 7"),
        ('<p data-figure="entries">-1</p>', "entries: the page says “-1”"),
    ):
        assert any(one.startswith(fault) for one in faults_of(pages.read(html.replace("</main>", f"{added}</main>")), whole))
    bare = html.replace('data-figure="since"', "")
    assert {one.split(":")[0] for one in faults_of(pages.read(bare), whole)} == {"since", "unmarked"}


@pytest.mark.slow
def test_so_it_is_in_the_sample_company(
    templates: Callable[[str, bool], Template], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    samples.company(tmp_path_factory, templates, tmp_path)
    settings = config.load({"HELPDESK_DATA": str(tmp_path), "BASE_URL": "http://localhost", "SECRET_KEYS": "k" * 40})
    app = create_app(settings)
    with clock.frozen(datetime.now().astimezone()):
        with app.app_context(), db.transaction() as session:
            lead = session.scalars(select(User).where(User.role == Role.SUPERVISOR).order_by(User.id)).first()
            assert lead is not None
            lead.language, lead.time_zone = "en", "UTC"
            ids = list(session.scalars(select(Contact.id).where(Contact.merged_into_id.is_(None)).order_by(Contact.id)))
        with app.app_context():
            sample.computed()
        found, faults = figures(Desk({"EUR": 1.0, "RUB": 0.01}, 60, 1500, 300), clock.now()), []
        browser = TestDesk(app, settings, None).client(lead.id)  # type: ignore[arg-type]
        for who in ids[::3]:
            page = pages.read(browser.get(f"/customers/{who}").text)
            faults += [f"customer {who}: {fault}" for fault in faults_of(page, Whole(found, who))]
    db.disconnect()
    assert len(ids) > 90 and not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])
