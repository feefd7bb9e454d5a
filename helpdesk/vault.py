"""Secrets that the desk must be able to read again, such as a mail server's password: stored encrypted, never shown.

The first secret key encrypts, every key decrypts, so keys can be rotated: what is saved again is encrypted anew.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from helpdesk import links
from helpdesk.errors import Unavailable


def seal(secret: str) -> str:
    """The secret as a word that only this desk can open; nothing stays nothing."""
    return _cipher().encrypt(secret.encode()).decode() if secret else ""


def unseal(sealed: str) -> str:
    """What was sealed. Raises Unavailable when it was sealed with a key this desk no longer has."""
    if not sealed:
        return ""
    try:
        return _cipher().decrypt(sealed.encode()).decode()
    except InvalidToken as wrong:
        raise Unavailable("a stored secret was encrypted with a key that is no longer in SECRET_KEYS; enter it again") from wrong


def _cipher() -> MultiFernet:
    # Not the signing key itself: one key, one use.
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"helpdesk.vault." + key.encode()).digest())) for key in links.secret_keys()]
    )
