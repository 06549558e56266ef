"""How text and probabilities are shown."""

from __future__ import annotations

import re
from collections.abc import Callable

# Until fonts are loaded, Python's definition of printable decides.
_has_glyph: Callable[[str], bool] = str.isprintable
_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A backslash before a byte's hex digits is not doubled. No token's own text looks like that, because a token has either
# punctuation or letters.
_SPECIAL = re.compile(r"\\(?!x[0-9a-f]{2})|[^ !#-~]")


def use_glyphs(has_glyph: Callable[[str], bool]) -> None:
    """From now on, escape characters for which `has_glyph` is false."""
    global _has_glyph
    _has_glyph = has_glyph


_SMALL = 0.01  # percent


def quoted(text: str) -> str:
    """`text` in double quotes on one line. Line breaks and quotes are escaped as in JSON. Invisible characters, and
    those without a glyph, are shown as the hex of their UTF-8 bytes: `\\xe4\\xbd\\xa0`."""
    return f'"{_SPECIAL.sub(_spelled, text)}"'


def _spelled(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable() and _has_glyph(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def counted(count: int, what: str) -> str:
    """A number and the noun that it counts: "1 step", "2 steps"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def percent(share: float) -> str:
    """A probability, 0 to 1, in percent with a constant width; 1.2e-05 if too small for three decimals."""
    value = 100 * share
    if value == 0:
        return f"{0:7d} %"
    return f"{value:7.1e} %" if 0 < value < _SMALL else f"{value:7.3f} %"
