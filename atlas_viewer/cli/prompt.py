"""The prompt that the arguments describe: a text, or the turns of a chat."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compute.errors import PromptError, UsageError
from compute.io.escape import one_line
from compute.text.chat import Turn, turn_of
from compute.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from compute.api.model import Model


@dataclass(frozen=True)
class GivenPrompt:
    """`text`, or with `turns` a chat, whose last turn is `text`."""

    text: str
    turns: tuple[Turn, ...] = ()

    def sent(self, tokenizer: Tokenizer) -> tuple[str, list[int]]:
        """The exact text that the model reads, and its token ids. Raises `PromptError`."""
        if not self.turns:
            return self.text, tokenizer.encode(self.text)
        chat = tokenizer.encode_chat(self.turns)
        return chat.text, chat.ids

    def of(self, model: Model) -> str | list[int]:
        """What to pass to the methods of a model: the text, or the token ids of the chat."""
        return model.from_chat(self.turns) if self.turns else self.text


def given_prompt(arguments: argparse.Namespace, text: str) -> GivenPrompt:
    """The prompt `text`, which with `--chat` or `--turn` is what the user says last. Raises as `read_prompt`."""
    last = read_prompt(text)
    turns: list[Turn] = arguments.turn or []
    if not turns and not arguments.chat:
        return GivenPrompt(last)
    return GivenPrompt(last, (*turns, Turn("user", last)))


def given_turn(text: str) -> Turn:
    """ROLE:TEXT as a turn."""
    role, colon, content = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} has no colon; give ROLE:TEXT, such as 'system:Be brief.'")
    try:
        return turn_of(role, _checked(content, "turn"), "turn")
    except (PromptError, UsageError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def read_prompt(text: str) -> str:
    """The prompt: `text`, or standard input if `text` is `-`.

    Raises `UsageError` if it is the name of a recording, and `PromptError` if it is not UTF-8 or contains control
    characters other than tabs and line breaks: models have not been trained on them, and printing them can upset the
    terminal.
    """
    name = "prompt"
    if text == "-":
        name = "standard input"
        if sys.stdin is None:
            raise PromptError("standard input: is closed; give the prompt as an argument")
        try:
            text = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError as error:
            raise PromptError(f"standard input: byte {error.start} is not UTF-8; give the prompt in UTF-8") from None
    elif text.endswith(".atlas") and os.path.isfile(text):
        shown = one_line(text)
        raise UsageError(f"{shown}: is a recording; open it with `atlas-viewer session replay {shlex.quote(shown)}`")
    return _checked(text, name)


def _checked(text: str, name: str) -> str:
    for index, character in enumerate(text):
        if unicodedata.category(character) == "Cc" and character not in "\t\n\r":
            raise PromptError(
                f"{name}: character {index + 1} (U+{ord(character):04X}) is a control character; remove it"
            )
    return text
