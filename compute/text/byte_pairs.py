"""GPT-2's byte-pair encoding for text of any length."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

import tiktoken

# How GPT-2 splits text into pieces before it merges bytes: contractions, words, numbers, other characters, white space.
_PIECES = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
# `\s` in that pattern is Unicode's White_Space; Python's own `\s` also matches U+001C to U+001F.
_WHITE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# With `\s+(?!\S)`, tiktoken's regex engine keeps a state for each character of a run, and panics at a million of them.
_LONG = 10_000
_LONG_RUN = re.compile(f"(?<![{_WHITE}])[{_WHITE}]{{{_LONG},}}")


class BytePairs:
    """Encodes text as token ids. tiktoken does the work; long runs of white space are split here."""

    def __init__(self, name: str, tokens: Sequence[bytes], special: dict[str, int]) -> None:
        """`tokens[id]` is a token's bytes; its id is also its merge rank. `special` maps special tokens."""
        self._name, self._tokens, self._special = name, tokens, special
        self._pieces = self._encoding(_PIECES)
        self._special_tokens = re.compile("|".join(map(re.escape, special)))

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, which must be encodable as UTF-8; special tokens in it become their ids."""
        ids: list[int] = []
        at = 0
        for match in self._special_tokens.finditer(text):
            ids += self._ordinary(text[at : match.start()])
            ids.append(self._special[match[0]])
            at = match.end()
        return ids + self._ordinary(text[at:])

    def _ordinary(self, text: str) -> list[int]:
        """Token ids of text without special tokens."""
        ids: list[int] = []
        at = 0
        for start, end in _long_pieces(text):
            ids += self._pieces.encode_ordinary(text[at:start])
            ids += self._one_piece.encode_ordinary(text[start:end])
            at = end
        return ids + self._pieces.encode_ordinary(text[at:])

    @functools.cached_property
    def _one_piece(self) -> tiktoken.Encoding:
        """An encoding that treats a whole text as one piece."""
        return self._encoding(r"[\s\S]+")

    def _encoding(self, pieces: str) -> tiktoken.Encoding:
        special = set(self._special.values())
        ranks = {token: id for id, token in enumerate(self._tokens) if id not in special}
        made = tiktoken.Encoding(self._name, pat_str=pieces, mergeable_ranks=ranks, special_tokens={})
        ranks.clear()  # the library encodes with a copy of its own; this one takes 4 MB
        return made


def _long_pieces(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each long piece of white space.

    No piece continues from other characters into white space, so each run starts a piece. At the end of the text, the
    whole run is one piece. Before another character, the run's last character is excluded: it is a piece of its own or,
    if it is a space, the start of the next piece.
    """
    for run in _LONG_RUN.finditer(text):
        start, end = run.span()
        yield start, end if end == len(text) else end - 1
