"""What the page's scripts do, in a real browser under the desk's own content security policy.

The pages are small and made here, so that each behaviour is seen alone; the server is Flask and Socket.IO on a free port.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, request
from flask_socketio import SocketIO, join_room
from werkzeug.serving import make_server

import hatch_build
from helpdesk.app import CSP
from tests.servers import free_port

pytestmark = pytest.mark.browser

SHELL = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Page</title>
<meta name="csrf-token" content="token"><link rel="stylesheet" href="/static/{css}"><script type="module" src="/static/{js}"></script>
<link rel="icon" href="data:,"></head><body data-now="{now}" {body}>{content}<div id="toasts" role="status"></div>
<div id="offers"></div><cmd-palette data-search-url="/find"></cmd-palette></body></html>"""

ROW = '<li id="t{id}" class="row-t" data-sort="{sort}"><label class="pick"><input type="checkbox" value="{id}"></label>' \
      '<a href="/inbox/{id}" hx-get="/inbox/{id}" hx-target="#main" hx-sync="#main:replace" data-id="{id}">{words}</a></li>'  # fmt: skip


class Stage:
    """The server behind the pages: what it shows, what it heard, and what it pushes."""

    def __init__(self) -> None:
        self.port = free_port()
        self.pages: dict[str, str] = {}
        self.heard: list[tuple[str, str, dict[str, str]]] = []
        self.watched: list[str] = []
        self.refused = False
        self.sockets_refused = False
        self.app = Flask("stage", static_folder=str(hatch_build.DIST), static_url_path="/static")
        self.socketio = SocketIO(self.app, async_mode="threading", cors_allowed_origins="*")
        self.app.after_request(self._policy)
        self.app.add_url_rule("/", "any", self._answer, defaults={"path": ""}, methods=["GET", "POST", "PUT"])
        self.app.add_url_rule("/<path:path>", "any", self._answer, methods=["GET", "POST", "PUT"])
        self.socketio.on_event("connect", lambda *_: not self.sockets_refused)
        self.socketio.on_event("watch", self._watch)
        self.socketio.on_event("alive", lambda *_: {"ok": True, "now": time.time()})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _policy(self, response: Any) -> Any:
        response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in CSP.items())
        return response

    def _answer(self, path: str) -> Any:
        if request.method != "GET":
            self.heard.append((request.method, "/" + path, request.form.to_dict()))
            return ("", 503) if self.refused else self.pages.get(f"{request.method} /{path}", "")
        if path == "favicon.ico":  # asked for by itself, for pages that name no icon
            return ("", 204)
        if path == "find":
            return [{"name": f"Ticket about {request.args['q']}", "kind": "ticket", "url": "/inbox/7"}]
        return self.pages.get("/" + path, ("nothing here", 404))

    def _watch(self, message: dict[str, str]) -> dict[str, bool]:
        if message["room"] == "secret":
            return {"ok": False}
        join_room(message["room"])
        self.watched.append(message["room"])
        return {"ok": True}

    def page(self, path: str, content: str, *, body: str = "", lang: str = "en") -> str:
        """Put a whole page at `path`; the answer is its address."""
        names = hatch_build.json.loads((hatch_build.DIST / "manifest.json").read_text())
        self.pages[path] = SHELL.format(
            lang=lang, css=names["app.css"], js=names["app.js"], now=time.time(), body=body, content=content
        )
        return self.url + path

    def push(self, name: str, rev: int, room: str = "queue:1", **payload: Any) -> None:
        self.socketio.emit(name, {"room": room, "src": "s", "rev": rev, **payload}, to=room)

    def sent(self, method: str, path: str) -> list[dict[str, str]]:
        return [form for how, where, form in self.heard if (how, where) == (method, path)]


@pytest.fixture
def stage() -> Iterator[Stage]:
    hatch_build.build()
    made = Stage()
    server = make_server("127.0.0.1", made.port, made.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join(5)


@pytest.fixture(autouse=True)
def no_complaints(page_errors: Callable[[], list[str]]) -> Iterator[None]:
    """No test here may make the console complain: neither a script error nor a refusal by the policy."""
    yield
    assert [line for line in page_errors() if "503" not in line and "WebSocket" not in line] == []


def within(seconds: float, what: Callable[[], Any]) -> Any:
    """Wait until `what()` is true and give it back; fails with its last value."""
    deadline = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.03)
    assert found
    return found


def rows(*ids: int) -> str:
    return "".join(ROW.format(id=id, sort=position, words=f"Ticket {id}") for position, id in enumerate(ids, start=1))


def workspace(stage: Stage, *ids: int, body: str = "") -> str:
    for id in ids:
        stage.pages[f"/inbox/{id}"] = f'<div id="thread" class="thread" data-ticket="{id}" data-version="1">Thread {id}</div>'
    stage.pages["/list"] = f'<ul class="list" id="list" data-refresh="/list">{rows(*ids)}</ul>'
    content = f'<main class="panes"><section class="pane-list">{stage.pages["/list"]}</section><section id="main"></section></main>'
    return stage.page("/", content, body=f'class="ws" {body}')


