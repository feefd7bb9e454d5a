"""What lies in an S/MIME seal (RFC 8551): whether it is signed or encrypted, and the mail inside an opaque signature.

Reads CMS's outer layers (RFC 5652, 5.1), in DER or in BER as programs that write while they sign make it, just as far as the content.
Nothing is verified: who signed, and whether it fits, is not looked at. Linear; called by `bodies`.
"""

from __future__ import annotations

_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENCRYPTED = (bytes.fromhex("2a864886f70d010703"), bytes.fromhex("2a864886f70d0109100117"))  # enveloped, authEnveloped
_DATA = bytes.fromhex("2a864886f70d010701")
_SEQUENCE, _OID, _OCTETS, _OCTETS_IN_PIECES, _INSIDE = 0x30, 0x06, 0x04, 0x24, 0xA0


class NotOpened(ValueError):
    """These bytes are no signature that holds a mail; or they break off, or are written in a way that nobody should."""


def is_encrypted(data: bytes, said: str) -> bool:
    """Whether a seal hides its text from everybody without the key. The bytes know better than `said`, the smime-type."""
    try:
        return _oid(data, _into(data, 0, _SEQUENCE))[1] in _ENCRYPTED
    except NotOpened:
        return "signed" not in said.lower() and "certs" not in said.lower()


def signed_content(data: bytes) -> bytes:
    """The mail (header lines of its own, and a body) that was signed. Raises NotOpened."""
    at, kind = _oid(data, _into(data, 0, _SEQUENCE))
    if kind != _SIGNED:
        raise NotOpened("not signed data")
    at = _into(data, _into(data, at, _INSIDE), _SEQUENCE)
    at = _after(data, at)  # its version
    at = _after(data, at)  # the digests' names
    at, kind = _oid(data, _into(data, at, _SEQUENCE))
    if kind != _DATA:
        raise NotOpened("what was signed is no mail")
    return _octets(data, _into(data, at, _INSIDE))


def _head(data: bytes, at: int) -> tuple[int, int | None, int]:
    """(tag, length, where the content begins) of the value at a place; no length where the value says where it ends (X.690, 8.1.3.6)."""
    if at + 2 > len(data):
        raise NotOpened("breaks off")
    tag, first, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise NotOpened("a tag that CMS does not know")
    if first == 0x80:
        return tag, None, start
    length = first
    if first > 0x80:
        start += first - 0x80
        length = int.from_bytes(data[at + 2 : start])
    if start + length > len(data):
        raise NotOpened("breaks off")
    return tag, length, start


def _into(data: bytes, at: int, tag: int) -> int:
    """Where the content of the value at a place begins, which must have this tag."""
    found, _length, start = _head(data, at)
    if found != tag:
        raise NotOpened("something else in its place")
    return start


def _oid(data: bytes, at: int) -> tuple[int, bytes]:
    """(where what follows begins, the bytes of the name at a place)."""
    tag, length, start = _head(data, at)
    if tag != _OID or length is None:
        raise NotOpened("something else in its place")
    return start + length, data[start : start + length]


def _after(data: bytes, at: int) -> int:
    """Where the value at a place ends."""
    open_ = 0
    while True:
        tag, length, start = _head(data, at)
        if length is None:
            open_, at = open_ + 1, start
        else:
            open_, at = open_ - (tag == 0 and length == 0), start + length
        if open_ <= 0:
            return at


def _octets(data: bytes, at: int) -> bytes:
    """The bytes of an octet string, whole or in pieces."""
    tag, length, start = _head(data, at)
    if tag == _OCTETS and length is not None:
        return data[start : start + length]
    if tag != _OCTETS_IN_PIECES:
        raise NotOpened("something else in its place")
    end, at, pieces = None if length is None else start + length, start, list[bytes]()
    while at != end:
        tag, length, start = _head(data, at)
        if end is None and (tag, length) == (0, 0):
            break
        if tag != _OCTETS or length is None:
            raise NotOpened("pieces in pieces")
        pieces.append(data[start : start + length])
        at = start + length
        if end is not None and at > end:
            raise NotOpened("breaks off")
    return b"".join(pieces)
