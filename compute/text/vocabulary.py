"""Whether a Hugging Face folder's tokenizer has GPT-2's tokens: another one of the same size would write nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.untrusted_json import read_untrusted_json

from .tokenizer import load_tokenizer

LARGEST = 2**31 - 1
"""The largest size or id that is read: what llm.c's files can hold."""


def check_vocabulary(folder: Path) -> None:
    """Raise `CheckpointError` when the tokenizer files in `folder` give a token's bytes another id than GPT-2 does.

    Files that are not there, or that cannot be read, say nothing: a model needs none of them here. An id that is no
    whole number is an error.
    """
    ids = _token_ids(folder)
    if not ids:
        return
    tokenizer = load_tokenizer()
    letters = _letters()
    for number in range(tokenizer.vocabulary - 1):  # the last is the end of text, which files name in many ways
        text = "".join(letters[byte] for byte in tokenizer.token_bytes(number))
        if ids.get(text) != number:
            raise CheckpointError(
                f"{one_line(folder)}: its tokens are not GPT-2's (the first that differs is {number});"
                " such a model cannot run here, use one with GPT-2's own"
            )


def added_tokens(folder: Path) -> dict[str, int]:
    """Ids of the tokens that the tokenizer files in `folder` add to a vocabulary; empty when they say nothing.

    Raises `CheckpointError` when an id is no whole number.
    """
    added: dict[str, int] = {}
    for name, keys in (("added_tokens.json", ()), ("tokenizer.json", ("added_tokens",))):
        found = _part(folder / name, keys)
        if isinstance(found, list):
            entries = [entry for entry in found if isinstance(entry, dict) and isinstance(entry.get("content"), str)]
            found = {entry["content"]: entry.get("id") for entry in entries}
        if isinstance(found, dict):
            added |= _checked_ids(found, folder / name)
    return added


def _token_ids(folder: Path) -> dict[str, int]:
    """Ids by the format's spelling of a token, from the first file that has them."""
    for name, keys in (("vocab.json", ()), ("tokenizer.json", ("model", "vocab"))):
        found = _part(folder / name, keys)
        if isinstance(found, dict):
            return _checked_ids(found, folder / name)
    return {}


def _part(path: Path, keys: tuple[str, ...]) -> object:
    """What the JSON file at `path` has under `keys`, one inside of the other; None when that is not there."""
    try:
        found = read_untrusted_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _checked_ids(found: dict[str, object], path: Path) -> dict[str, int]:
    ids: dict[str, int] = {}
    for token, number in found.items():
        if not _is_id(number):
            raise CheckpointError(
                f"{one_line(path)}: the id of {token[:40]!a} is {ascii(number)[:40]}, must be a whole number"
                f" from 0 to {LARGEST}; fetch or copy it again"
            )
        ids[token] = number
    return ids


def _is_id(value: object) -> TypeGuard[int]:
    # By hand: fifty thousand conversions by msgspec take ten times as long.
    return type(value) is int and 0 <= value <= LARGEST


def _letters() -> list[str]:
    """The character that stands for each byte: itself where it can be printed, else one from U+0100 on, in order."""
    letters = []
    others = 0
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            letters.append(chr(byte))
        else:
            letters.append(chr(256 + others))
            others += 1
    return letters
