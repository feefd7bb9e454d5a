"""Mails that no one here wrote, against what their collectors say must be found in them.

The 53 mails of Zammad carry expectations of a peer's parser; where ours differs, the exception stands below with its reason. The delivery
reports and automatic replies are classified as their file names say, the replies cut as their parser's own tests expect.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpdesk.channels.email.mail import Mail, as_json
from helpdesk.channels.email.parse import parse
from helpdesk.channels.email.quotes import split_text

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "mail"
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the shared mails are not at {DATA}"),
]
PEER = sorted(DATA.glob("zammad/*.box"))
REPORTS = sorted(DATA.glob("bounces/*.eml"))

# Where our body text differs from the peer's, and why ours is right.
BODY_EXCEPTIONS = {
    "mail019": "the peer shows the document's <title>, which no mail program shows",
    "mail021": "the entity &lang; is U+27E8 since HTML 5; the peer gives HTML 4's U+2329, normalised to U+3008",
    "mail047": "the peer shows the document's <title>, which no mail program shows",
    "mail049": "the peer shows the document's <title>, which no mail program shows",
    "mail085": "Apple Mail wrote two HTML documents one after the other; the peer shows the first only, we show both",
    "mail087": "a part without a content type is plain text (RFC 2045, 5.2); the peer hides the customer's words in a file",
    "mail105": "a multipart without any boundary: the peer shows nothing, we show the text that is there",
}
SUBJECT_EXCEPTIONS = {
    "mail027": "an encoded word hides CR and LF; a decoded header never holds them (header injection), otherwise it is equal",
}
ATTACHMENT_EXCEPTIONS = {
    "mail087": "the words that the peer hides in a file called 'file' are the body",
}

REPLIES = {
    "correct_sig": "this is an email with a correct -- signature.",
    "email_1_4": "Awesome! I haven't had another problem with it.",
    "email_1_6": "I get proper rendering as well.\n\nSent from a magnificent torch of pixels",
    "email_1_7": ":+1:",
    "email_2_1": "Outlook with a reply",
    "email_2_2": "Outlook with a reply directly above line",
    "email_2_3": "Outlook with a reply directly above line",
    "email_BlackBerry": "Here is another email",
    "email_iPhone": "Here is another email",
    "email_multi_word_sent_from_my_mobile_device": "Here is another email",
    "email_sent_from_my_not_signature": "Here is another email\n\nSent from my desk, is much easier then my mobile phone.",
    "email_bullets": (
        "test 2 this should list second\n\nand have spaces\n\nand retain this formatting\n\n\n   - how about bullets\n   - and another"
    ),
    "email_1_3": "Oh thanks.\n\nHaving the function would be great.",
}
# Beginning and end of what stays, and a beginning of what folds.
LONG_REPLIES = {
    "email_1_1": ("Hi folks", "I am currently using the Java HTTP API.", "-Abhishek Kona"),
    "email_1_2": ("Hi,\nOn Tue, 2011-03-01", 'delete them all individually."', ">"),
    "email_1_5": ("One: Here's what I've got.", "on and on\nfor a while.", ""),
    "email_1_8": ("On Tue, Apr 29, 2014", "and under this.", ">"),
    "email_long_quote": ("Hi folks", "I am currently using the Java HTTP API.", "-Abhishek Kona"),
    "email_one_is_not_on": ("Thank, this is really helpful.", "when I run...", "On Oct 1, 2012"),
    "email_sig_delimiter_in_middle_of_line": ("Hi there!", "kthxbai", ""),
    "greedy_on": ("On your remote host", "the tunnel is not working.", "On 9 Jan 2014"),
    "pathological": ("I think you're onto something.", "get back to a computer.", "On Dec 8, 2013"),
}


class _Loader(yaml.SafeLoader):
    """Reads the peer's expectations, written by Ruby."""


_Loader.add_constructor("!binary", lambda loader, node: base64.b64decode(loader.construct_scalar(node)))
_Loader.add_multi_constructor(
    "!ruby/",
    lambda loader, _, node: (
        loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else loader.construct_mapping(node, deep=True)
    ),
)


@cache
def expected(path: Path) -> dict[str, Any]:
    """What the peer must find in a mail."""
    with path.with_suffix(".yml").open(encoding="utf-8", errors="surrogateescape") as file:
        found: dict[str, Any] = yaml.load(file, Loader=_Loader)
    return found


@cache
def understood(path: Path) -> Mail:
    return parse(path.read_bytes())


