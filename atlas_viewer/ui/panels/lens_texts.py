"""The texts of tokens in the Lens panel."""

from __future__ import annotations

from collections.abc import Callable

from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import token_at


class LensTexts:
    """Texts of vocabulary tokens, remembered, and of the tokens of the text on screen."""

    def __init__(self, tokenizer: TokenCodec | None) -> None:
        self.tokenizer = tokenizer
        self._known: dict[int, str] = {}
        self._at: Callable[[int], tuple[int, str] | None] = lambda _position: None

    def follow(self, state: State) -> None:
        """Use the text on screen."""
        self._at = lambda position: token_at(state, position)

    def of_token(self, token: int) -> str:
        """A token without quotation marks, so that more of it fits; empty for -1."""
        if token not in self._known:
            self._known[token] = "" if token < 0 else _bare(self._label(token))
        return self._known[token]

    def of_text(self, position: int) -> str:
        """The token of the text at a position, without quotation marks; empty when there is none yet."""
        known = self._at(position)
        return "" if known is None else _bare(known[1])

    def quoted_token(self, token: int) -> str:
        """A token in quotation marks."""
        return quoted(self._label(token))

    def quoted_text(self, position: int) -> str:
        """The token of the text at a position in quotation marks."""
        known = self._at(position)
        return "?" if known is None else quoted(known[1])

    def _label(self, token: int) -> str:
        return f"id:{token}" if self.tokenizer is None else self.tokenizer.token_label(token)


def _bare(text: str) -> str:
    """A text as `quoted` shows it, without the quotation marks unless there is nothing but spaces in them."""
    shown = quoted(text)
    return shown[1:-1].strip(" ") or shown
