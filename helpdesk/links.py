"""Signed links: what leaves the desk grants exactly one thing, for a while, and can be taken back.

The first secret key signs, every key verifies, so keys can be rotated. A ticket link carries the ticket's `link_epoch`: raising that
revokes all links given so far.
"""

from __future__ import annotations

from typing import Any

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from helpdesk import clock
from helpdesk.errors import Gone

_keys: tuple[str, ...] = ()


def use(keys: tuple[str, ...]) -> None:
    """Bind this process to its keys; called by the factory."""
    global _keys
    _keys = keys


def secret_keys() -> tuple[str, ...]:
    """The secret keys, the newest first; for `helpdesk.vault`."""
    return _keys


def sign(purpose: str, payload: Any) -> str:
    """A link token for `payload` (JSON types), good for `purpose` alone."""
    return str(_serializer(purpose).dumps(payload))


def unsign(purpose: str, token: str, *, valid_days: float) -> Any:
    """What a token stands for. Raises Gone when it was altered, was made for something else or is too old."""
    if not token or len(token) > 1000:
        raise Gone
    try:
        return _serializer(purpose).loads(token, max_age=int(valid_days * 86400))
    except (SignatureExpired, BadSignature, ValueError) as wrong:
        raise Gone from wrong


class _Signer(TimestampSigner):
    """Dates links by the desk's clock, as everything else."""

    def get_timestamp(self) -> int:
        return int(clock.now().timestamp())


def _serializer(purpose: str) -> URLSafeTimedSerializer:
    # itsdangerous signs with the last key of a list and verifies with all.
    return URLSafeTimedSerializer(list(reversed(_keys)), salt=f"helpdesk.{purpose}", signer=_Signer)