def visible(text: str, *, is_html: bool) -> str:
    """Text without markup and white space."""
    if is_html:
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return re.sub(r"\s+", "", text)


def name(path: Path) -> str:
    return path.stem[:7]


@pytest.mark.parametrize("path", PEER, ids=name)
def test_from_to_cc_subject_and_content_type_are_what_the_peer_finds(path: Path) -> None:
    want, shown = expected(path), as_json(understood(path))
    for key in ("from", "to", "cc"):
        assert shown[key] == want.get(key), key
    if name(path) in SUBJECT_EXCEPTIONS:
        assert shown["subject"] == want["subject"].strip("\r\n") != want["subject"]
    else:
        assert shown["subject"] == want.get("subject")
    assert ("text/html" if shown["body_html"] else "text/plain") == want["content_type"]
    assert understood(path).content_type == want["content_type"]


@pytest.mark.parametrize("path", PEER, ids=name)
def test_attachments_are_the_peers_byte_for_byte(path: Path) -> None:
    files = [
        one for one in expected(path)["attachments"] if not one["preferences"].get("original-format")
    ]  # the body as a file: we keep the raw mail
    data = [one["data"] if isinstance(one["data"], bytes) else one["data"].encode("utf-8", "surrogateescape") for one in files]
    want = {hashlib.md5(one).hexdigest() for one in data}
    ours = {one.md5 for one in understood(path).attachments}
    assert ours <= want
    assert (want - ours == set()) != (name(path) in ATTACHMENT_EXCEPTIONS)


@pytest.mark.parametrize("path", PEER, ids=name)
def test_the_visible_text_is_the_peers(path: Path) -> None:
    want = expected(path)
    text = visible(want["body"], is_html=want["content_type"] == "text/html").replace("novisiblecontent", "")
    ours = visible(understood(path).body_text, is_html=False)
    assert (ours == text) != (name(path) in BODY_EXCEPTIONS), BODY_EXCEPTIONS.get(name(path))
    if understood(path).body_html:
        assert visible(understood(path).body_html, is_html=True) == ours


@pytest.mark.parametrize("number", ["mail019", "mail047", "mail049"])
def test_without_the_title_the_visible_text_is_the_peers_there_too(number: str) -> None:
    path = DATA / "zammad" / f"{number}.box"
    title = re.search(r"(?is)<title>(.*?)</title>", expected(path)["attachments"][0]["data"])
    assert title is not None
    theirs = visible(expected(path)["body"], is_html=True).removeprefix(visible(title[1], is_html=True))
    assert visible(understood(path).body_text, is_html=False) == theirs


def test_every_exception_names_a_mail_that_is_there() -> None:
    assert {*BODY_EXCEPTIONS, *SUBJECT_EXCEPTIONS, *ATTACHMENT_EXCEPTIONS} <= {name(path) for path in PEER}
    assert len(PEER) == 53


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_reports_and_automatic_replies_are_what_their_name_says(path: Path) -> None:
    mail = understood(path)
    assert mail.automatic == {"arf": "feedback_report", "rfc3464": "bounce", "rfc3834": "auto_reply"}[path.stem.partition("-")[0]]
    assert mail.opens_nothing
    if mail.automatic == "bounce":
        assert mail.deliveries
        assert all("@" in one.address for one in mail.deliveries)


@pytest.mark.parametrize(
    ("stem", "action", "failed"),
    [
        ("rfc3464-03", "failed", True),
        ("rfc3464-28", "deliverable", False),
        ("rfc3464-34", "delayed", False),
        ("rfc3464-38", "failed", True),
    ],
)
def test_a_report_of_delay_or_success_is_no_failure(stem: str, action: str, failed: bool) -> None:
    mail = understood(DATA / "bounces" / f"{stem}.eml")
    assert mail.deliveries[0].action == action
    assert bool(mail.failed) is failed


@pytest.mark.parametrize("path", sorted(DATA.glob("replies/*.txt")), ids=lambda path: path.stem)
def test_the_reply_is_what_its_parsers_own_tests_expect(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    began = time.process_time()
    reply, folded = split_text(text)
    assert time.process_time() - began < 0.5
    if path.stem in REPLIES:
        assert reply == REPLIES[path.stem]
    else:
        begins, ends, folds = LONG_REPLIES[path.stem]
        assert reply.startswith(begins)
        assert reply.endswith(ends)
        assert folded.startswith(folds)
    assert re.sub(r"\s", "", reply + folded) == re.sub(r"\s", "", text)
