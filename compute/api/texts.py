"""What callers pass as text: a string or token ids, checked."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence, Set
from typing import Any

from compute.errors import PromptError, UsageError, option
from compute.io.escape import one_line
from compute.text.chat import ChatPrompt, turns_of
from compute.text.one_token import checked_id, token_id
from compute.text.tokenizer import Tokenizer

_SHOWN = 40  # characters of a wrong value in a message


class Texts:
    """Texts of one model to token ids."""

    def __init__(self, model: str, vocabulary: int, tokenizer: Tokenizer) -> None:
        """vocabulary: how many token ids the model has; model: its name, for messages."""
        self._model, self._vocabulary, self._tokenizer = model, vocabulary, tokenizer

    def ids(self, text: object, where: str = "") -> list[int]:
        """The token ids of a text of any length. where: begins messages, as in "text 2: ".

        Raises `UsageError`, `PromptError`, and `TokenizerError` for a string when the model has another vocabulary.
        """
        if isinstance(text, str):
            self._tokenizer.check_fits(self._vocabulary)
            try:
                return self._tokenizer.encode(text)
            except PromptError as error:
                raise PromptError(f"{where}{error}") from None
        tokens = [self._id(token, where) for token in _sequence(text, where)]
        if not tokens:
            raise UsageError(f"{where}the text has no tokens: give at least one")
        return tokens

    def fitting(self, text: object, context: int, positions: int, where: str = "") -> list[int]:
        """As `ids`, of a text that fits into `context` tokens; positions: the longest context of the model."""
        tokens = self.ids(text, where)
        if len(tokens) > context:
            longer = f"load the model with a larger {option('context')}, or " if context < positions else ""
            raise UsageError(
                f"{where}the text has {len(tokens)} tokens, the context {context}: {longer}give a shorter text"
            )
        return tokens

    def chat(self, turns: object) -> ChatPrompt:
        """The text that the model's template makes of turns, and its token ids. Raises as `ids`."""
        wanted = turns_of(turns)
        self._tokenizer.check_fits(self._vocabulary)
        return self._tokenizer.encode_chat(wanted)

    def token(self, value: object, name: str) -> int:
        """The id of one token: an id, text that is one token, or `id:11`. name: of the option, for messages.

        Raises `UsageError`, `TokenizerError`, `PromptError`.
        """
        if isinstance(value, str):
            return token_id(value, self._vocabulary, self._tokenizer, name)
        number = integer(value)
        if number is None:
            raise UsageError(f"{option(name)}{one_line(repr(value), _SHOWN)}: must be text or a token id")
        return checked_id(number, self._vocabulary, name)

    def _id(self, token: object, where: str) -> int:
        number = integer(token)  # not int(), which would accept 1.5 and "1"
        if number is None:
            raise UsageError(f"{where}token {one_line(repr(token), _SHOWN)}: must be an integer")
        if not 0 <= number < self._vocabulary:
            raise UsageError(
                f"{where}token {number}: {self._model} has {self._vocabulary} tokens; give 0 to {self._vocabulary - 1}"
            )
        return number


def is_batch(prompt: object) -> bool:
    """True for a list of texts, False for one text. Raises `UsageError` for anything else."""
    if isinstance(prompt, str):
        return False
    items = _sequence(prompt, "")
    return len(items) > 0 and integer(items[0]) is None and hasattr(items[0], "__len__")


def _sequence(text: object, where: str) -> Sequence[Any]:
    """`text`, if it has items in an order."""
    if isinstance(text, (bytes, bytearray)):
        raise UsageError(f"{where}the text is bytes: decode it first")
    ordered = hasattr(text, "__getitem__") and not isinstance(text, (Mapping, Set))
    if not ordered or getattr(text, "shape", None) == ():
        raise UsageError(f"{where}the text is of type {type(text).__name__}: give a string or a list of token ids")
    return text  # type: ignore[return-value]


def integer(value: object) -> int | None:
    """The value as an int; None for other types, among them bool and float."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