def live_workspace(stage: Stage, page: Any, *ids: int, body: str = "") -> None:
    page.goto(workspace(stage, *ids, body=f"""data-live="1" data-rooms='["queue:1"]' data-list="queue:1" {body}"""))
    within(5, lambda: "queue:1" in stage.watched)
    page.wait_for_timeout(300)  # the first catching up


def order(page: Any) -> list[str]:
    return page.eval_on_selector_all("#list li", "rows => rows.map((row) => row.id)")


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


# ---- drafts and forms


DRAFT = """<form data-draft data-draft-url="/draft" data-draft-at="0" method="post" action="/reply" {hx}>
    <textarea name="body" id="body">{text}</textarea><span data-draft-state></span><button type="submit">Send</button></form>"""


def test_a_draft_is_on_the_server_within_two_seconds_even_while_somebody_keeps_typing(stage: Stage, page: Any) -> None:
    page.goto(stage.page("/", DRAFT.format(hx="", text="")))
    begun = time.monotonic()
    page.focus("#body")
    while not stage.sent("PUT", "/draft") and time.monotonic() - begun < 5:
        page.keyboard.type("a")
        page.wait_for_timeout(150)
    assert time.monotonic() - begun < 2.5
    page.wait_for_selector("text=Draft saved")


def test_a_draft_that_could_not_be_saved_comes_back_when_the_page_does(stage: Stage, page: Any) -> None:
    stage.refused = True
    url = stage.page("/", DRAFT.format(hx="", text=""))
    page.goto(url)
    page.fill("#body", "Half a thought")
    page.wait_for_selector("text=Draft kept in this browser")
    stage.refused = False
    page.goto(url)
    assert page.input_value("#body") == "Half a thought"
    within(3, lambda: {"body": "Half a thought"} in stage.sent("PUT", "/draft"))


def test_a_draft_does_not_come_back_after_it_was_sent(stage: Stage, page: Any) -> None:
    stage.pages["POST /reply"] = '<p id="done">Sent</p>'
    url = stage.page("/", DRAFT.format(hx='hx-post="/reply" hx-swap="afterend"', text=""))
    page.goto(url)
    page.fill("#body", "Done deal")
    page.click("text=Send")
    page.wait_for_selector("#done")
    page.goto(url)
    page.wait_for_timeout(200)
    assert page.input_value("#body") == ""


def test_a_failed_send_keeps_the_text_and_says_so(stage: Stage, page: Any) -> None:
    page.goto(stage.page("/", DRAFT.format(hx='hx-post="/reply" hx-target="body"', text="")))
    page.fill("#body", "Precious")
    stage.refused = True
    page.click("text=Send")
    page.wait_for_selector(".toast.bad")
    assert page.input_value("#body") == "Precious"


def test_a_question_is_asked_before_and_no_means_no(stage: Stage, page: Any) -> None:
    page.goto(stage.page("/", '<form method="post" action="/gone" data-confirm="Delete the queue?"><button>Delete</button></form>'))
    page.click("text=Delete")
    page.click("dialog >> text=Cancel")
    page.wait_for_timeout(100)
    assert stage.heard == []
    page.click("text=Delete")
    page.click("dialog >> text=Yes, do it")
    within(3, lambda: stage.sent("POST", "/gone"))


