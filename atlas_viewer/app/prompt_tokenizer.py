"""Tokenizes the prompt while it is edited."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.state import PromptTokens, State
from compute.errors import AtlasError

# A prompt with more characters than this is tokenized in a thread, because 100,000 characters take 10 to 60 ms, too
# long for a frame.
_LONG = 20_000
# A long prompt is tokenized once it has been unchanged for this many seconds.
_SETTLE_S = 0.2


class PromptTokenizer:
    """Keeps `state.prompt_tokens` up to date with `state.prompt`."""

    def __init__(self, tokenizer: TokenCodec, state: State) -> None:
        self._tokenizer, self._state = tokenizer, state
        self._known: str | None = None
        self._seen: str | None = None
        self._seen_at = 0.0
        self._thread = ThreadPoolExecutor(1, "prompt tokens")  # starts with the first long prompt
        self._running: Future[PromptTokens] | None = None

    @property
    def pending(self) -> bool:
        """True while the tokens do not yet match the prompt."""
        return self._known != self._state.prompt

    def follow(self, now: float) -> None:
        """Tokenize a changed prompt; a long prompt's tokens arrive later. now: the time in seconds, from any clock."""
        if self._running is not None:
            if not self._running.done():
                return
            tokens, self._running = self._running.result(), None
            if tokens.text == self._state.prompt:
                self._state.prompt_tokens, self._known = tokens, tokens.text
        if not self.pending:
            return
        prompt = self._state.prompt
        if prompt != self._seen:
            self._seen, self._seen_at = prompt, now
        if len(prompt) > _LONG and self._state.live:
            if now - self._seen_at >= _SETTLE_S:
                self._running = self._thread.submit(self._tokens_of, prompt)
            return
        self._state.prompt_tokens, self._known = self._tokens_of(prompt), prompt

    def _tokens_of(self, prompt: str) -> PromptTokens:
        try:
            ids = self._tokenizer.encode(prompt)
        except AtlasError as error:
            return PromptTokens(prompt, (), str(error))
        labels = {id: self._tokenizer.token_label(id) for id in set(ids)}
        return PromptTokens(prompt, [(id, labels[id]) for id in ids])
