"""GPT-2's tokenizer, read from an llm.c file: a header of 256 int32, then a length byte and the bytes of each token."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compute.errors import TokenizerError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as

from .byte_pairs import BytePairs
from .tokenizer import END_OF_TEXT, HEADER_BYTES, MAGIC, VERSION, Tokenizer


class Gpt2Tokenizer(Tokenizer):
    """GPT-2's byte-pair encoding with the tokens of any file."""

    def __init__(self, name: str, tokens: list[bytes], end_of_text: int) -> None:
        """`tokens[id]` is a token's bytes; ids are BPE merge ranks. `end_of_text` is the id of `<|endoftext|>`."""
        super().__init__(name, tokens, end_of_text, special=frozenset([end_of_text]))
        self._pairs = BytePairs(name, tokens, {END_OF_TEXT: end_of_text})

    def _ids(self, text: str) -> list[int]:
        return self._pairs.encode(text)


def read_gpt2_tokenizer(path: Path) -> Gpt2Tokenizer:
    """Read the llm.c tokenizer file (version 2) at `path`.

    Raises `TokenizerError` when it cannot be read, is truncated or too long, or its tokens cannot encode every text.
    """
    shown = one_line(path)
    advice = "give the path of an llm.c tokenizer file"
    with read_errors_as(TokenizerError, shown, advice), path.open("rb") as file:
        # Read the header first: a file given by mistake may be a model of many gigabytes.
        count, end_of_text = _checked_header(file.read(HEADER_BYTES), shown)
        data = file.read()
    tokens = _tokens(data, count, shown)
    _check_tokens(tokens, end_of_text, shown)
    return Gpt2Tokenizer(path.name, tokens, end_of_text)


def _checked_header(header: bytes, shown: str) -> tuple[int, int]:
    """Number of tokens and the id of `<|endoftext|>`. Raises `TokenizerError`."""
    if len(header) < HEADER_BYTES:
        raise TokenizerError(
            f"{shown}: has {len(header)} bytes, fewer than the {HEADER_BYTES} of the header; fetch or copy it again"
        )
    magic, version, count, end_of_text = (int(number) for number in np.frombuffer(header, "<i4", count=4))
    if magic != MAGIC:
        raise TokenizerError(f"{shown}: is not an llm.c tokenizer (magic {magic}, not {MAGIC}); check the path")
    if version != VERSION:
        raise TokenizerError(f"{shown}: tokenizer version {version} is not supported; use a file of version {VERSION}")
    if not 0 <= end_of_text < count:
        raise TokenizerError(
            f"{shown}: the header gives {count} tokens and puts {END_OF_TEXT} at {end_of_text}, which is impossible;"
            " fetch or copy it again"
        )
    return count, end_of_text


def _tokens(data: bytes, count: int, shown: str) -> list[bytes]:
    """Split `data` into exactly `count` tokens. Raises `TokenizerError`."""
    tokens: list[bytes] = []
    at = 0
    while len(tokens) < count:
        # If the length byte itself is missing, the slice is empty.
        length = data[at] if at < len(data) else 1
        token = data[at + 1 : at + 1 + length]
        if len(token) < length:
            raise TokenizerError(f"{shown}: is truncated after {len(tokens)} of {count} tokens; fetch or copy it again")
        tokens.append(token)
        at += 1 + length
    if at < len(data):
        raise TokenizerError(f"{shown}: has {len(data) - at} extra bytes after {count} tokens; fetch or copy it again")
    return tokens


def _check_tokens(tokens: list[bytes], end_of_text: int, shown: str) -> None:
    """Refuse tokens that BPE cannot use: tiktoken would panic, or never produce some ids."""
    ids: dict[bytes, int] = {}
    for id, token in enumerate(tokens):
        if not token and id != end_of_text:
            raise TokenizerError(f"{shown}: token {id} is empty; use another file")
        if token in ids:
            raise TokenizerError(f"{shown}: tokens {ids[token]} and {id} are identical ({token!r}); use another file")
        ids[token] = id
    missing = [byte for byte in range(256) if ids.get(bytes([byte]), end_of_text) == end_of_text]
    if missing:
        raise TokenizerError(
            f"{shown}: has no token for {len(missing)} of 256 bytes (the first is {missing[0]:#04x}); use another file"
        )
