"""What the page's scripts do for somebody who writes: drafts, files, questions before deeds, replies that wait for their hour."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.stage import Stage, within

pytestmark = pytest.mark.browser


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
