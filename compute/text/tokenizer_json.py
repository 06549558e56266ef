"""The tokenizer in a Hugging Face folder: `tokenizer.json`, and the files next to it that say how it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tokenizers

from compute.errors import TokenizerError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.io.untrusted_json import read_untrusted_json

from .chat import ChatTemplate
from .library_tokenizer import LibraryTokenizer, byte_letters, byte_level, library_errors, sentence_piece

FILE = "tokenizer.json"
LARGEST_BYTES = 128 << 20
"""Of `tokenizer.json`; that of Gemma, with 262,144 tokens, has 33 MB."""
_LARGEST_OTHER_BYTES = 8 << 20
# What the tokenizers of the supported architectures consist of. The library panics for some values of other parts.
_ALLOWED = {
    "normalizer": {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Replace", "Prepend", "Strip", "Lowercase"},
    "pre_tokenizer": {"Sequence", "ByteLevel", "Split", "Digits", "Metaspace", "Punctuation", "WhitespaceSplit"},
}
# Repeating a group can take a time that doubles with each character, and no known pattern does.
_REPEATED_GROUP = re.compile(r"\)[*+]|\)\{[0-9]*,\}")
_SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token")


def folder_tokenizer(folder: Path, name: str, vocabulary: int) -> LibraryTokenizer:
    """The tokenizer in `folder`, for a model with `vocabulary` tokens.

    Ids past the tokenizer's own belong to no text. Raises `TokenizerError` when it cannot be read, is of another type,
    or has tokens that the model lacks.
    """
    path = folder / FILE
    shown = one_line(path)
    values, data = _read(path, LARGEST_BYTES)
    _check(values, shown)
    config = _optional(folder / "tokenizer_config.json")
    with library_errors(shown, TokenizerError):
        library = tokenizers.Tokenizer.from_buffer(data)
        library.no_truncation()
        library.no_padding()
        ids: dict[str, int] = library.get_vocab(with_added_tokens=True)
        added = dict(library.get_added_tokens_decoder())
        template = _begin_of_template(library, added)
    texts = _texts(values, ids, added, vocabulary, shown)
    named = {key: text for key in _SPECIAL_NAMES if (text := _content(config.get(key))) is not None}
    begin = ids.get(named.get("bos_token", "")) if config.get("add_bos_token") is True else template
    ends = _ends(folder, named, ids, vocabulary)
    if not ends:
        raise TokenizerError(f"{shown}: no file next to it names a token that ends a text; add tokenizer_config.json")
    return LibraryTokenizer(
        name,
        library,
        texts,
        ends[0],
        special=frozenset(id for id, token in added.items() if token.special and id < vocabulary),
        ends=frozenset(ends),
        begin=None if config.get("add_bos_token") is False else begin,
        chat=_template(folder, config, named),
    )


def _read(path: Path, largest: int) -> tuple[dict[str, Any], bytes]:
    """The JSON object in a file, and its bytes. Raises `TokenizerError`."""
    shown = one_line(path)
    with read_errors_as(TokenizerError, shown):
        size = path.stat().st_size
        if size > largest:
            raise TokenizerError(
                f"{shown}: has {size / 1e6:,.0f} MB, more than {largest / 1e6:,.0f} MB; check the file"
            )
        data = path.read_bytes()
    try:
        values = read_untrusted_json(data)
    except ValueError as error:
        raise TokenizerError(f"{shown}: is not JSON ({one_line(str(error), 100)}); fetch or copy it again") from None
    if not isinstance(values, dict):
        raise TokenizerError(f"{shown}: is not a JSON object; fetch or copy it again")
    return values, data


def _optional(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is no such file."""
    return _read(path, _LARGEST_OTHER_BYTES)[0] if path.exists() else {}


