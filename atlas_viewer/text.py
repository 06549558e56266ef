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
