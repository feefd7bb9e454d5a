"""What the page's scripts do with time and keys: badges that count, shortcuts by key position, the palette."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.stage import Stage, within, workspace

pytestmark = pytest.mark.browser


# ---- time


def test_a_badge_counts_down_on_the_servers_clock_even_when_the_browsers_is_wrong(stage: Stage, page: Any) -> None:
    due = int(time.time()) + 65
    url = stage.page("/", f'<sla-timer due="{due}" window="3600"><span class="sla warn">1:05</span></sla-timer>')
    page.add_init_script("const real = Date.now; Date.now = () => real() + 3600_000")
    page.goto(url)
    within(4, lambda: page.inner_text(".sla") in ("1:02", "1:01"))
    assert page.get_attribute(".sla", "aria-label").startswith("due soon, 1:0")


def test_a_paused_badge_stands_still(stage: Stage, page: Any) -> None:
    page.goto(stage.page("/", f'<sla-timer due="{int(time.time()) - 99}" window="3600" data-paused="4800"></sla-timer>', lang="ru"))
    page.wait_for_timeout(1200)
    assert page.inner_text(".sla") == "1ч\u202f20м"
    assert page.get_attribute(".sla", "class") == "sla paused"


def test_a_badge_stands_still_from_closing_time_on_and_runs_again_when_the_queue_opens(stage: Stage, page: Any) -> None:
    now = time.time()
    page.goto(stage.page("/", f'<sla-timer due="{int(now) + 500}" window="3600" data-closed="{now + 2} {now + 5} 4800"></sla-timer>'))
    page.wait_for_selector(".sla.warn", timeout=3000)
    page.wait_for_selector(".sla.paused", timeout=4000)
    assert page.inner_text(".sla") == "1h\u202f20m"
    page.wait_for_selector(".sla.warn", timeout=5000)


# ---- keys


def test_j_and_k_walk_the_list_by_key_position_on_a_russian_layout(stage: Stage, page: Any) -> None:
    page.goto(workspace(stage, 7, 8, 9))
    page.evaluate("""() => { window.press = (code, key) => document.body.dispatchEvent(
        new KeyboardEvent('keydown', {code, key, bubbles: true, cancelable: true})) }""")
    page.evaluate("press('KeyJ', 'о')")
    page.wait_for_selector("text=Thread 7")
    page.evaluate("press('KeyJ', 'о')")
    page.wait_for_selector("text=Thread 8")
    page.evaluate("press('KeyK', 'л')")
    page.wait_for_selector("text=Thread 7")
    assert page.get_attribute("#t7 a", "aria-current") == "true"
    assert page.locator("#list a[aria-current]").count() == 1


def test_letters_typed_into_a_field_are_text_and_not_shortcuts(stage: Stage, page: Any) -> None:
    page.goto(stage.page("/", """<input id="q"><button data-key="KeyE" id="solve">Solve</button>
        <p id="said">no</p><form id="f" action="/x"></form>"""))
    page.evaluate("solve.addEventListener('click', () => { said.textContent = 'yes' })")
    page.fill("#q", "")
    page.focus("#q")
    page.keyboard.press("KeyE")
    assert (page.input_value("#q"), page.inner_text("#said")) == ("e", "no")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("KeyE")
    assert page.inner_text("#said") == "yes"


def test_the_question_mark_lists_the_keys_and_switches_them_off(stage: Stage, page: Any) -> None:
    page.goto(stage.page("/", '<button data-key="KeyE" id="solve">Solve <kbd>E</kbd></button>'))
    page.evaluate("solve.addEventListener('click', () => { document.title = 'solved' })")
    page.keyboard.press("Shift+?")
    assert "Solve" in page.inner_text("dialog.keys-help")
    page.uncheck("dialog.keys-help input")
    page.keyboard.press("Escape")
    page.keyboard.press("KeyE")
    assert page.title() == "Page"
    page.keyboard.press("Control+KeyK")  # keys with Ctrl stay
    assert page.is_visible("dialog.palette")


def test_ctrl_enter_sends_the_form_from_inside_its_text(stage: Stage, page: Any) -> None:
    form = '<form method="post" action="/reply"><textarea name="body" id="body"></textarea><button>Send</button></form>'
    page.goto(stage.page("/", form))
    page.fill("#body", "Hello")
    page.press("#body", "Control+Enter")
    within(3, lambda: stage.sent("POST", "/reply") == [{"body": "Hello"}])


# ---- palette


def test_the_palette_finds_a_command_typed_on_the_wrong_layout_and_what_the_server_knows(stage: Stage, page: Any) -> None:
    stage.page("/wallboard", "<h1>There</h1>")
    commands = '[{"name": "Табло", "also": "Wallboard", "key": "KeyG KeyW", "url": "/wallboard"}]'
    page.goto(stage.page("/", f'<script type="application/json" id="commands">{commands}</script>', lang="ru"))
    page.keyboard.press("Control+KeyK")
    page.keyboard.type("nf,kj")
    option = page.locator(".palette li").first
    assert option.inner_text().split() == ["Табло", "G", "W"]
    page.wait_for_selector("text=Ticket about nf,kj")
    page.keyboard.press("Enter")
    page.wait_for_url("**/wallboard")
