"""Tokenizes the prompt while it is edited."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.state import PromptTokens, State
from compute.errors import AtlasError
from compute.text.chat import Turn

# A prompt with more characters than this is tokenized in a thread, because 100,000 characters take 10 to 60 ms, too
# long for a frame.
_LONG = 20_000
# A long prompt, and a chat, whose template runs in a process of its own, is tokenized once it has been unchanged for
# this many seconds.
_SETTLE_S = 0.2

Sent: TypeAlias = tuple[str, tuple[Turn, ...]]
"""The prompt, and the turns of the chat that it ends, if any."""


def sent_prompt(tokenizer: TokenCodec, prompt: str, turns: Sequence[Turn]) -> tuple[str, Sequence[int]]:
    """The exact text that is sent, and its token ids: `prompt`, or the chat of `turns`. Raises `PromptError`."""
    if not turns:
        return prompt, tokenizer.encode(prompt)
    chat = tokenizer.encode_chat(turns)
    return chat.text, chat.ids


class PromptTokenizer:
    """Keeps `state.prompt_tokens` up to date with the prompt, or with the chat that it is a part of."""

    def __init__(self, tokenizer: TokenCodec, state: State) -> None:
        self._tokenizer, self._state = tokenizer, state
        self._known: Sent | None = None
        self._seen: Sent | None = None
        self._seen_at = 0.0
        self._thread = ThreadPoolExecutor(1, "prompt tokens")  # starts with the first long prompt
        self._running: Future[PromptTokens] | None = None

    @property
    def pending(self) -> bool:
        """True while the tokens do not yet match the prompt."""
        return self._known != self._sent

    @property
    def _sent(self) -> Sent:
        prompt = self._state.prompt
        return prompt, self._state.chat.sent(prompt)

    def follow(self, now: float) -> None:
        """Tokenize a changed prompt; a long prompt's tokens arrive later. now: the time in seconds, from any clock."""
        sent = self._sent
        if self._running is not None:
            if not self._running.done():
                return
            tokens, self._running = self._running.result(), None
            if (tokens.text, tokens.turns) == sent:
                self._state.prompt_tokens, self._known = tokens, sent
        if not self.pending:
            return
        if sent != self._seen:
            self._seen, self._seen_at = sent, now
        prompt, turns = sent
        if (len(prompt) > _LONG or turns) and self._state.live:
            if now - self._seen_at >= _SETTLE_S:
                self._running = self._thread.submit(self._tokens_of, sent)
            return
        self._state.prompt_tokens, self._known = self._tokens_of(sent), sent

    def _tokens_of(self, sent: Sent) -> PromptTokens:
        prompt, turns = sent
        try:
            _, ids = sent_prompt(self._tokenizer, prompt, turns)
        except AtlasError as error:
            return PromptTokens(prompt, (), str(error), turns)
        labels = {id: self._tokenizer.token_label(id) for id in set(ids)}
        return PromptTokens(prompt, [(id, labels[id]) for id in ids], "", turns)
