"""Whether a Hugging Face folder's tokenizer has GPT-2's tokens: another one of the same size would write nonsense."""

from __future__ import annotations

from pathlib import Path

from .errors import CheckpointError
from .foreign_json import read_foreign_json
from .llmc import one_line
from .tokenizer import load_tokenizer


def check_vocabulary(folder: Path) -> None:
    """Raise `CheckpointError` when the tokenizer files in `folder` give a token's bytes another id than GPT-2 does.

    Files that are not there, or that cannot be read, say nothing: a model needs none of them here.
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


def _token_ids(folder: Path) -> dict[str, int]:
    """Ids by the format's spelling of a token, from the first file that has them."""
    for name, path in (("vocab.json", ()), ("tokenizer.json", ("model", "vocab"))):
        try:
            told = read_foreign_json((folder / name).read_bytes())
            for key in path:
                told = told[key]
            if isinstance(told, dict):
                return told
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return {}


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
