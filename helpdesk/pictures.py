"""Which files a browser may show in place: raster pictures, told by the bytes they begin with, whatever they are called."""

from __future__ import annotations

_BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}


def kind_of(head: bytes) -> str:
    """The type of a picture by its first 16 bytes; empty for anything else, which is then a download."""
    for kind, beginnings in _BEGINNINGS.items():
        if head.startswith(beginnings):
            return kind
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""
