"""GGUF files: header, metadata, and the tensors with their blocks."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from compute.errors import CheckpointError
from compute.weights.block_packs import packed, packs_per_row
from compute.weights.block_types import BLOCK_TYPES, dequantize
from compute.weights.gguf_file import GgufFile
from compute.weights.gguf_header import Strings

from ..mutation import change_bytes
from ..scratch import folder
from ..target import Target, may_refuse
from helpers.make_gguf import blocks, gguf_bytes, plain


def seeds() -> Sequence[bytes]:
    """A file with metadata of several types, and one with tensors of all."""
    metadata = {"general.architecture": "llama", "n": 7, "x": 0.5, "yes": True, "words": ["a", "Ġb", ""], "f": [1, 2]}
    tensors = {dtype: plain(np.ones((2, 3), np.float32), dtype) for dtype in ("f32", "f16", "bf16")}
    small = {dtype: blocks(dtype, 2, kind.values) for dtype, kind in BLOCK_TYPES.items() if not kind.super_blocks}
    large = {dtype: blocks(dtype, 1, kind.values) for dtype, kind in BLOCK_TYPES.items() if kind.super_blocks}
    return [gguf_bytes(metadata, tensors), gguf_bytes({}, small), gguf_bytes({"general.alignment": 8}, large)]


def use(data: bytes) -> None:
    """Open the file, decode every string, and convert every tensor."""
    path = folder() / "model.gguf"
    path.write_bytes(data)
    with may_refuse(CheckpointError):
        file = GgufFile(path)
    try:
        for value in file.metadata.values():
            if isinstance(value, Strings):
                assert len(list(value)) == len(value)
        for name, stored in file.tensors.items():
            tensor = file.tensor(name)
            if stored.dtype in BLOCK_TYPES:
                kind, columns = BLOCK_TYPES[stored.dtype], stored.shape[-1]
                assert dequantize(kind, tensor).size == np.prod(stored.shape)
                assert packed(kind, tensor).shape[1] == packs_per_row(kind, columns)
            tensor.tobytes()
            file.release(name)
    finally:
        file.close()


def change(data: bytes, chance: random.Random) -> bytes:
    """Change mostly the header, of which little is at the end."""
    if chance.random() < 0.8:
        end = min(len(data), chance.choice((24, 200, 400)))
        return change_bytes(data[:end], chance) + data[end:]
    return change_bytes(data, chance)


TARGET = Target(use, seeds, change)
