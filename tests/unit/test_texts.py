"""What the desk says, it says in Russian too: the catalogue is complete and agrees with the texts in code, templates and scripts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import lru_cache
from gettext import c2py
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask import Flask, render_template_string
from flask_babel import Babel, force_locale, gettext, ngettext

import hatch_build
from helpdesk.channels.email.warnings import ENCRYPTED
from helpdesk.tickets.words import kept_words
from helpdesk.translations import api_sentences

ROOT = Path(__file__).resolve().parents[2]
TRANSLATIONS = ROOT / "helpdesk" / "translations"
RUSSIAN = TRANSLATIONS / "ru" / "LC_MESSAGES" / "messages.po"

CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?[#0\- +]*(?:\d+|\*)?(?:\.\d+)?([a-zA-Z%])")
TAG = re.compile(r"</?[a-z][^>]*>")
#: Addresses that two providers give, with their names.
PROVIDERS = re.compile(r"Google: https://\S+ · Microsoft: https://[\S ]+$")
#: Names and words of programs, which are the same in every language.
SAME = {"API", "Markdown.", "OAuth2", "OAuth2 (Google, Microsoft)", "Telegram", "WhatsApp"}


@lru_cache
def catalogue() -> Catalog:
    with RUSSIAN.open("rb") as lines:
        return read_po(lines, locale="ru")


def messages() -> list[Message]:
    return [message for message in catalogue() if message.id]


def source(message: Message) -> tuple[str, ...]:
    return tuple(message.id) if isinstance(message.id, (tuple, list)) else (message.id,)


def russian(message: Message) -> tuple[str, ...]:
    return tuple(message.string or ()) if isinstance(message.id, (tuple, list)) else (str(message.string or ""),)


def wrong(found: Iterable[Any]) -> None:
    """Fail with everything that was found, each on its line."""
    lines = [str(one) for one in found]
    assert not lines, "\n".join(lines)


@lru_cache
def said(folder: str) -> frozenset[tuple[str, ...]]:
    """Every text of a folder, as `make texts` finds it: (singular,) or (singular, plural)."""
    with (ROOT / "babel.cfg").open() as lines:
        methods, options = parse_mapping_cfg(lines)  # type: ignore[no-untyped-call]
    keywords = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "lazy_ngettext": (1, 2)}
    found = (message for _file, _line, message, _comments, _context in extract_from_dir(ROOT / folder, methods, options, keywords))
    return frozenset(message if isinstance(message, tuple) else (message,) for message in found)


def said_anywhere() -> frozenset[tuple[str, ...]]:
    return said("helpdesk") | said("templates")


# --- the catalogue ------------------------------------------------------------------------------------------------------


def test_every_text_of_code_and_templates_stands_in_the_catalogue() -> None:
    known = {one for message in messages() for one in (source(message), source(message)[:1])}
    wrong(sorted(text for text in said_anywhere() if text not in known))


def test_nothing_stands_in_the_catalogue_that_nobody_says() -> None:
    first = {text[0] for text in said_anywhere()}
    wrong(source(message)[0] for message in messages() if source(message)[0] not in first)


def test_every_text_has_its_russian() -> None:
    wrong(source(message)[0] for message in messages() if not all(form.strip() for form in russian(message)) or message.fuzzy)


def test_a_text_with_a_number_has_the_three_russian_forms() -> None:
    assert catalogue().num_plurals == 3
    wrong(source(message)[0] for message in messages() if message.pluralizable and len(russian(message)) != 3)


@pytest.mark.parametrize(("number", "form"), [(1, 0), (2, 1), (4, 1), (5, 2), (11, 2), (12, 2), (21, 0), (22, 1), (111, 2), (0, 2)])
def test_the_catalogue_counts_as_russians_do(number: int, form: int) -> None:
    assert c2py(catalogue().plural_expr)(number) == form


def test_the_russian_has_the_placeholders_of_the_english() -> None:
    def names(text: str) -> set[str | tuple[str, str]]:
        return set(PLACEHOLDER.findall(text))

    wrong(
        f"{source(message)[0]}  →  {form}"
        for message in messages()
        for form in russian(message)
        if names(form) not in [names(text) for text in source(message)]
    )


def test_no_text_of_a_template_has_a_percent_sign_that_is_no_placeholder() -> None:
    """Templates fill in every text, also one without placeholders."""
    first = {text[0] for text in said("templates")}
    shown = [message for message in messages() if source(message)[0] in first]
    wrong(form for message in shown for form in (*source(message), *russian(message)) if "%" in PLACEHOLDER.sub("", form))


def test_no_text_brings_markup() -> None:
    wrong(form for message in messages() for form in (*source(message), *russian(message)) if TAG.search(form))


def test_no_russian_breaks_an_attribute_of_html() -> None:
    """Texts stand in double quotes in templates; what the API's page says stands in elements only."""
    free = set(api_sentences())
    wrong(
        form
        for message in messages()
        for form in russian(message)
        if '"' in form and source(message)[0] not in free and "If-Match" not in form
    )


