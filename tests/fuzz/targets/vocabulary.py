"""`vocab.json` and `tokenizer.json`, from which a folder's tokens are compared with GPT-2's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from compute.errors import CheckpointError
from compute.models.config import GPT2_SIZES
from compute.text.vocabulary import check_vocabulary
from compute.weights.hugging_face_config import config_json, read_config

from ..mutation import change_json
from ..scratch import folder
from ..sections import change_sections, joined, written
from ..target import Target, may_refuse

_CONFIG = json.dumps(config_json(GPT2_SIZES["gpt2"], "f32") | {"vocab_size": 50264})
_change = change_json(["model", "vocab", "added_tokens", "content", "id", "!", '"', "#", "<|endoftext|>"])
_CHANGES: dict[str, Any] = dict.fromkeys(("vocab.json", "tokenizer.json", "added_tokens.json"), _change)


def seeds() -> Sequence[bytes]:
    """The first tokens, in each kind of file."""
    ids = {"!": 0, '"': 1, "#": 2, "$": 3, "Ġthe": 262}
    added = [{"id": 50257, "content": "<pad>", "special": True}, {"id": 50256, "content": "<|endoftext|>"}]
    made: list[dict[str, Any]] = [
        {"vocab.json": ids},
        {"tokenizer.json": {"added_tokens": added, "model": {"type": "BPE", "vocab": ids, "merges": []}}},
        {"vocab.json": {}, "added_tokens.json": {"<pad>": 50257, "<mask>": 50258}},
    ]
    return [joined({name: json.dumps(value).encode() for name, value in files.items()}) for files in made]


def use(data: bytes) -> None:
    """Let a config refuse added tokens, then compare all tokens."""
    place = folder()
    written(data, place, _CHANGES)
    config = place / "config.json"
    config.write_text(_CONFIG)
    with suppress(CheckpointError):
        read_config(config)
    with may_refuse(CheckpointError):
        check_vocabulary(place)


TARGET = Target(use, seeds, change_sections(_CHANGES))
