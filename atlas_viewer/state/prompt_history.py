"""The history of prompts, as in a shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class History:
    """Steps through earlier prompts. The text being written stays the newest entry."""

    draft: str | None = None

    def older(self, prompts: Sequence[str], current: str) -> str:
        """The prompt before `current`, or `current` itself when it is the first. prompts: newest last."""
        return self._step(prompts, current, -1)

    def newer(self, prompts: Sequence[str], current: str) -> str:
        """The prompt after `current`; the text being written comes last."""
        return self._step(prompts, current, 1)

    def around(self, prompts: Sequence[str], current: str) -> tuple[int, int]:
        """The number of entries before and after `current`."""
        entries = self._entries(prompts, current)
        index = entries.index(current)
        return index, len(entries) - 1 - index

    def _step(self, prompts: Sequence[str], current: str, step: int) -> str:
        entries = self._entries(prompts, current)
        if current not in prompts:
            self.draft = current
        index = entries.index(current) + step
        return entries[min(max(index, 0), len(entries) - 1)]

    def _entries(self, prompts: Sequence[str], current: str) -> list[str]:
        newest = self.draft if current in prompts else current
        return list(prompts) if newest is None or newest in prompts else [*prompts, newest]
