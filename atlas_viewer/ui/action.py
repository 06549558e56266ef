"""A command of the window: what a key, a menu entry or the command palette does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from atlas_viewer.state.state import State


def _always(_state: State) -> bool:
    return True


@dataclass(frozen=True)
class Action:
    """A command. `chord`: keys joined by +, empty for none; ignored while text is being typed, unless `anywhere`.

    release: what happens when the key is released, for a command that lasts as long as its key is held.
    """

    name: str
    title: str
    menu: str
    run: Callable[[State], None]
    chord: str = ""
    enabled: Callable[[State], bool] = _always
    anywhere: bool = False
    reason: Callable[[], str] = str  # why this machine cannot do it, as shown to the user; empty when it can
    release: Callable[[State], None] | None = None

    def possible(self, state: State) -> bool:
        """True when it can be done now."""
        return not self.reason() and self.enabled(state)
