"""A tokenizer of a few letters, for small models: one character, one token."""

from __future__ import annotations

from collections.abc import Iterable


class Letters:
    """Token `i` is letter number `i`. The last one can be the end-of-text token."""

    name = "letters"

    def __init__(self, vocabulary: int, *, ends: bool = True) -> None:
        self.vocabulary = vocabulary
        self.end_of_text = vocabulary - 1 if ends else 0xFFFFFF
        self.ends = frozenset([self.end_of_text])

    def encode(self, text: str) -> list[int]:
        return [ord(letter) - ord("a") for letter in text]

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(map(self.token_text, ids))

    def token_text(self, id: int) -> str:
        return chr(ord("a") + id)

    def check_fits(self, vocabulary: int) -> None:
        assert vocabulary == self.vocabulary
