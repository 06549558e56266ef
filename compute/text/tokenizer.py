"""Text to token ids and back, the same for every kind of tokenizer, and GPT-2's, which is embedded."""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

from assets import TOKENIZER
from compute.errors import PromptError, TokenizerError

from .chat import ChatPrompt, ChatTemplate, Turn, shielded, unshielded

END_OF_TEXT = "<|endoftext|>"
# Of llm.c's tokenizer files.
MAGIC = 20240328
VERSION = 2
HEADER_BYTES = 1024
_NUMBER = re.compile("[0-9]{1,10}")  # a token id; Python refuses to convert thousands of digits


class Tokenizer(ABC):
    """Encodes text as token ids and decodes them.

    end_of_text: the token that ends a text; `ends` contains it and any others that end a generation. special: control
    tokens, which stand for no text; written out in a prompt, they become their ids. begin: the token that `encode` puts
    before a text, None for models without one. chat: how turns become a text, None for models without a template.
    """

    def __init__(
        self,
        name: str,
        tokens: list[bytes],
        end_of_text: int,
        *,
        special: frozenset[int] = frozenset(),
        ends: frozenset[int] = frozenset(),
        begin: int | None = None,
        chat: ChatTemplate | None = None,
    ) -> None:
        """`tokens[id]` is a token's bytes, of a special token its name."""
        self.name = name
        self.vocabulary = len(tokens)
        self.end_of_text = end_of_text
        self.ends = ends | {end_of_text}
        self.special = special
        self.begin = begin
        self.chat = chat
        self._tokens = tokens

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, which may have any length. Special tokens in it, by their names, become their ids.

        A model's own token for the beginning comes first, unless the text begins with it. Empty text becomes that
        token, or one end-of-text token where there is none. All encoding goes through this method and `encode_chat`.
        Raises `PromptError` when `text` contains lone surrogates, which Python produces for bytes that are not UTF-8.
        """
        _check_text(text)
        ids = self._ids(text)
        if self.begin is not None and ids[:1] != [self.begin]:
            ids.insert(0, self.begin)
        return ids or [self.end_of_text]

    def encode_chat(self, turns: Sequence[Turn]) -> ChatPrompt:
        """The text that the model's chat template makes of `turns`, and its token ids.

        Names of special tokens become their ids where the template writes them, but stay text inside the turns. Raises
        `PromptError` for turns that the template refuses, or when the model has no template or a broken one.
        """
        if self.chat is None:
            raise PromptError(f"{self.name}: has no chat template; give the prompt as plain text")
        for turn in turns:
            _check_text(turn.content)
        names = self.special_names
        rendered = self.chat.render([Turn(turn.role, shielded(turn.content, names)) for turn in turns])
        text = unshielded(rendered, names)
        ids = self._ids(text) if text == rendered else self._ids_of_shielded(rendered)
        return ChatPrompt(tuple(turns), text, ids or [self.end_of_text])

    @abstractmethod
    def _ids(self, text: str) -> list[int]:
        """Token ids of `text`, none added; special tokens in it become their ids."""

    def _ids_of_shielded(self, text: str) -> list[int]:
        """As `_ids`, of a text in which some names of special tokens are shielded, so that they stay text."""
        raise PromptError(f"{self.name}: cannot encode the name of a special token inside a turn; remove it")

    @functools.cached_property
    def special_names(self) -> tuple[str, ...]:
        """The names of the special tokens, longest first."""
        return tuple(sorted((self.token_text(id) for id in self.special), key=lambda name: (-len(name), name)))

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`; bytes that are not UTF-8 become U+FFFD. Raises IndexError for an id out of range."""
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def token_text(self, id: int) -> str:
        """Text of one token for display; incomplete characters become U+FFFD. Raises IndexError like `token_bytes`."""
        return self.token_bytes(id).decode(errors="replace")

    def token_label(self, id: int) -> str:
        """Text that identifies one token: incomplete characters are shown in hex, `\\xe4\\xbd`.

        Raises IndexError for an id out of range.
        """
        return self.token_bytes(id).decode(errors="backslashreplace")

    def token_bytes(self, id: int) -> bytes:
        """Bytes of one token, which may end within a character. Raises IndexError for an id out of range."""
        if not 0 <= id < self.vocabulary:
            raise IndexError(f"token {id}: must be from 0 to {self.vocabulary - 1}")
        return self._tokens[id]

    def find(self, query: str, limit: int = 200) -> list[tuple[int, str]]:
        """Search the vocabulary: up to `limit` pairs (id, label), ignoring case and surrounding spaces.

        First the token with the id `query`, then tokens whose text equals, starts with or contains `query`.
        """
        needle = query.strip().lower()
        if not needle:
            return []
        ids = [int(needle)] if _NUMBER.fullmatch(needle) and int(needle) < self.vocabulary else []
        texts = self._searchable
        ids += [id for id, text in enumerate(texts) if text == needle]
        ids += [id for id, text in enumerate(texts) if text != needle and text.startswith(needle)]
        ids += [id for id, text in enumerate(texts) if needle in text and not text.startswith(needle)]
        return [(id, self.token_label(id)) for id in dict.fromkeys(ids[:limit])]

    @functools.cached_property
    def _searchable(self) -> list[str]:
        return [token.decode(errors="replace").strip().lower() for token in self._tokens]

    def check_fits(self, vocabulary: int) -> None:
        """Raise `TokenizerError` if `vocabulary`, the size of the model's vocabulary, differs."""
        if vocabulary != self.vocabulary:
            raise TokenizerError(
                f"tokenizer {self.name}: has {self.vocabulary} tokens, but the model has {vocabulary};"
                " use a model and a tokenizer that belong together"
            )


def _check_text(text: str) -> None:
    """Raise `PromptError` for a value that is not a string, or one that cannot be encoded as UTF-8."""
    if not isinstance(text, str):
        raise PromptError(f"prompt: is of type {type(text).__name__}; give a text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # The libraries would silently insert a replacement character.
        raise PromptError(
            f"prompt: character {error.start + 1} (U+{ord(text[error.start]):04X}) is not valid text;"
            " give the prompt as UTF-8"
        ) from None


def load_tokenizer(path: Path | None = None) -> Tokenizer:
    """Read the llm.c tokenizer file (version 2) at `path`, by default the embedded one, which is GPT-2's.

    Raises `TokenizerError` when it cannot be read, is truncated or too long, or its tokens cannot encode every text.
    """
    return _embedded() if path is None else _read(path)


@functools.cache
def _embedded() -> Tokenizer:
    return _read(TOKENIZER)


def _read(path: Path) -> Tokenizer:
    # Only here, because models with other tokenizers do not need its library.
    from .gpt2_tokenizer import read_gpt2_tokenizer

    return read_gpt2_tokenizer(path)
