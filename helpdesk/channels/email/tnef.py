"""winmail.dat (TNEF, MS-OXTNEF): the files that Outlook packs into one attachment nobody else can open.

Called by `bodies`. Reads what people need, attachments and an HTML body, and passes over the rest; bounded, raises NotTnef only.
The public library for this (tnefparse) has not been released for Python above 3.9 and copies the data once per attribute.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = 0x223E9F78
MAX_FILES = 200
MAX_PROPERTIES = 2000

_ATTACH_REND_DATA = 0x00069002
_ATTACH_TITLE = 0x00018010
_ATTACH_DATA = 0x0006800F
_ATTACHMENT = 0x00069005
_MESSAGE_PROPERTIES = 0x00069003
_CODEPAGE = 0x00069007

_LONG_NAME, _NAME, _MIME, _CONTENT_ID, _BINARY, _DISPLAY_NAME = 0x3707, 0x3704, 0x370E, 0x3712, 0x3701, 0x3001
_HTML = 0x1013
_FIXED = {0x0002: 4, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 4, 0x0014: 8, 0x0040: 8, 0x0048: 16}
_STRING8, _UNICODE, _OBJECT, _BLOB = 0x001E, 0x001F, 0x000D, 0x0102


class NotTnef(ValueError):
    """The bytes are no TNEF stream, or break off before anything useful."""


@dataclass(slots=True)
class File:
    """One packed file."""

    name: str = ""
    content_type: str = ""
    content_id: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a stream holds: its files, an HTML body (raw, empty when there is none), and whether it broke off."""

    files: list[File]
    html: bytes
    complete: bool


def read(data: bytes) -> Contents:
    """Unpack a TNEF stream. Raises NotTnef; a stream that breaks off gives what came before the break."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != SIGNATURE:
        raise NotTnef("no TNEF signature")
    files: list[File] = []
    html = b""
    codec = "cp1252"
    complete = True
    try:
        for attribute, value in _attributes(data):
            if attribute == _CODEPAGE and len(value) >= 4:
                codec = _codec(struct.unpack_from("<I", value)[0])
            elif attribute == _ATTACH_REND_DATA:
                if len(files) >= MAX_FILES:
                    complete = False
                    break
                files.append(File())
            elif attribute == _ATTACH_TITLE and files:
                files[-1].name = files[-1].name or value.rstrip(b"\0").decode(codec, "replace")
            elif attribute == _ATTACH_DATA and files:
                files[-1].data = value
            elif attribute == _ATTACHMENT and files:
                _describe(files[-1], value, codec)
            elif attribute == _MESSAGE_PROPERTIES:
                html = next((found for name, _, found in _properties(value) if name == _HTML), html)
    except (struct.error, NotTnef):
        complete = False
    return Contents([file for file in files if file.data or file.name], html, complete)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Level, name, length, value, checksum (MS-OXTNEF 2.1.3): the checksum is not worth refusing a customer's file for."""
    at = 6
    while at + 9 <= len(data):
        _, attribute, length = struct.unpack_from("<BII", data, at)
        at += 9
        if at + length > len(data):
            raise NotTnef("cut short")
        yield attribute, data[at : at + length]
        at += length + 2


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """MAPI properties (MS-OXTNEF 2.1.3.4): id, type and value; of a multi-valued one the first value."""
    (count,) = struct.unpack_from("<I", data)
    at = 4
    for _ in range(min(count, MAX_PROPERTIES)):
        kind, name = struct.unpack_from("<HH", data, at)
        at += 4
        if name >= 0x8000:  # a named property: skip its GUID and its number or name
            (named_by,) = struct.unpack_from("<I", data, at + 16)
            at += 24
            if named_by:
                (length,) = struct.unpack_from("<I", data, at - 4)
                at += _padded(length)
        many = bool(kind & 0x1000)
        kind &= 0x0FFF
        size = _FIXED.get(kind)
        values = 1
        if many or size is None:
            (values,) = struct.unpack_from("<I", data, at)
            at += 4
        first = b""
        for index in range(min(values, MAX_PROPERTIES)):
            length = size
            if length is None:
                (length,) = struct.unpack_from("<I", data, at)
                at += 4
            if at + length > len(data):
                raise NotTnef("cut short")
            if index == 0:
                first = data[at : at + length]
            at += _padded(length)
        yield name, kind, first[16:] if kind == _OBJECT else first


def _describe(file: File, value: bytes, codec: str) -> None:
    for name, kind, found in _properties(value):
        if name == _BINARY and kind in (_OBJECT, _BLOB) and not file.data:
            file.data = found
            continue
        if name not in (_LONG_NAME, _NAME, _DISPLAY_NAME, _MIME, _CONTENT_ID) or kind not in (_STRING8, _UNICODE):
            continue
        text = found.decode("utf-16-le" if kind == _UNICODE else codec, "replace").rstrip("\0")
        if name == _LONG_NAME or (name in (_NAME, _DISPLAY_NAME) and not file.name):
            file.name = text
        elif name == _MIME:
            file.content_type = text
        elif name == _CONTENT_ID:
            file.content_id = text


def _padded(length: int) -> int:
    return length + (-length % 4)


def _codec(codepage: int) -> str:
    return {65001: "utf-8", 20866: "koi8_r", 932: "cp932", 936: "gb18030", 949: "cp949"}.get(
        codepage, f"cp{codepage}" if 1250 <= codepage <= 1258 or codepage in (437, 850, 852, 866, 874) else "cp1252"
    )
