"""Text from outside, made safe to show: nothing in it can steer a terminal or pass for another text."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

# Control characters, invisible format characters such as those that turn the direction of writing around, halves of
# characters, and line separators.
_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # of emoji and of several scripts
_SUSPECTS = re.compile(r"[^ -~]")


def escaped(text: str, keep: str = "") -> str:
    r"""`text` with each harmful character that is not in `keep` spelled as in Python: `\n`, `\x1b`, `\u202e`."""
    if text.isprintable():
        return text

    def spelled(match: re.Match[str]) -> str:
        character = match[0]
        if character in keep or character in _JOINERS or unicodedata.category(character) not in _HARMFUL:
            return character
        return character.encode("unicode_escape").decode("ascii")

    return _SUSPECTS.sub(spelled, text)


def one_line(text: Path | str, longest: int | None = None) -> str:
    """A path, or text of a library or a file, for a message: on one line, without a harmful character.

    longest: characters of `text` that are shown; the rest becomes an ellipsis.
    """
    whole = str(text)
    return escaped(whole if longest is None or len(whole) <= longest else f"{whole[:longest]}...")
