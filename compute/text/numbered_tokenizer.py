"""What stands in for a tokenizer: bytes and numbers for random weights, and nothing for models without one."""

from __future__ import annotations

from compute.errors import TokenizerError

from .tokenizer import END_OF_TEXT, Tokenizer

SMALLEST = 257
"""Tokens that a `NumberedTokenizer` has at least."""
_BYTES = 256


class NumberedTokenizer(Tokenizer):
    """The first 256 tokens are bytes, the last one ends a text, and those between are numbers such as [300]."""

    def __init__(self, name: str, vocabulary: int) -> None:
        """vocabulary: more than 256."""
        numbers = [f"[{id}]".encode() for id in range(_BYTES, vocabulary - 1)]
        tokens = [*(bytes([byte]) for byte in range(_BYTES)), *numbers, END_OF_TEXT.encode()]
        super().__init__(name, tokens, vocabulary - 1, special=frozenset([vocabulary - 1]))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = []
        for number, part in enumerate(text.split(END_OF_TEXT)):
            ids += [self.end_of_text] * (number > 0) + list(part.encode())
        return ids


class NoTokenizer(Tokenizer):
    """Of a model that only takes token ids. It fits no vocabulary, and says why."""

    def __init__(self, name: str, reason: str) -> None:
        """reason: completes "NAME: "."""
        super().__init__(name, [], 0)
        self._reason = reason

    def check_fits(self, vocabulary: int) -> None:
        """Raise `TokenizerError`."""
        raise TokenizerError(f"{self.name}: {self._reason}")

    def _ids(self, text: str) -> list[int]:
        raise TokenizerError(f"{self.name}: {self._reason}")
