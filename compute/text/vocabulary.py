"""Checks that a Hugging Face folder has GPT-2's tokens; with others, a model of the same size would write nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.untrusted_json import read_untrusted_json

from .tokenizer import load_tokenizer

LARGEST = 2**31 - 1
"""The largest size or id that is accepted, which is the largest that llm.c's files can store."""


def check_vocabulary(folder: Path) -> None:
    """Raise `CheckpointError` if the token ids in `folder`'s tokenizer files differ from GPT-2's.

    Missing and unreadable files are ignored, because models need none of them here. An id that is not a whole number
    is an error.
    """
    ids = _token_ids(folder)
    if not ids:
        return
    tokenizer = load_tokenizer()
    letters = _byte_letters()
    for id in range(tokenizer.vocabulary - 1):  # the last one is end-of-text, which has many names
        text = "".join(letters[byte] for byte in tokenizer.token_bytes(id))
        if ids.get(text) != id:
            raise CheckpointError(
                f"{one_line(folder)}: its tokens are not GPT-2's (the first that differs is {id});"
                " use a model with GPT-2's tokens"
            )


def added_tokens(folder: Path) -> dict[str, int]:
    """Ids of the tokens that the tokenizer files in `folder` add to the vocabulary; empty if there are none.

    Raises `CheckpointError` when an id is not a whole number.
    """
    added: dict[str, int] = {}
    for name, keys in (("added_tokens.json", ()), ("tokenizer.json", ("added_tokens",))):
        value = _json_value(folder / name, keys)
        if isinstance(value, list):
            entries = [entry for entry in value if isinstance(entry, dict) and isinstance(entry.get("content"), str)]
            value = {entry["content"]: entry.get("id") for entry in entries}
        if isinstance(value, dict):
            added |= _checked_ids(value, folder / name)
    return added


def _token_ids(folder: Path) -> dict[str, int]:
    """Ids by token, spelled as in the format, from the first file that contains any."""
    for name, keys in (("vocab.json", ()), ("tokenizer.json", ("model", "vocab"))):
        value = _json_value(folder / name, keys)
        if isinstance(value, dict):
            return _checked_ids(value, folder / name)
    return {}


def _json_value(path: Path, keys: tuple[str, ...]) -> object:
    """The value under the nested `keys` in the JSON file at `path`; None when the file or a key is missing."""
    try:
        value = read_untrusted_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _checked_ids(values: dict[str, object], path: Path) -> dict[str, int]:
    ids: dict[str, int] = {}
    for token, id in values.items():
        if not _is_id(id):
            raise CheckpointError(
                f"{one_line(path)}: the id of {token[:40]!a} is {ascii(id)[:40]}, must be a whole number"
                f" from 0 to {LARGEST}; fetch or copy it again"
            )
        ids[token] = id
    return ids


def _is_id(value: object) -> TypeGuard[int]:
    # Not with msgspec, which takes ten times as long to convert 50,000 single values.
    return type(value) is int and 0 <= value <= LARGEST


def _byte_letters() -> list[str]:
    """The character that represents each byte: itself if printable, else the next one from U+0100 on."""
    letters = []
    others = 0
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            letters.append(chr(byte))
        else:
            letters.append(chr(256 + others))
            others += 1
    return letters