def test_the_sources_are_english() -> None:
    wrong(text for message in messages() for text in source(message) if CYRILLIC.search(text))


def test_the_russian_is_russian() -> None:
    wrong(
        source(message)[0]
        for message in messages()
        for form in russian(message)
        if not CYRILLIC.search(form) and re.search("[A-Za-z]{2}", PLACEHOLDER.sub("", form))
        if source(message)[0] not in SAME and not PROVIDERS.match(source(message)[0])
    )


def test_the_russian_says_you_politely_and_quotes_as_russians_do() -> None:
    odd = re.compile(r"\b(?:ты|тебя|тебе|твой|твоя|твоё)\b|[“”]|\.\.\.|\s-\s(?!список)", re.IGNORECASE)
    wrong(form for message in messages() for form in russian(message) if odd.search(form))


def test_a_text_ends_in_russian_as_it_ends_in_english() -> None:
    """A sentence stays a sentence, a label a label, and what leads to something else keeps its colon or its dots."""
    wrong(
        f"{source(message)[0]}  →  {form}"
        for message in messages()
        for text, form in zip((source(message)[0], *source(message)[-1:] * 2), russian(message), strict=False)
        if text[-1] in ".?…:" and form[-1:] != text[-1]
    )


# --- what is built from it ----------------------------------------------------------------------------------------------


def test_the_build_makes_the_file_that_pages_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = built(tmp_path, monkeypatch)
    assert made.stat().st_size > 10_000
    before = made.stat().st_mtime_ns
    hatch_build.compile_translations()
    assert made.stat().st_mtime_ns == before, "an unchanged catalogue is not compiled again"


def test_a_page_speaks_russian_where_russian_is_wanted_and_english_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(tmp_path, monkeypatch)
    app = Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(tmp_path / "helpdesk" / "translations")
    Babel(app)
    with app.test_request_context():
        with force_locale("ru"):
            assert render_template_string("<h1>{{ _('Tickets') }}</h1>") == "<h1>Обращения</h1>"
            counted = [ngettext("%(num)s ticket", "%(num)s tickets", number).replace("\u00a0", " ") for number in (1, 3, 11, 21)]
            assert counted == ["1 обращение", "3 обращения", "11 обращений", "21 обращение"]
        with force_locale("en"):
            assert gettext("Tickets") == "Tickets"


def test_a_sentence_kept_in_english_is_read_in_russian_and_a_servers_words_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(tmp_path, monkeypatch)
    app = Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(tmp_path / "helpdesk" / "translations")
    Babel(app)
    with app.test_request_context(), force_locale("ru"):
        assert kept_words(ENCRYPTED).startswith("Письмо зашифровано")
        assert kept_words(ENCRYPTED + "\n550 100% full").endswith("\n550 100% full")
        assert kept_words("550 <b>no</b> such user, 100% sure") == "550 <b>no</b> such user, 100% sure"
        assert kept_words("") == "", "the catalogue's own header is nobody's words"


