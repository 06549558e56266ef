"""GPT-2's tokenizer, read from an llm.c file: a header of 256 int32, then a length byte and the bytes of each token."""

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
_NUMBER = re.compile("[0-9]{1,10}")  # a token id; Python refuses to convert thousands of digits


class Tokenizer:
    """Encodes text as token ids and decodes them."""

    def __init__(self, name: str, tokens: list[bytes], end_of_text: int) -> None:
        """`tokens[id]` is a token's bytes; ids are BPE merge ranks. `end_of_text` is the id of `<|endoftext|>`."""
        self.name = name
        self.vocabulary = len(tokens)
        self.end_of_text = end_of_text
        self._tokens = tokens
        ranks = {token: id for id, token in enumerate(tokens) if id != end_of_text}
        self._pairs = BytePairs(name, ranks, {END_OF_TEXT: end_of_text})

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`. Empty text becomes one `<|endoftext|>`; `<|endoftext|>` in the text becomes its token.

        All encoding goes through this method. `text` may have any length. Raises `PromptError` when `text` contains
        lone surrogates, which Python produces for bytes that are not valid UTF-8.
        """
        if not isinstance(text, str):
            raise PromptError(f"prompt: is of type {type(text).__name__}; give a text")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            # tiktoken would silently insert a replacement character.
            raise PromptError(
                f"prompt: character {error.start + 1} (U+{ord(text[error.start]):04X}) is not valid text;"
                " give the prompt as UTF-8"
            ) from None
        return self._pairs.encode(text) or [self.end_of_text]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`; bytes that are not UTF-8 become U+FFFD. Raises IndexError for an id out of range."""
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def token_text(self, id: int) -> str:
        """Text of one token for display; incomplete characters become U+FFFD. Raises IndexError like `token_bytes`."""
        return self.token_bytes(id).decode(errors="replace")

    def token_label(self, id: int) -> str:
        """Text that identifies one token: incomplete characters are shown in hex, `\\xe4\\xbd`.

        Raises IndexError for an id out of range.
        """
        return self.token_bytes(id).decode(errors="backslashreplace")

    def token_bytes(self, id: int) -> bytes:
        """Bytes of one token, which may end within a character. Raises IndexError for an id out of range."""
        if not 0 <= id < self.vocabulary:
            raise IndexError(f"token {id}: must be from 0 to {self.vocabulary - 1}")
        return self._tokens[id]

    def find(self, query: str, limit: int = 200) -> list[tuple[int, str]]:
        """Search the vocabulary: up to `limit` pairs (id, label), ignoring case and surrounding spaces.

        First the token with the id `query`, then tokens whose text equals, starts with or contains `query`.
        """
        needle = query.strip().lower()
        if not needle:
            return []
        ids = [int(needle)] if _NUMBER.fullmatch(needle) and int(needle) < self.vocabulary else []
        texts = self._searchable
        ids += [id for id, text in enumerate(texts) if text == needle]
        ids += [id for id, text in enumerate(texts) if text != needle and text.startswith(needle)]
        ids += [id for id, text in enumerate(texts) if needle in text and not text.startswith(needle)]
        return [(id, self.token_label(id)) for id in dict.fromkeys(ids[:limit])]

    @functools.cached_property
    def _searchable(self) -> list[str]:
        return [token.decode(errors="replace").strip().lower() for token in self._tokens]

    def check_fits(self, vocabulary: int) -> None:
        """Raise `TokenizerError` if `vocabulary`, the size of the model's vocabulary, differs."""
        if vocabulary != self.vocabulary:
            raise TokenizerError(
                f"tokenizer {self.name}: has {self.vocabulary} tokens, but the model has {vocabulary};"
                " use a model and a tokenizer that belong together"
            )


def load_tokenizer(path: Path | None = None) -> Tokenizer:
    """Read the llm.c tokenizer file (version 2) at `path`, by default the embedded one.

    Raises `TokenizerError` when it cannot be read, is truncated or too long, or its tokens cannot encode every text.
    """
    return _embedded() if path is None else _read(path)


@functools.cache
def _embedded() -> Tokenizer:
    return _read(TOKENIZER)


def _read(path: Path) -> Tokenizer:
    shown = one_line(path)
    advice = "give the path of an llm.c tokenizer file"
    with read_errors_as(TokenizerError, shown, advice), path.open("rb") as file:
        # Read the header first: a file given by mistake may be a model of many gigabytes.
        count, end_of_text = _checked_header(file.read(HEADER_BYTES), shown)
        data = file.read()
    tokens = _tokens(data, count, shown)
    _check_tokens(tokens, end_of_text, shown)
    return Tokenizer(path.name, tokens, end_of_text)


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
