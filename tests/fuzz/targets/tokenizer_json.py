"""`tokenizer.json` and the files next to it, of models that bring their own tokenizer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from compute.errors import PromptError, TokenizerError
from compute.text.tokenizer_json import folder_tokenizer

from ..mutation import change_json
from ..scratch import folder
from ..sections import change_sections, joined, written
from ..target import Target, may_refuse

_TOKENS = 12
_NAMES = [
    "model", "vocab", "merges", "added_tokens", "content", "id", "special", "normalizer", "pre_tokenizer", "type",
    "pretokenizers", "Sequence", "Split", "pattern", "Regex", "String", "ByteLevel", "Digits", "Replace", "Prepend",
    "post_processor", "decoder", "truncation", "padding", "eos_token", "bos_token", "add_bos_token", "chat_template",
    "eos_token_id", "ignore_merges", "byte_fallback", "fuse_unk", "unk_token", "NFC", "(a+)+", "<s>", "</s>",
]  # fmt: skip
_change = change_json(_NAMES)
_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")
_CHANGES: dict[str, Any] = dict.fromkeys(_FILES, _change)
_TEXTS = ("", "abc ab</s>12", "\U0001f600 \n\n  é")


def seeds() -> Sequence[bytes]:
    """A byte-level tokenizer and one with a byte as a token."""
    vocabulary = {"</s>": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "\u2581": 5, "\u0120": 6, "abc": 7, "<0x41>": 8}
    model: dict[str, Any] = {
        "type": "BPE",
        "vocab": vocabulary,
        "merges": [["a", "b"], ["ab", "c"]],
        "byte_fallback": True,
    }
    added = {"id": 0, "content": "</s>", "special": True, "normalized": False, "lstrip": False, "rstrip": False,
             "single_word": False}  # fmt: skip
    split = {"type": "Split", "pattern": {"Regex": "a|b+"}, "behavior": "Isolated", "invert": False}
    letters = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    parts = {"type": "Sequence", "pretokenizers": [split, letters]}
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    common = {"version": "1.0", "added_tokens": [added], "post_processor": None, "decoder": None}
    made = [
        {**common, "normalizer": {"type": "NFC"}, "pre_tokenizer": parts, "model": model},
        {**common, "normalizer": spaces, "pre_tokenizer": None, "model": model | {"merges": [["a", "b"]]}},
    ]
    config = {"eos_token": "</s>", "chat_template": "{{ messages }}", "add_bos_token": False}
    return [
        joined({name: json.dumps(value).encode() for name, value in zip(_FILES, (one, config, {"eos_token_id": [3]}),
                                                                         strict=True)})
        for one in made
    ]  # fmt: skip


def use(data: bytes) -> None:
    """Read the folder, then encode and decode with it."""
    place = folder()
    written(data, place, _CHANGES)
    with may_refuse(TokenizerError):
        tokenizer = folder_tokenizer(place, "model", _TOKENS)
    for text in _TEXTS:
        with may_refuse(PromptError):
            ids = tokenizer.encode(text)
        assert ids
        assert all(0 <= id < _TOKENS for id in ids)
        tokenizer.decode(ids)
    for id in range(_TOKENS):
        tokenizer.token_label(id).encode()


TARGET = Target(use, seeds, change_sections(_CHANGES), runs=300)