def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Compile a copy of the catalogue with the build's own step."""
    shutil.copytree(TRANSLATIONS, tmp_path / "helpdesk" / "translations", ignore=shutil.ignore_patterns("*.mo", "__pycache__"))
    monkeypatch.setattr(hatch_build, "ROOT", tmp_path)
    hatch_build.compile_translations()
    return tmp_path / "helpdesk" / "translations" / "ru" / "LC_MESSAGES" / "messages.mo"


# --- what scripts say ---------------------------------------------------------------------------------------------------


def test_scripts_say_each_line_in_both_languages_with_the_same_names() -> None:
    lines = script_texts()
    assert set(lines["en"]) == set(lines["ru"])
    wrong(name for name in lines["en"] if names_in(lines["en"][name]) != names_in(lines["ru"][name]))
    wrong(name for name, line in lines["ru"].items() if not all(CYRILLIC.search(form) for form in forms(line)))
    wrong(name for name, line in lines["en"].items() if any(CYRILLIC.search(form) for form in forms(line)))


def test_a_script_line_with_a_number_has_every_form_that_a_browser_may_choose() -> None:
    lines = script_texts()
    counted = [name for name, line in lines["en"].items() if isinstance(line, dict)]
    assert counted
    wrong(name for name in counted if set(lines["en"][name]) != {"one", "other"} or not set(lines["ru"][name]) >= {"one", "other"})
    wrong(
        name for name in counted if len(set(lines["ru"][name].values())) > 1 and set(lines["ru"][name]) != {"one", "few", "many", "other"}
    )


@lru_cache
def script_texts() -> dict[str, dict[str, Any]]:
    """TEXTS of static/js/lib/texts.js, read by Node, which the build needs as well."""
    module = (ROOT / "helpdesk" / "static" / "js" / "lib" / "texts.js").as_uri()
    home = hatch_build.node_home()
    node = shutil.which("node", path=str(home / "bin") if home else None) or shutil.which("node")
    assert node, "the build's Node was not found"
    program = f"import({json.dumps(module)}).then(m => console.log(JSON.stringify(m.TEXTS)))"
    done = subprocess.run([node, "--input-type=module", "-e", program], capture_output=True, text=True, timeout=60, check=True)
    lines: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return lines


def forms(line: str | dict[str, str]) -> list[str]:
    return [line] if isinstance(line, str) else list(line.values())


def names_in(line: str | dict[str, str]) -> set[str]:
    return {name for form in forms(line) for name in re.findall(r"\{(\w+)\}", form)}


# --- templates ----------------------------------------------------------------------------------------------------------


def test_no_template_says_a_word_of_its_own() -> None:
    """Words between tags and in the attributes that people hear or see come from gettext, so that they can be translated."""
    wrong(f"{path.relative_to(ROOT)}: {words}" for path in sorted((ROOT / "templates").rglob("*.html")) for words in own_words(path))


#: Names of formats and headers, and each language's own name.
NAMES = {
    "API",
    "OpenAPI",
    "Message-ID",
    "SHA-256",
    "English",
    "Русский",
    "Markdown",
    "hd_",
    "Helpdesk",
    "CSV",
    "JSON",
    "ID",
    "vCard",
    "iCalendar",
    "iCal",
    "RFM",
    "NPS",
    "CSAT",
    "CES",
    "Ctrl",
    "UTC",
}


def own_words(path: Path) -> Iterator[str]:
    unsaid = r"\{#.*?#\}|\{% block body(?:class|attrs) %\}.*?\{% endblock %\}|<style>.*?</style>"
    text = re.sub(unsaid, "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "\x01", text, flags=re.DOTALL)
    for attribute in re.findall(r'\s(?:title|placeholder|aria-label|alt|data-confirm|data-command)="([^"]*)"', text):
        yield from own(attribute)
    outside = re.sub(r"<!--.*?-->|<[^<>]*>", "\x01", text, flags=re.DOTALL)
    yield from own(re.sub(r' required\b| [\w-]+="[^"]*"', "", outside))  # what a macro adds inside another's tag


def own(text: str) -> Iterator[str]:
    for word in re.findall(r"[A-Za-zА-Яа-яЁё][\w-]+", re.sub(r"&\w+;", " ", text)):
        if word not in NAMES:
            yield word
