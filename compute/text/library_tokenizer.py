"""Tokenizers that the `tokenizers` library runs, whatever file they come from."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import tokenizers

from compute.errors import PromptError, TokenizerError
from compute.io.escape import one_line
from compute.io.untrusted_json import read_untrusted_json

from .chat import ChatTemplate, unshielded
from .tokenizer import Tokenizer

WORD_BOUNDARY = "\u2581"
"""What SentencePiece writes for a space."""
_LONGEST_REASON = 160
_RENAMED = "\ufdd2"  # reserved, as those of `shielded`


class LibraryTokenizer(Tokenizer):
    """A tokenizer of the library, with the bytes of each token."""

    def __init__(
        self,
        name: str,
        library: tokenizers.Tokenizer,
        tokens: list[bytes],
        end_of_text: int,
        *,
        special: frozenset[int],
        ends: frozenset[int] = frozenset(),
        begin: int | None = None,
        chat: ChatTemplate | None = None,
    ) -> None:
        """As `Tokenizer`; `library` adds no token by itself, and `tokens` has one item for each id of the model."""
        super().__init__(name, tokens, end_of_text, special=special, ends=ends, begin=begin, chat=chat)
        self._library = library

    def _ids(self, text: str) -> list[int]:
        return self._checked(self._encoded(self._library, text))

    def _ids_of_shielded(self, text: str) -> list[int]:
        # Names that are not shielded come from the template. They are replaced by names that only this method writes,
        # so that the library can tell them from those in the turns.
        library, ids = self._with_other_names
        names = self.special_names
        marked = re.sub("|".join(map(re.escape, names)), lambda match: _renamed(match[0]), text)
        return self._checked([ids.get(id, id) for id in self._encoded(library, unshielded(marked, names))])

    def _encoded(self, library: tokenizers.Tokenizer, text: str) -> list[int]:
        with library_errors(self.name, PromptError):
            return list(library.encode(text, add_special_tokens=False).ids)

    def _checked(self, ids: list[int]) -> list[int]:
        """The ids, unless one is of a token that the model does not have."""
        unknown = next((id for id in ids if id >= self.vocabulary), None)
        if unknown is not None:
            name = one_line(self._library.id_to_token(unknown) or "", 40)
            raise PromptError(f"prompt: {name} is token {unknown}, but the model has {self.vocabulary}; remove it")
        return ids

    @functools.cached_property
    def _with_other_names(self) -> tuple[tokenizers.Tokenizer, dict[int, int]]:
        """The same tokenizer with other names for its special tokens, and which token each of those is."""
        with library_errors(self.name, TokenizerError):
            values: dict[str, Any] = read_untrusted_json(self._library.to_str())
            known = {}
            for token in values["added_tokens"]:
                if token["id"] in self.special:
                    token["content"] = _renamed(token["content"])
                    known[token["content"]] = token["id"]
            library = tokenizers.Tokenizer.from_str(json.dumps(values))
            ids = {library.token_to_id(name): id for name, id in known.items()}
            return library, {number: id for number, id in ids.items() if number is not None}


def _renamed(name: str) -> str:
    """Another name for a special token, which no text contains."""
    return f"{_RENAMED}{name}{_RENAMED}"


@contextlib.contextmanager
def library_errors(name: str, kind: type[PromptError | TokenizerError]) -> Iterator[None]:
    """Turn what the library raises into an error of one line; it panics for some files that it has accepted."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, PromptError, TokenizerError):
        raise
    except BaseException as error:  # a panic is not an Exception
        reason = one_line(str(error), _LONGEST_REASON)
        raise kind(f"{name}: its tokenizer cannot be used ({reason}); use another copy of the model") from None


def byte_letters() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for: itself if printable, else one from U+0100 on."""
    letters: dict[str, int] = {}
    others = 0
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            letters[chr(byte)] = byte
        else:
            letters[chr(256 + others)] = byte
            others += 1
    return letters


def byte_level(token: str, letters: dict[str, int]) -> bytes:
    """The bytes of a token of a byte-level vocabulary."""
    try:
        return bytes(letters[letter] for letter in token)
    except KeyError:  # a token that was added to the vocabulary as plain text
        return token.encode()


def sentence_piece(token: str) -> bytes:
    """The bytes of a token of a SentencePiece vocabulary; one such as `<0x0A>` is a byte."""
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        with contextlib.suppress(ValueError):
            return bytes([int(token[3:5], 16)])
    return token.replace(WORD_BOUNDARY, " ").encode()
