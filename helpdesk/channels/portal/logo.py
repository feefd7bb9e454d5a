"""A logo somebody uploaded, made harmless: decoded, made small and written anew as PNG, so that nothing but its points survives."""

from __future__ import annotations

import io
import warnings

from flask_babel import gettext as _

from helpdesk.errors import Invalid

LARGEST_BYTES = 4 * 2**20
MOST_POINTS = 20_000_000
#: Twice what the page shows, for fine screens.
BOX = (480, 96)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def made_anew(content: bytes) -> bytes:
    """The picture as a PNG of at most 480 by 96 points. Raises Invalid, for the field `logo`, for what is none or too large."""
    from PIL import Image, UnidentifiedImageError  # here, because few processes ever see a logo

    if len(content) > LARGEST_BYTES:
        raise _refused(_("This picture is larger than %(n)s MB.", n=LARGEST_BYTES // 2**20))
    head = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<?xml", b"<svg", b"<!doctype")) or b"<svg" in head:
        raise _refused(_("SVG pictures can carry programs, so they are not taken. Please save it as PNG."))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_POINTS:
                    raise _refused(_("This picture has too many points. Please make it smaller."))
                small = picture.convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, ValueError, SyntaxError):
        raise _refused(_("This is no picture that we can read. Please choose a PNG, JPEG, WebP or GIF.")) from None
    small.thumbnail(BOX)
    written = io.BytesIO()
    small.save(written, "PNG", optimize=True)
    return written.getvalue()


def _refused(words: str) -> Invalid:
    return Invalid(fields={"logo": words})
