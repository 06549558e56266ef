"""Text as it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable

# What Python calls printable, until there are fonts to ask.
_has_glyph: Callable[[str], bool] = str.isprintable
_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A backslash that begins the hex of a byte stays single: a token has either signs or letters, so no token's own text
# looks like that.
_SPECIAL = re.compile(r"\\(?!x[0-9a-f]{2})|[^ !#-~]")


def use_glyphs(has_glyph: Callable[[str], bool]) -> None:
    """From now on, characters for which `has_glyph` is false are spelled out."""
    global _has_glyph
    _has_glyph = has_glyph


_SMALL = 0.01  # percent


def quoted(text: str) -> str:
    """`text` in double quotes as one line. Line ends and quotes are spelled as in JSON; what cannot be seen, and what
    the fonts have no glyph for, as the hex of its UTF-8 bytes: `\\xe4\\xbd\\xa0`."""
    return f'"{_SPECIAL.sub(_spelled, text)}"'


def _spelled(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable() and _has_glyph(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def percent(share: float) -> str:
    """A probability, 0 to 1, in percent, always as wide; too small for three decimals it is written as 1.2e-05."""
    value = 100 * share
    if value == 0:
        return f"{0:7d} %"
    return f"{value:7.1e} %" if 0 < value < _SMALL else f"{value:7.3f} %"
