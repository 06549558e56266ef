"""llm.c tokenizer files, and text that such a tokenizer encodes and decodes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from compute.errors import PromptError, TokenizerError
from compute.text.tokenizer import END_OF_TEXT, HEADER_BYTES, MAGIC, VERSION, load_tokenizer

from ..mutation import change_bytes
from ..scratch import folder
from ..sections import change_sections, joined, parted
from ..target import Target, may_refuse

_FILE, _TEXT = "tokenizer.bin", "text"
_PIECES = (
    " ", "\n", "\t", "\u3000", "a", "A", "é", "日", "😀", "'", "'s", "'ll", "1", "٣", "!", "\0", "\ud800", END_OF_TEXT,
    "<|", "th", "the", "\u200d", "\u0301", "\r\n", "ﬁ", "\U0010ffff",
)  # fmt: skip


def seeds() -> Sequence[bytes]:
    """The 256 bytes and some merges, with the end-of-text token last and first."""
    tokens = [bytes([byte]) for byte in range(256)] + [b"th", b"he", b"the", b" the", b"\n\n"]
    end = END_OF_TEXT.encode()
    text = f"Once upon the time, they're 12 \n\n the{END_OF_TEXT}é日😀'".encode()
    return [
        joined({_FILE: _file([*tokens, end], len(tokens)), _TEXT: text}),
        joined({_FILE: _file([b"", *tokens], 0), _TEXT: b"   " * 50}),
    ]


def _file(tokens: list[bytes], end_of_text: int) -> bytes:
    header = np.zeros(HEADER_BYTES // 4, "<i4")
    header[:4] = MAGIC, VERSION, len(tokens), end_of_text
    return header.tobytes() + b"".join(bytes([len(token)]) + token for token in tokens)


def use(data: bytes) -> None:
    """Encode text with the file's tokenizer."""
    files = parted(data)
    text = files.get(_TEXT, b"").decode("utf-8", "surrogateescape")  # as Python reads the command line
    path = folder() / _FILE
    path.write_bytes(files.get(_FILE, b""))
    with may_refuse(TokenizerError):
        tokenizer = load_tokenizer(path)
    with may_refuse(PromptError):
        ids = tokenizer.encode(text)
    assert all(0 <= id < tokenizer.vocabulary for id in ids)
    if text and END_OF_TEXT not in text:  # which another file may spell in another way
        assert b"".join(map(tokenizer.token_bytes, ids)).decode() == text
    for words in (text, text[:1], "1" * len(text)):
        tokenizer.find(words)
    for id in range(min(tokenizer.vocabulary, 300)):
        tokenizer.token_text(id).encode()
        tokenizer.token_label(id).encode()


def _change_file(data: bytes, chance: random.Random) -> bytes:
    """Change the header or the tokens, mostly keeping lengths."""
    if chance.random() < 0.2:
        return change_bytes(data[:16], chance)[:16].ljust(16, b"\0") + data[16:]
    if len(data) <= HEADER_BYTES or chance.random() < 0.2:
        return change_bytes(data, chance)
    # One token becomes another of the same length, or swaps its length with what follows.
    changed = bytearray(data)
    at = chance.randrange(HEADER_BYTES, len(changed))
    changed[at] = chance.choice((changed[at] ^ 1, chance.randrange(256), changed[chance.randrange(len(changed))]))
    return bytes(changed)


def _change_text(data: bytes, chance: random.Random) -> bytes:
    piece = chance.choice(_PIECES).encode("utf-8", "surrogatepass") * chance.choice((1, 1, 2, 3, 100))
    at = chance.randrange(len(data) + 1)
    return change_bytes(data, chance) if chance.random() < 0.2 else data[:at] + piece + data[at:]


_CHANGES: dict[str, Any] = {_FILE: _change_file, _TEXT: _change_text}

TARGET = Target(use, seeds, change_sections(_CHANGES), runs=400)
