"""The tokenizer in the metadata of a GGUF file: byte-level byte pairs, or SentencePiece's with scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, normalizers

from compute.errors import TokenizerError
from compute.io.escape import one_line

from .chat import ChatTemplate
from .library_tokenizer import (
    WORD_BOUNDARY,
    LibraryTokenizer,
    byte_letters,
    byte_level,
    library_errors,
    sentence_piece,
)
from .pre_tokenizers import splitting

_KEYS = "tokenizer.ggml."
_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4  # values of token_type
_KINDS = ("gpt2", "llama")
# Files name one token that ends a text. Chat models end a turn with another one, which is known by its name alone.
_ENDS_OF_TURNS = frozenset(
    ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<|end|>", "</s>"]
)


def gguf_tokenizer(name: str, where: str, metadata: Mapping[str, Any]) -> LibraryTokenizer:
    """The tokenizer of a GGUF file. where: the file, for messages; metadata: by key, as the file has them.

    Raises `TokenizerError` when the file has none, one of another type, or a damaged one.
    """
    read = _Metadata(where, metadata)
    kind = metadata.get(f"{_KEYS}model")
    if kind not in _KINDS:
        given = "has no tokenizer" if kind is None else f"has a tokenizer of type {one_line(str(kind), 40)}"
        raise TokenizerError(f"{where}: {given}; supported are gpt2 (byte-level) and llama (SentencePiece)")
    texts = read.texts("tokens")
    if len(set(texts)) != len(texts):
        raise TokenizerError(f"{where}: two of its {len(texts)} tokens are identical; use another copy of the model")
    types = read.numbers("token_type", len(texts)) or [1] * len(texts)
    with library_errors(where, TokenizerError):
        library, begins = (_byte_level if kind == "gpt2" else _sentence_piece)(read, texts, types)
        added = [id for id, type in enumerate(types) if type in (_CONTROL, _USER_DEFINED)]
        library.add_tokens(
            [AddedToken(texts[id], special=types[id] == _CONTROL, normalized=False) for id in added if texts[id]]
        )
    special = frozenset(id for id in added if types[id] == _CONTROL)
    plain = set(added)
    letters = byte_letters()
    tokens = [
        text.encode() if id in plain else byte_level(text, letters) if kind == "gpt2" else sentence_piece(text)
        for id, text in enumerate(texts)
    ]
    begin, end = read.token("bos_token_id", len(texts)), read.token("eos_token_id", len(texts))
    if end is None:
        raise TokenizerError(f"{where}: {_KEYS}eos_token_id is missing; use a file that names its end-of-text token")
    ends = {id for id in special if texts[id] in _ENDS_OF_TURNS}
    wanted = metadata.get(f"{_KEYS}add_bos_token", begins)
    return LibraryTokenizer(
        name,
        library,
        tokens,
        end,
        special=special,
        ends=frozenset(ends),
        begin=begin if wanted else None,
        chat=_template(where, metadata, texts, begin, end),
    )


def _byte_level(read: _Metadata, texts: list[str], types: list[int]) -> tuple[Tokenizer, bool]:
    """The library's tokenizer, and whether a text begins with a token by default."""
    split = splitting(read.metadata.get(f"{_KEYS}pre"), read.where)
    merges = []
    for merge in read.texts("merges"):
        first, space, second = merge.partition(" ")
        if not space:
            raise TokenizerError(
                f"{read.where}: {_KEYS}merges contains {one_line(merge, 40)}, which is not a pair; use another copy"
            )
        merges.append((first, second))
    vocabulary = {text: id for id, text in enumerate(texts)}
    library = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=split.whole))
    normalizer = split.normalizer()
    if normalizer is not None:
        library.normalizer = normalizer
    library.pre_tokenizer = split.pre_tokenizer()
    return library, split.begin


def _sentence_piece(read: _Metadata, texts: list[str], types: list[int]) -> tuple[Tokenizer, bool]:
    scores = read.floats("scores", len(texts))
    vocabulary = {text: id for id, text in enumerate(texts)}
    unknown = next((text for text, type in zip(texts, types, strict=True) if type == _UNKNOWN), None)
    library = Tokenizer(
        models.BPE(vocabulary, _merges(vocabulary, scores, types), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    boundary: list[normalizers.Normalizer] = [normalizers.Replace(" ", WORD_BOUNDARY)]
    if read.metadata.get(f"{_KEYS}add_space_prefix", True):
        boundary.insert(0, normalizers.Prepend(WORD_BOUNDARY))
    library.normalizer = normalizers.Sequence(boundary)
    return library, True


def _merges(vocabulary: dict[str, int], scores: Sequence[float], types: list[int]) -> list[tuple[str, str]]:
    """The pairs that make each token, best score first. SentencePiece stores only the scores of the results."""
    found: list[tuple[float, int, int, str, str]] = []
    usable = {text: id for text, id in vocabulary.items() if types[id] in (1, _USER_DEFINED)}
    for text, id in usable.items():
        for at in range(1, len(text)):
            first, second = text[:at], text[at:]
            if first in usable and second in usable:
                found.append((-scores[id], usable[first], usable[second], first, second))
    found.sort(key=lambda pair: pair[:3])
    return [(first, second) for *_, first, second in found]


def _template(
    where: str, metadata: Mapping[str, Any], texts: list[str], begin: int | None, end: int
) -> ChatTemplate | None:
    source = metadata.get("tokenizer.chat_template")
    if not isinstance(source, str):
        return None
    names = {"eos_token": texts[end], **({} if begin is None else {"bos_token": texts[begin]})}
    return ChatTemplate(source, where, tuple(sorted(names.items())))


class _Metadata:
    """The tokenizer's metadata, checked."""

    def __init__(self, where: str, metadata: Mapping[str, Any]) -> None:
        self.where, self.metadata = where, metadata

    def texts(self, key: str) -> list[str]:
        """A list of strings, of at least one."""
        found = list(self._array(key) or ())
        if not found or not all(isinstance(text, str) for text in found):
            raise TokenizerError(f"{self.where}: {_KEYS}{key} must be a list of texts; use another copy of the model")
        return found

    def numbers(self, key: str, count: int) -> list[int]:
        """A list of `count` whole numbers; empty if it is missing."""
        found = self._array(key)
        return [] if found is None else [int(number) for number in self._counted(key, found, count)]

    def floats(self, key: str, count: int) -> list[float]:
        """A list of `count` numbers."""
        return [float(number) for number in self._counted(key, self._array(key) or (), count)]

    def token(self, key: str, count: int) -> int | None:
        """A token's id, None if it is missing."""
        value = self.metadata.get(f"{_KEYS}{key}")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
            raise TokenizerError(
                f"{self.where}: {_KEYS}{key} is {one_line(str(value), 40)}, must be from 0 to {count - 1}"
            )
        return value

    def _array(self, key: str) -> Sequence[Any] | None:
        value = self.metadata.get(f"{_KEYS}{key}")
        if value is None or (hasattr(value, "__len__") and not isinstance(value, (str, bytes))):
            return value  # a list, or an array of numbers
        raise TokenizerError(f"{self.where}: {_KEYS}{key} must be a list; use another copy of the model")

    def _counted(self, key: str, found: Sequence[Any], count: int) -> Sequence[Any]:
        if len(found) != count:
            raise TokenizerError(
                f"{self.where}: {_KEYS}{key} has {len(found)} items for {count} tokens; use another copy of the model"
            )
        return found
