"""A token as callers write it: text that is a single token, or `id:11`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from compute.errors import PromptError, TokenizerError, UsageError, option
from compute.io.escape import one_line

_ID = re.compile("id:([0-9]{1,10})")
_LISTED = 8  # tokens in a message


class Vocabulary(Protocol):
    """What turns text into tokens; `compute.text.tokenizer.Tokenizer` is one."""

    def encode(self, text: str) -> Sequence[int]:
        """The token ids of a text. Raises `PromptError`."""

    def token_label(self, id: int, /) -> str:
        """One token as people read it."""

    def check_fits(self, vocabulary: int, /) -> None:
        """Raise `TokenizerError` for a model with another number of tokens."""


def token_id(text: str, vocabulary: int, tokenizer: Vocabulary, name: str) -> int:
    """The id of the token that `text` stands for, in a model of `vocabulary` tokens. name: of the option, for messages.

    A leading space matters; nothing is added. Raises `UsageError` for several tokens, none, an id out of range,
    and text that is not UTF-8, `TokenizerError` for a text when the model has another vocabulary.
    """
    match = _ID.fullmatch(text)
    if match:
        return checked_id(int(match[1]), vocabulary, name, text)
    if not text:
        raise UsageError(f"{option(name)}: is empty; give text that is one token, or an id such as id:11")
    try:
        tokenizer.check_fits(vocabulary)
    except TokenizerError as error:
        raise TokenizerError(f"{error}, or give {option(name)} as an id such as id:11") from None
    try:
        tokens = tokenizer.encode(text)
    except PromptError:
        raise UsageError(f"{option(name, one_line(text, 40))}: is not valid text; give UTF-8") from None
    if len(tokens) == 1:
        return tokens[0]
    shown = ", ".join(f"{_quoted(tokenizer, token)} (id:{token})" for token in tokens[:_LISTED])
    more = ", ..." if len(tokens) > _LISTED else ""
    raise UsageError(
        f"{option(name, one_line(text, 40))}: is {len(tokens)} tokens, {shown}{more};"
        f" give one, such as the first: {_quoted(tokenizer, tokens[0])}"
    )


def checked_id(token: int, vocabulary: int, name: str, text: str | None = None) -> int:
    """`token`, if the model has it. Raises `UsageError` otherwise. text: how it was written, if not as a number."""
    if not 0 <= token < vocabulary:
        shown = option(name, token if text is None else text)
        raise UsageError(f"{shown}: the model has {vocabulary} tokens; give 0 to {vocabulary - 1}")
    return token


def _quoted(tokenizer: Vocabulary, token: int) -> str:
    return f'"{one_line(tokenizer.token_label(token))}"'
