"""Placeholders in the text of a walk, such as {last token}, which stand for facts about the run on screen."""

from __future__ import annotations

import re
from collections.abc import Callable

from .nearest import nearest

# The placeholders without a number, and what each stands for.
KNOWN = {
    "prompt": "the prompt",
    "last token": "the newest token of the text",
    "previous token": "the token before it",
    "top token": "the most probable next token",
    "top percent": "its probability before the sampling options, in percent",
    "second token": "the second most probable next token",
    "second percent": "its probability before the sampling options, in percent",
    "drawn token": "the token that was drawn from the latest probabilities",
    "drawn percent": "its probability, in percent",
    "tokens": "the number of tokens in the text",
    "prompt tokens": "the number of tokens in the prompt",
    "temperature": "the temperature of the next token",
    "model": "the name of the model",
    "layers": "the number of blocks",
    "middle": "the number of the block in the middle",
    "heads": "the number of attention heads in a block",
    "channels": "the width of the residual stream",
    "hidden": "the number of hidden neurons of an MLP",
    "vocabulary": "the number of tokens in the vocabulary",
    "positions": "the longest context, in tokens",
    "parameters": "the number of weights",
    "value": "the value that the page is about",
    "strongest token": "the token to which the row or head that the page is about attends most",
    "strongest percent": "the share of attention that this token gets, in percent",
}
_NUMBERED = re.compile(r"token ([1-9][0-9]{0,5})")
_BRACES = re.compile(r"\{([^{}]*)\}")


def check(text: str) -> None:
    """Raise a `ValueError` that names the first unknown placeholder, or a brace that belongs to none."""
    for match in _BRACES.finditer(text):
        name = match[1].strip()
        if name not in KNOWN and not _NUMBERED.fullmatch(name):
            raise ValueError(f"unknown placeholder {{{name}}} (nearest: {{{nearest(name, [*KNOWN, 'token 1'])}}})")
    if "{" in _BRACES.sub("", text) or "}" in _BRACES.sub("", text):
        raise ValueError("a brace without its counterpart; braces enclose placeholders such as {last token}")


def fill(text: str, fact: Callable[[str], str]) -> str:
    """`text` with its placeholders replaced. fact: the text for a placeholder, or of "token N"."""
    return _BRACES.sub(lambda match: fact(match[1].strip()), text)


def token_number(name: str) -> int | None:
    """The N of "token N"; None for other placeholders."""
    match = _NUMBERED.fullmatch(name)
    return int(match[1]) if match else None
