"""Keeps the tokens of the prompt that is being written up to date."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.state import PromptTokens, State
from compute.errors import AtlasError

# Text longer than this, in characters, must have rested for so many seconds, and its tokens are made on a thread: they
# take some 10 to 60 ms for every 100,000 characters, too much for a frame.
_LONG = 20_000
_REST = 0.2


class PromptTokenizer:
    """Makes `state.prompt_tokens` of `state.prompt`."""

    def __init__(self, tokenizer: TokenCodec, state: State) -> None:
        self._tokenizer, self._state = tokenizer, state
        self._known: str | None = None
        self._seen: str | None = None
        self._seen_at = 0.0
        self._thread = ThreadPoolExecutor(1, "prompt tokens")  # starts with the first long text
        self._making: Future[PromptTokens] | None = None

    @property
    def pending(self) -> bool:
        """True while the tokens are not those of the prompt."""
        return self._known != self._state.prompt

    def follow(self, now: float) -> None:
        """Make the tokens of a new prompt; those of a long one come later. `now`: seconds of any clock."""
        if self._making is not None:
            if not self._making.done():
                return
            made, self._making = self._making.result(), None
            if made.text == self._state.prompt:
                self._state.prompt_tokens, self._known = made, made.text
        if not self.pending:
            return
        prompt = self._state.prompt
        if prompt != self._seen:
            self._seen, self._seen_at = prompt, now
        if len(prompt) > _LONG and self._state.live:
            if now - self._seen_at >= _REST:
                self._making = self._thread.submit(self._tokens_of, prompt)
            return
        self._state.prompt_tokens, self._known = self._tokens_of(prompt), prompt

    def _tokens_of(self, prompt: str) -> PromptTokens:
        try:
            numbers = self._tokenizer.encode(prompt)
        except AtlasError as error:
            return PromptTokens(prompt, (), str(error))
        texts = {number: self._tokenizer.token_label(number) for number in set(numbers)}
        return PromptTokens(prompt, list(zip(numbers, map(texts.__getitem__, numbers), strict=True)))
