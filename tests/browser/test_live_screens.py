"""What the page's scripts do with what is pushed: rows, counts, threads, offers; and what they do without a socket."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.stage import ROW, Stage, live_workspace, order, rows, within, workspace

pytestmark = pytest.mark.browser


def test_a_pushed_row_arrives_at_its_place_and_another_lists_row_does_not(stage: Stage, page: Any) -> None:
    live_workspace(stage, page, 7, 8, 9)
    stage.push("row", 1, id=12, lists=["queue:1"], sort="1.5", html={"en": ROW.format(id=12, sort="1.5", words="New one"), "ru": "нет"})
    within(3, lambda: order(page) == ["t7", "t12", "t8", "t9"])
    stage.push("row", 2, id=13, lists=["queue:2"], sort="0", html={"en": ROW.format(id=13, sort="0", words="Not ours"), "ru": ""})
    stage.push("row", 3, id=8, lists=[], sort="0", html={"en": "", "ru": ""})
    within(3, lambda: order(page) == ["t7", "t12", "t9"])


def test_a_pushed_row_takes_neither_focus_nor_selection_nor_what_was_picked(stage: Stage, page: Any) -> None:
    live_workspace(stage, page, 7, 8, 9)
    page.click("#t8 a")
    page.wait_for_selector("text=Thread 8")
    page.check("#t8 input")
    page.focus("#t8 a")
    moved = ROW.format(id=8, sort="0", words="Moved up")
    stage.push("row", 1, id=8, lists=["queue:1"], sort="0", html={"en": moved, "ru": moved})
    within(3, lambda: order(page) == ["t8", "t7", "t9"])
    assert page.evaluate("document.activeElement.dataset.id") == "8"
    assert page.get_attribute("#t8 a", "aria-current") == "true"
    assert page.is_checked("#t8 input")
    assert page.inner_text("#t8 a") == "Moved up"
    page.keyboard.press("KeyJ")
    page.wait_for_selector("text=Thread 7")


def test_after_a_gap_the_list_is_fetched_again(stage: Stage, page: Any) -> None:
    live_workspace(stage, page, 7, 8)
    stage.push("count", 1, counts={"queue:1": "2"})
    stage.pages["/list"] = f'<ul class="list" id="list" data-refresh="/list">{rows(7, 8, 30)}</ul>'
    stage.push("beat", 5)
    within(3, lambda: order(page) == ["t7", "t8", "t30"])


def test_counts_and_a_toast_are_shown_in_the_pages_language(stage: Stage, page: Any) -> None:
    live_workspace(stage, page, 7)
    page.evaluate("document.querySelector('.pane-list').insertAdjacentHTML('beforeend', '<b data-count=\"queue:1\"></b>')")
    stage.push("count", 1, counts={"queue:1": "12"})
    stage.push("toast", 2, text={"en": "Mention by Bob", "ru": "Вас упомянул Боб"}, url="/inbox/7")
    page.wait_for_selector("text=Mention by Bob")
    assert page.inner_text("[data-count]") == "12"


def test_the_open_thread_changes_under_a_half_written_reply_without_touching_it(stage: Stage, page: Any) -> None:
    thread = '<div id="thread" class="thread" data-ticket="7" data-version="{v}" data-refresh="/thread/7" data-room="ticket:7">{text}</div>'
    composer = '<form id="composer"><input type="hidden" name="seen" data-seen value="1"><textarea id="body"></textarea></form>'
    stage.pages["/thread/7"] = thread.format(v=1, text="<p>Old</p>")
    page.goto(stage.page("/", stage.pages["/thread/7"] + composer, body="""data-live="1" data-rooms='[]'"""))
    within(5, lambda: "ticket:7" in stage.watched)
    page.wait_for_timeout(300)
    page.fill("#body", "I was just")
    stage.pages["/thread/7"] = thread.format(v=2, text="<p>Old</p><p>New</p>")
    page.evaluate("document.getElementById('body').setSelectionRange(2, 5)")
    stage.push("ticket", 1, room="ticket:7", id=7, version=2)
    page.wait_for_selector("text=New")
    assert page.input_value("#body") == "I was just"
    assert page.evaluate("[document.activeElement.id, document.activeElement.selectionStart]") == ["body", 2]
    assert page.input_value("[data-seen]") == "1"  # so the server holds this reply and says what is new


def test_an_offer_counts_down_and_leaves_when_its_time_is_over(stage: Stage, page: Any) -> None:
    live_workspace(stage, page, 7)
    card = f"""<article class="offer" data-offer data-expires="{time.time() + 2}" data-total="30">
        <progress></progress><span data-left></span>
        <form method="post" action="/accept" hx-post="/accept" hx-swap="none"><button>Accept</button></form></article>"""
    stage.push("offer", 1, html={"en": card, "ru": card})
    page.wait_for_selector("text=seconds left")
    assert page.title().startswith("● Offer")
    page.click("text=Accept")
    within(3, lambda: stage.sent("POST", "/accept"))
    page.wait_for_selector("[data-offer]", state="detached", timeout=5000)
    assert page.title() == "Page"


def test_a_wrap_up_counts_down_by_the_same_clock_and_calls_nobody(stage: Stage, page: Any) -> None:
    page.add_init_script("window.tones = 0; OscillatorNode.prototype.start = () => { window.tones += 1; };")
    live_workspace(stage, page, 7)
    page.mouse.click(5, 5)  # sounds may be made from now on
    title = page.title()
    card = f"""<article class="offer wrap" data-ends="{time.time() + 61.5}" data-total="90">
        <h2>Wrap-up</h2><span data-left></span><progress></progress><button>Done</button></article>"""
    stage.push("offer", 1, html={"en": card, "ru": card})
    for left in ("1:01 left", "1:00 left"):
        page.wait_for_selector(f"[data-ends] [data-left]:text-is('{left}')", timeout=5000)
    assert page.locator("[data-ends] progress").evaluate("bar => bar.max === 90 && bar.value > 58 && bar.value <= 61")
    assert page.title() == title and page.evaluate("window.tones") == 0
    over = card.replace(card.split('"')[3], str(time.time() - 1))
    stage.push("offer", 2, html={"en": over, "ru": over})
    page.wait_for_selector("[data-ends] [data-left]:text-is('0:00 left')", timeout=5000)
    assert page.locator("[data-ends] button").is_visible(), "it stays until the server says otherwise"


def test_without_a_socket_the_page_polls_and_says_how_old_its_data_are(stage: Stage, page: Any) -> None:
    stage.sockets_refused = True
    url = workspace(stage, 7, body="""data-live="1" data-rooms='["queue:1"]' data-list="queue:1" """)
    stage.pages["/"] = stage.pages["/"].replace('<main class="panes">', '<span id="live-state"><span></span></span><main class="panes">')
    page.goto(url)
    stage.pages["/list"] = f'<ul class="list" id="list" data-refresh="/list">{rows(7, 8)}</ul>'
    within(9, lambda: order(page) == ["t7", "t8"])
    within(3, lambda: page.inner_text("#live-state").startswith("Data as of"))


def test_a_paused_wallboard_stands_still_and_catches_up_when_it_goes_on(stage: Stage, page: Any) -> None:
    live_workspace(stage, page, 7)
    page.evaluate("""document.querySelector('.pane-list').insertAdjacentHTML('beforeend',
        '<button data-live-pause aria-pressed="false">Pause</button><b data-figure="waiting">3</b>')""")
    page.click("[data-live-pause]")
    stage.push("wall", 1, figures={"waiting": "9"})
    page.wait_for_timeout(300)
    assert page.inner_text("[data-figure]") == "3"
    stage.pages["/list"] = f'<ul class="list" id="list" data-refresh="/list">{rows(7, 8)}</ul>'
    page.click("[data-live-pause]")
    within(3, lambda: order(page) == ["t7", "t8"])
    stage.push("wall", 2, figures={"waiting": "10"})
    within(3, lambda: page.inner_text("[data-figure]") == "10")
