"""GPT-2's tokenizer from an llm.c file: 256 int32 of header, then for every token a length byte and its bytes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from assets import TOKENIZER
from compute.errors import PromptError, TokenizerError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as

from .byte_pairs import BytePairs

MAGIC = 20240328
VERSION = 2
HEADER_BYTES = 1024
END_OF_TEXT = "<|endoftext|>"
_NUMBER = re.compile("[0-9]{1,10}")  # of a token; Python refuses to convert thousands of digits


class Tokenizer:
    """Text to token ids and back."""

    def __init__(self, name: str, tokens: list[bytes], end_of_text: int) -> None:
        """`tokens[id]` are a token's bytes; ids are BPE merge ranks. `end_of_text` is the id of `<|endoftext|>`."""
        self.name = name
        self.vocabulary = len(tokens)
        self.end_of_text = end_of_text
        self._tokens = tokens
        ranks = {token: id for id, token in enumerate(tokens) if id != end_of_text}
        self._pairs = BytePairs(name, ranks, {END_OF_TEXT: end_of_text})

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; no text at all is one `<|endoftext|>`, and so is every `<|endoftext|>` in it.

        Everything that is encoded goes through here. Takes valid text of any length. Raises `PromptError` when `text`
        has lone surrogates, which is what Python makes of bytes that are not UTF-8.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            # tiktoken would put a replacement character there and say nothing.
            raise PromptError(
                f"prompt: character {error.start + 1} (U+{ord(text[error.start]):04X}) is no valid text;"
                " give the prompt as UTF-8"
            ) from None
        return self._pairs.encode(text) or [self.end_of_text]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`; bytes that are not UTF-8 become U+FFFD. Raises IndexError when an id is no token."""
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def token_text(self, id: int) -> str:
        """Text of one token for display; parts of characters become U+FFFD. Raises IndexError when it is no token."""
        return self.token_bytes(id).decode(errors="replace")

    def token_label(self, id: int) -> str:
        """Text of one token to tell it by: parts of characters are spelled as hex, `\\xe4\\xbd`.

        Raises IndexError when it is no token.
        """
        return self.token_bytes(id).decode(errors="backslashreplace")

    def token_bytes(self, id: int) -> bytes:
        """Bytes of one token, in part of a character perhaps. Raises IndexError when it is no token."""
        if not 0 <= id < self.vocabulary:
            raise IndexError(f"token {id}: must be from 0 to {self.vocabulary - 1}")
        return self._tokens[id]

    def find(self, words: str, most: int = 200) -> list[tuple[int, str]]:
        """Tokens (number, label) for a search: the one of that number, then those whose text is `words`, begins with
        it, has it inside, leading spaces and case left aside; at most `most`."""
        wanted = words.strip().lower()
        if not wanted:
            return []
        found = [int(wanted)] if _NUMBER.fullmatch(wanted) and int(wanted) < self.vocabulary else []
        texts = self._searchable
        found += [id for id, text in enumerate(texts) if text == wanted]
        found += [id for id, text in enumerate(texts) if text != wanted and text.startswith(wanted)]
        found += [id for id, text in enumerate(texts) if wanted in text and not text.startswith(wanted)]
        return [(id, self.token_label(id)) for id in dict.fromkeys(found[:most])]

    @functools.cached_property
    def _searchable(self) -> list[str]:
        return [token.decode(errors="replace").strip().lower() for token in self._tokens]

    def check_fits(self, vocabulary: int) -> None:
        """Raise `TokenizerError` when the model has another vocabulary."""
        if vocabulary != self.vocabulary:
            raise TokenizerError(
                f"tokenizer {self.name}: has {self.vocabulary} tokens, the model {vocabulary};"
                " use a model and a tokenizer that belong together"
            )


def load_tokenizer(path: Path | None = None) -> Tokenizer:
    """Read the tokenizer file of llm.c (version 2) at `path`, by default the one that comes with the program.

    Raises `TokenizerError` when it cannot be read, is cut off or too long, or its tokens cannot spell every text.
    """
    return _embedded() if path is None else _read(path)


@functools.cache
def _embedded() -> Tokenizer:
    return _read(TOKENIZER)


def _read(path: Path) -> Tokenizer:
    shown = one_line(path)
    advice = "give the path of an llm.c tokenizer file"
    with read_errors_as(TokenizerError, shown, advice), path.open("rb") as file:
        # The header first: what is given by mistake may be a model of many gigabytes.
        count, end_of_text = _checked_header(file.read(HEADER_BYTES), shown)
        data = file.read()
    tokens = _tokens(data, count, shown)
    _check_tokens(tokens, end_of_text, shown)
    return Tokenizer(path.name, tokens, end_of_text)


def _checked_header(header: bytes, shown: str) -> tuple[int, int]:
    """Number of tokens and the id of `<|endoftext|>`, or `TokenizerError`."""
    if len(header) < HEADER_BYTES:
        raise TokenizerError(
            f"{shown}: has {len(header)} bytes, less than the header of {HEADER_BYTES}; fetch or copy it again"
        )
    magic, version, count, end_of_text = (int(number) for number in np.frombuffer(header, "<i4", count=4))
    if magic != MAGIC:
        raise TokenizerError(f"{shown}: is no llm.c tokenizer (magic {magic}, not {MAGIC}); check the path")
    if version != VERSION:
        raise TokenizerError(f"{shown}: tokenizer version {version} is not read; use a file of version {VERSION}")
    if not 0 <= end_of_text < count:
        raise TokenizerError(
            f"{shown}: header says {count} tokens and {END_OF_TEXT} at {end_of_text}, which cannot be;"
            " fetch or copy it again"
        )
    return count, end_of_text


def _tokens(data: bytes, count: int, shown: str) -> list[bytes]:
    """The `count` tokens that are all of `data`, or `TokenizerError`."""
    tokens: list[bytes] = []
    at = 0
    while len(tokens) < count:
        # The length byte itself may be what is missing: then the slice is empty.
        length = data[at] if at < len(data) else 1
        token = data[at + 1 : at + 1 + length]
        if len(token) < length:
            raise TokenizerError(f"{shown}: is cut off after {len(tokens)} of {count} tokens; fetch or copy it again")
        tokens.append(token)
        at += 1 + length
    if at < len(data):
        raise TokenizerError(
            f"{shown}: has {len(data) - at} bytes too many after {count} tokens; fetch or copy it again"
        )
    return tokens


def _check_tokens(tokens: list[bytes], end_of_text: int, shown: str) -> None:
    """Refuse tokens that BPE cannot work with: tiktoken itself would end in a panic, or never give an id back."""
    ids: dict[bytes, int] = {}
    for id, token in enumerate(tokens):
        if not token and id != end_of_text:
            raise TokenizerError(f"{shown}: token {id} is empty; use another file")
        if token in ids:
            raise TokenizerError(f"{shown}: tokens {ids[token]} and {id} are the same, {token!r}; use another file")
        ids[token] = id
    missing = [byte for byte in range(256) if ids.get(bytes([byte]), end_of_text) == end_of_text]
    if missing:
        raise TokenizerError(
            f"{shown}: has no token for {len(missing)} of 256 bytes, the first is {missing[0]:#04x}; use another file"
        )
