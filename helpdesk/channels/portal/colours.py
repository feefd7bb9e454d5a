"""A brand's colour made readable: what becomes of one colour on light and dark grounds. Pure; contrast as WCAG 2.2 defines it."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass

#: WCAG 2.2 AA for text (1.4.3).
READABLE = 4.5
#: The grounds that accents stand on as text, from static/css/foundation/tokens.css.
_LIGHT_GROUNDS, _DARK_GROUNDS = ("#ffffff", "#f5f6f8", "#eef0f4"), ("#12151b", "#1a1f28", "#232a35")
_HEX = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class Shades:
    """One theme's colours as #rrggbb: the accent, what is written on it, and the softer grounds that it stands on."""

    accent: str
    ink: str
    soft: str
    chosen: str


@dataclass(frozen=True)
class Scheme:
    """A brand's accent in both themes. `corrected`: in the light theme it had to become darker than it was chosen."""

    light: Shades
    dark: Shades
    corrected: bool


def is_colour(text: str) -> bool:
    """Whether this is a colour as #rrggbb in small letters."""
    return _HEX.fullmatch(text) is not None


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21: WCAG 2.2, "contrast ratio"."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def scheme(accent: str) -> Scheme:
    """The accent, as near to the chosen one as stays readable on every ground of its theme."""
    light = _nearest(accent, _LIGHT_GROUNDS, "#ffffff", 0.1, 0.12, darker=True)
    dark = _nearest(accent, _DARK_GROUNDS, "#12151b", 0.16, 0.22, darker=False)
    return Scheme(light, dark, corrected=light.accent != accent)


def ink_on(ground: str) -> str:
    """Black or white, whichever is read better; one of them always reaches 4.5."""
    return "#ffffff" if contrast("#ffffff", ground) >= contrast("#000000", ground) else "#000000"


def _nearest(accent: str, grounds: tuple[str, ...], base: str, soft: float, chosen: float, *, darker: bool) -> Shades:
    """Step the lightness until text in it is readable on every ground, its own soft ones included."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_rgb(accent))
    found = accent
    for _step in range(101):
        shades = Shades(found, ink_on(found), _mixed(found, base, soft), _mixed(found, base, chosen))
        if all(contrast(found, ground) >= READABLE for ground in (*grounds, shades.soft, shades.chosen)):
            return shades
        lightness = max(0.0, lightness - 0.01) if darker else min(1.0, lightness + 0.01)
        found = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return shades


def _luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> tuple[float, float, float]:
    return int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255


def _hex(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def _mixed(colour: str, base: str, share: float) -> str:
    one, two = _rgb(colour), _rgb(base)
    return _hex((one[0] * share + two[0] * (1 - share), one[1] * share + two[1] * (1 - share), one[2] * share + two[2] * (1 - share)))