def _check(values: dict[str, Any], shown: str) -> None:
    """Refuse tokenizers of other types, and parts that change what a token's text is."""
    model = values.get("model")
    if not isinstance(model, dict):
        raise TokenizerError(f"{shown}: has no model; fetch or copy it again")
    kind = model.get("type", "BPE")
    if kind != "BPE":
        raise TokenizerError(f"{shown}: is of type {one_line(str(kind), 40)}; only BPE is supported")
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key):
            raise TokenizerError(f"{shown}: uses {key}, which is not supported; use another model")
    for part, allowed in _ALLOWED.items():
        for item in _parts(values.get(part)):
            kind = item.get("type")
            if not isinstance(kind, str) or kind not in allowed:
                raise TokenizerError(
                    f"{shown}: its {part} is {one_line(str(kind), 40)}; supported are {', '.join(sorted(allowed))}"
                )
            pattern = item.get("pattern")
            regex = pattern.get("Regex") if isinstance(pattern, dict) else None
            if isinstance(regex, str) and _REPEATED_GROUP.search(regex):
                raise TokenizerError(
                    f"{shown}: its {part} repeats a group ({one_line(regex, 60)}), which can take forever; use another"
                    " model"
                )
    if not _is_byte_level(values) and not model.get("byte_fallback"):
        raise TokenizerError(
            f"{shown}: is neither byte-level nor has a token for each byte, so it cannot encode any text"
        )


def _parts(value: object) -> Iterator[dict[str, Any]]:
    """A part of the tokenizer and those that it consists of."""
    if isinstance(value, dict):
        yield value
        for key in ("normalizers", "pretokenizers", "decoders"):
            for item in value.get(key) or () if isinstance(value.get(key), list) else ():
                yield from _parts(item)


def _is_byte_level(values: dict[str, Any]) -> bool:
    return any(item.get("type") == "ByteLevel" for item in _parts(values.get("pre_tokenizer")))


def _begin_of_template(library: tokenizers.Tokenizer, added: Mapping[int, tokenizers.AddedToken]) -> int | None:
    """The token that the tokenizer itself puts before a text."""
    with_all, without = library.encode("a").ids, library.encode("a", add_special_tokens=False).ids
    first = with_all[0] if len(with_all) > len(without) else -1
    return first if first in added and added[first].special else None


def _texts(
    values: dict[str, Any], ids: dict[str, int], added: Mapping[int, tokenizers.AddedToken], vocabulary: int, shown: str
) -> list[bytes]:
    """The bytes of each of the model's tokens."""
    beyond = [id for id in ids.values() if id >= vocabulary and id not in added]
    if beyond:
        raise TokenizerError(
            f"{shown}: has token {max(beyond)}, but the model has {vocabulary} tokens; use files that belong together"
        )
    letters, whole = byte_letters(), _is_byte_level(values)
    found = [f"[{id}]".encode() for id in range(vocabulary)]
    for text, id in ids.items():
        if id < vocabulary:
            if id in added:
                found[id] = added[id].content.encode()
            else:
                found[id] = byte_level(text, letters) if whole else sentence_piece(text)
    return found


def _content(value: object) -> str | None:
    """A special token's text, which files write in two ways."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) and value else None


def _ends(folder: Path, named: Mapping[str, str], ids: Mapping[str, int], vocabulary: int) -> list[int]:
    """The tokens that end a text: first the tokenizer's own, then others at which a generation ends."""
    found = [ids[named["eos_token"]]] if named.get("eos_token") in ids else []
    for file in ("generation_config.json", "config.json"):
        value = _optional(folder / file).get("eos_token_id")
        found += [id for id in (value if isinstance(value, list) else [value]) if type(id) is int]
    return [id for id in dict.fromkeys(found) if 0 <= id < vocabulary]


def _template(folder: Path, config: Mapping[str, Any], named: Mapping[str, str]) -> ChatTemplate | None:
    path = folder / "chat_template.jinja"
    if path.exists():
        shown = one_line(path)
        with read_errors_as(TokenizerError, shown):
            data = path.read_bytes()
        try:
            return ChatTemplate(data.decode(), shown, tuple(sorted(named.items())))
        except UnicodeDecodeError:
            raise TokenizerError(f"{shown}: is not UTF-8; fetch or copy it again") from None
    source = config.get("chat_template")
    if isinstance(source, list):  # several templates with names, of which one is the usual
        usual = [item for item in source if isinstance(item, dict) and item.get("name") == "default"]
        source = usual[0].get("template") if usual else None
    if not isinstance(source, str):
        return None
    return ChatTemplate(source, one_line(folder / "tokenizer_config.json"), tuple(sorted(named.items())))


def is_tokenizer_folder(folder: Path) -> bool:
    """True for a folder with a tokenizer in it."""
    return (folder / FILE).is_file()
