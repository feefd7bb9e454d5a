"""What an agent should know before believing a mail, in plain sentences.

Kept on the message as the catalogue's English source, so that screens say them in the reader's language: `{{ _(warning) }}`. Words that
came with the mail never stand in them.
"""

from __future__ import annotations

import re

from helpdesk.channels.email.mail import Mail
from helpdesk.channels.email.senders import FAILED, Checks

STRANGER = "The sender refers to another ticket but does not take part in it; nothing of that ticket was shown to them."
NUMBER_ONLY = "The mail refers to a ticket of the sender's, but the mail server says that the sender may be forged."
FORGED_MARK = "The mail refers to a ticket with a forged mark."
FORGED_SENDER = "The mail server says that this mail does not come from where it claims (DMARC failed)."
OTHER_NAME = "The sender's name shows another address than the real one."
LOOKALIKE = "The sender's domain mixes look-alike letters of two alphabets."
SEVERAL_SENDERS = "The mail names several senders; only the first was believed."
OTHER_REPLY_TO = "Answers were asked to go to another address. Ours go to the sender's own."
ENCRYPTED = "The mail is encrypted; its text cannot be read here."
UNOPENED = "The mail is signed in a form that hides its text (S/MIME) and could not be opened here; the text is in the attached file."
SAME_ID = "Another mail with the same Message-ID but other content came before."
MANY_PEOPLE = "The mail was sent to very many people; they were not added to the ticket."
COLLEAGUE_UNPROVEN = "The mail claims to come from a colleague, but nothing proves it; it was not treated as theirs."
COLLEAGUE_NOTED = "Written from a colleague's own mail program, without the mark that an answer needs; kept as a note, not sent."
COLLEAGUE_TOO_LATE = "Written from a colleague's own mail program before they saw the newest message; kept as a note, not sent."
BEARS_OUR_NAME = "The sender bears the name of a colleague or of this desk, but writes from another address."
LIKE_OURS = "The sender's domain looks like ours, but is another."
OTHERS_COPIED = "The mail was also sent to people who do not take part in this ticket."
ODD_MAIL = "Parts of this mail could not be read; see the original."

_FAILED = re.compile(r"(?i)\bdmarc\s*=\s*fail\b")
_PROBLEMS = (
    ("the sender's name shows another address", OTHER_NAME),
    ("the sender's domain mixes look-alike", LOOKALIKE),
    ("has more than one From", SEVERAL_SENDERS),
    ("names several senders", SEVERAL_SENDERS),
    ("is signed in a form that hides its text", UNOPENED),
)


def about(mail: Mail, checks: Checks | None = None) -> list[str]:
    """The warnings that a mail deserves by itself.

    An authentication failure is believed whoever reports it, for nobody accuses themselves, unless the inbox's own server has proven the
    sender; a pass counts only through `checks`.
    """
    found: dict[str, None] = {}
    accused = any(_FAILED.search(result) for result in mail.authentication[:5])
    if (checks is not None and checks.verdict == FAILED) or (accused and not (checks is not None and checks.proven)):
        found[FORGED_SENDER] = None
    for begins, sentence in _PROBLEMS:
        if any(problem.startswith(begins) for problem in mail.problems):
            found[sentence] = None
    others = {one.email.lower() for one in mail.reply_to_addresses}
    if others and mail.from_email.lower() not in others and mail.automatic is None:
        found[OTHER_REPLY_TO] = None
    if mail.encrypted:
        found[ENCRYPTED] = None
    return list(found)
