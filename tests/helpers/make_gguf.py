"""Small GGUF files, sound and broken, written here from the format's definition."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.selftest.models import random_blocks
from compute.weights.block_types import BLOCK_TYPES
from compute.weights.checkpoint import ArrayModel
from compute.weights.dtypes import DTYPES

TYPE_NUMBERS = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q4_k": 12, "q5_k": 13, "q6_k": 14,
    "bf16": 30,
}  # fmt: skip
SMALL_GPT2 = ModelConfig(layers=2, heads=4, channels=64, positions=16, vocabulary=41, padded_vocabulary=41)
GPT2_NAMES = {
    "wte": "token_embd.weight", "wpe": "position_embd.weight", "ln_f": "output_norm", "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """A tensor to write: its bytes, its shape as NumPy has it, and the format's number of its type."""

    data: bytes
    shape: tuple[int, ...]
    type: int


def string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def value(content: Any) -> bytes:
    """A metadata value with its type: bool, int (u32), float (f32), str, or a list of one of these or NumPy array."""
    kind, data = _kind(content)
    return struct.pack("<I", kind) + data


def _kind(content: Any) -> tuple[int, bytes]:
    if isinstance(content, bool):
        return 7, bytes([content])
    if isinstance(content, int):
        return 4, struct.pack("<I", content)
    if isinstance(content, float):
        return 6, struct.pack("<f", content)
    if isinstance(content, (str, bytes)):
        return 8, string(content)
    kinds = [_kind(entry) for entry in content]
    inner = kinds[0][0] if kinds else 4
    return 9, struct.pack("<IQ", inner, len(kinds)) + b"".join(data for _, data in kinds)


def gguf_bytes(
    metadata: Mapping[str, Any], tensors: Mapping[str, Stored], *, version: int = 3, alignment: int = 32
) -> bytes:
    """A whole file."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(string(key) + value(content) for key, content in metadata.items())
    body = b""
    for name, tensor in tensors.items():
        body += bytes(-len(body) % alignment)
        dimensions = tuple(reversed(tensor.shape))
        head += string(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        head += struct.pack("<IQ", tensor.type, len(body))
        body += tensor.data
    return head + bytes(-len(head) % alignment) + body


def plain(values: np.ndarray, dtype: str = "f32") -> Stored:
    """A tensor of a type that is not quantized."""
    return Stored(np.ascontiguousarray(values, DTYPES[dtype]).tobytes(), values.shape, TYPE_NUMBERS[dtype])


def blocks(dtype: str, rows: int, columns: int, seed: int = 0) -> Stored:
    """A matrix of random blocks."""
    raw = random_blocks(BLOCK_TYPES[dtype], rows, columns, seed)
    return Stored(raw.tobytes(), (rows, columns), TYPE_NUMBERS[dtype])


def gpt2_metadata(config: ModelConfig, **others: Any) -> dict[str, Any]:
    """What a GPT-2 needs; `others` replace values, with `_` for the dot after the architecture."""
    keys = {
        "general.architecture": "gpt2",
        "gpt2.block_count": config.layers,
        "gpt2.context_length": config.positions,
        "gpt2.embedding_length": config.channels,
        "gpt2.feed_forward_length": 4 * config.channels,
        "gpt2.attention.head_count": config.heads,
        "gpt2.attention.layer_norm_epsilon": 1e-5,
    }
    return keys | others


def gpt2_tensors(model: ArrayModel, types: Sequence[str] = ("f32",)) -> dict[str, Stored]:
    """The tensors of a GPT-2 under the format's names: matrices with the types in turn, random blocks for quantized."""
    tensors: dict[str, Stored] = {}
    turn = 0
    for name, values in ((name, model.tensor(name)) for name in parameter_shapes(model.config)):
        if values.ndim == 1 or name == "wpe":
            tensors[gguf_name(name)] = plain(values)
            continue
        dtype, turn = types[turn % len(types)], turn + 1
        tensors[gguf_name(name)] = (
            plain(values, dtype) if dtype in DTYPES else blocks(dtype, values.shape[0], values.shape[1], turn)
        )
    return tensors


def gguf_name(name: str) -> str:
    """The format's name of a parameter of GPT-2."""
    if name in GPT2_NAMES:
        return GPT2_NAMES[name]
    module, _, kind = name.rpartition(".")
    if module.startswith("h."):
        _, block, short = module.split(".", 2)
        return f"blk.{block}.{GPT2_NAMES[short]}.{kind}"
    return f"{GPT2_NAMES[module]}.{kind}"


def write_gguf(path: Path, metadata: Mapping[str, Any], tensors: Mapping[str, Stored], **options: int) -> Path:
    """Write a file and return its path."""
    path.write_bytes(gguf_bytes(metadata, tensors, **options))
    return path
