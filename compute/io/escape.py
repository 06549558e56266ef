"""Escaping of untrusted text, so that it can neither control a terminal nor be mistaken for other text."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

# Control characters, invisible format characters (some reverse the text direction), surrogates, and line and paragraph
# separators.
_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # needed by emoji and several scripts
_SUSPECTS = re.compile(r"[^ -~]")


def escaped(text: str, keep: str = "") -> str:
    r"""`text` with each harmful character that is not in `keep` written as a Python escape: `\n`, `\x1b`, `\u202e`."""
    if text.isprintable():
        return text

    def escape(match: re.Match[str]) -> str:
        character = match[0]
        if character in keep or character in _JOINERS or unicodedata.category(character) not in _HARMFUL:
            return character
        return character.encode("unicode_escape").decode("ascii")

    return _SUSPECTS.sub(escape, text)


def one_line(text: Path | str, longest: int | None = None) -> str:
    """A path, or text from a library or file, as one line without harmful characters, for a message.

    longest: maximum number of characters shown; an ellipsis replaces the rest.
    """
    whole = str(text)
    return escaped(whole if longest is None or len(whole) <= longest else f"{whole[:longest]}...")
