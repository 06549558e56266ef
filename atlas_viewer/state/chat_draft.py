"""The chat that is being written in the prompt panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from compute.text.chat import Turn


@dataclass
class ChatDraft:
    """on: the prompt is the user's turn of a chat. turns: those before it."""

    on: bool = False
    turns: list[Turn] = field(default_factory=list)

    @classmethod
    def given(cls, turns: Sequence[Turn] | None) -> ChatDraft:
        """With the turns before the prompt; None for a plain text."""
        return cls(turns is not None, list(turns or ()))

    def sent(self, prompt: str) -> tuple[Turn, ...]:
        """All turns that are sent, with `prompt` as the last one; none while the prompt is a plain text."""
        return (*self.turns, Turn("user", prompt)) if self.on else ()