def test_a_pasted_file_joins_the_form_and_can_be_taken_out(stage: Stage, page: Any) -> None:
    page.goto(stage.page("/", """<form method="post" enctype="multipart/form-data"><textarea id="body"></textarea>
        <input type="file" name="files" multiple data-drop data-limit-mb="1"><ul class="files" data-files></ul></form>"""))
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(['hello'], 'screen.png', {type: 'image/png'}));
        data.items.add(new File([new ArrayBuffer(2 ** 21)], 'huge.bin'));
        document.getElementById('body').dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
    }""")
    assert "screen.png" in page.inner_text(".files")
    assert "huge.bin is larger than 1 MB" in page.inner_text("#toasts")
    assert page.evaluate("document.querySelector('[type=file]').files.length") == 1
    page.click(".files button")
    assert page.evaluate("document.querySelector('[type=file]').files.length") == 0


def test_undo_in_a_toast_posts_once_and_puts_the_answer_back(stage: Stage, page: Any) -> None:
    stage.pages["POST /messages/9/undo"] = '<form id="composer"><textarea>My draft</textarea></form>'
    page.goto(stage.page("/", '<form id="composer"></form>'))
    toast = "{text: 'Sent', undo: '/messages/9/undo', target: '#composer'}"
    page.evaluate(f"document.dispatchEvent(new CustomEvent('toast', {{detail: {toast}}}))")
    page.click("text=Undo")
    page.wait_for_selector("#composer textarea")
    assert page.input_value("#composer textarea") == "My draft"
    assert len(stage.sent("POST", "/messages/9/undo")) == 1


# ---- replies that wait for their hour


WAITING = """<details class="fold"><summary>Change</summary>
    <form data-typed="scheduled 5" data-ticket="3" hx-post="/scheduled/5" hx-target="#main">
    <textarea name="body" id="s5-body">{text}</textarea>
    <input name="later_at" id="s5-at" value="2026-03-03T09:00"><button>Save</button></form></details>"""


def conversation(stage: Stage, waiting: str, *, drawn: int = 100, composed: str = "") -> str:
    """Ticket 3 with what waits below its thread, and a composer that was drawn at `drawn`."""
    thread = f'<div id="thread" class="thread" data-ticket="3" data-version="1" data-room="ticket:3" data-refresh="/thread">{waiting}</div>'
    composer = f'<form id="composer" data-drawn="{drawn}"><textarea id="body" name="body">{composed}</textarea></form>'
    stage.pages["/thread"] = thread
    other = '<button hx-get="/thread" hx-target="#main" hx-swap="innerHTML">Another deed</button>'
    return stage.page("/", f'<section id="main">{thread}{composer}</section>{other}', body="""data-live="1" data-rooms='["ticket:3"]'""")


def opened_for_change(stage: Stage, page: Any, **options: Any) -> None:
    page.goto(conversation(stage, WAITING.format(text="Tomorrow then."), **options))
    within(5, lambda: "ticket:3" in stage.watched)
    page.wait_for_timeout(300)  # the first catching up
    page.click("summary")
    page.fill("#s5-body", "Tomorrow at noon.")
    page.focus("#composer textarea")


def redrawn(stage: Stage, waiting: str, version: int) -> None:
    was = stage.pages["/thread"]
    stage.pages["/thread"] = (
        was[: was.index(">") + 1].replace('version="1"', f'version="{version}"') + f"<p>News {version}</p>{waiting}</div>"
    )
    stage.push("ticket", version, room="ticket:3", id=3, version=version)


def test_what_is_typed_into_a_waiting_reply_stays_when_the_thread_is_drawn_anew(stage: Stage, page: Any) -> None:
    opened_for_change(stage, page)
    redrawn(stage, WAITING.format(text="Tomorrow then."), 2)
    page.wait_for_selector("text=News 2")
    assert page.input_value("#s5-body") == "Tomorrow at noon."
    redrawn(stage, WAITING.format(text="Changed in another window."), 3)
    page.wait_for_selector("text=News 3")
    assert page.input_value("#s5-body") == "Tomorrow at noon." and page.is_visible("#s5-body")
    assert page.input_value("#body") == "" and page.input_value("#s5-at") == "2026-03-03T09:00"


def test_what_is_typed_stays_when_another_deed_draws_everything_and_goes_once_it_was_saved(stage: Stage, page: Any) -> None:
    opened_for_change(stage, page)
    page.click("text=Another deed")
    page.wait_for_selector("#composer", state="detached")
    assert page.input_value("#s5-body") == "Tomorrow at noon."
    stage.pages["POST /scheduled/5"] = WAITING.format(text="Tomorrow at noon, sharp.")
    page.click("text=Save")
    within(3, lambda: page.input_value("#s5-body") == "Tomorrow at noon, sharp.")
    assert stage.sent("POST", "/scheduled/5") == [{"body": "Tomorrow at noon.", "later_at": "2026-03-03T09:00"}]


def test_when_a_waiting_reply_leaves_while_it_is_changed_what_was_typed_goes_to_the_composer(stage: Stage, page: Any) -> None:
    opened_for_change(stage, page, composed="Begun")
    redrawn(stage, "", 2)
    page.wait_for_selector("text=News 2")
    within(3, lambda: page.input_value("#body") == "Begun\n\nTomorrow at noon.")
    assert "Its words are in the composer" in page.inner_text("#toasts")
    redrawn(stage, "", 3)
    page.wait_for_selector("text=News 3")
    assert page.input_value("#body") == "Begun\n\nTomorrow at noon."


@pytest.mark.parametrize(("drawn", "words"), [(100, "Mine\n\nCame <b>back</b>"), (300, "Mine")])
def test_a_reply_that_came_back_is_in_a_composer_that_stood_open_and_not_in_one_that_was_drawn_since(
    stage: Stage, page: Any, drawn: int, words: str
) -> None:
    opened_for_change(stage, page, drawn=drawn)
    page.fill("#s5-body", "Tomorrow then.")  # as it was: nothing typed
    page.fill("#body", "Mine")
    for version in (2, 3):
        redrawn(stage, '<template id="returned-5" data-returned="5" data-at="200">Came &lt;b&gt;back&lt;/b&gt;</template>', version)
        page.wait_for_selector(f"text=News {version}")
    page.wait_for_timeout(100)
    assert page.input_value("#body") == words


# ---- live


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
