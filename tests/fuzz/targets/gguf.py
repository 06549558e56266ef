"""Models in GGUF files: metadata, tensor names, shapes and types."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig, RopeConfig
from compute.models.llama import LLAMA
from compute.models.names import split_name
from compute.selftest.models import loud_model

from ..models import read_every_tensor
from ..mutation import change_bytes
from ..scratch import folder
from ..target import Target
from helpers.make_gguf import Stored, blocks, gguf_bytes, gpt2_metadata, gpt2_tensors, plain

_GPT2 = ModelConfig(layers=1, heads=2, channels=32, positions=2, vocabulary=3, padded_vocabulary=3)
_LLAMA = replace(_GPT2, architecture="llama", own_kv_heads=1, own_neurons=32, rope=RopeConfig())


def seeds() -> Sequence[bytes]:
    """A GPT-2 with quantized matrices, and a Llama."""
    keys = {
        "general.architecture": "llama", "llama.block_count": 1, "llama.context_length": 2,
        "llama.embedding_length": 32, "llama.feed_forward_length": 32, "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 1e4, "llama.rope.dimension_count": 16,
        "llama.rope.scaling.type": "none", "tokenizer.ggml.tokens": ["a", "b", "c"],
    }  # fmt: skip
    tensors: dict[str, Stored] = {"rope_freqs.weight": plain(loud_model(_GPT2).tensor("ln_f.weight")[:8] + 9)}
    assert LLAMA.gguf is not None
    for name, shape in parameter_shapes(_LLAMA).items():
        block, short = split_name(name)
        stored = LLAMA.gguf.tensors[short] if block is None else f"blk.{block}.{LLAMA.gguf.tensors[short]}"
        tensors[stored] = blocks("q8_0", *shape) if len(shape) == 2 else plain(loud_model(_GPT2).tensor("ln_f.weight"))
    return [
        gguf_bytes(gpt2_metadata(_GPT2), gpt2_tensors(loud_model(_GPT2), ("q4_0", "q5_1"))),
        gguf_bytes(keys, tensors),
    ]


def use(data: bytes) -> None:
    """Open the file and read every tensor."""
    path = folder() / "model.gguf"
    path.write_bytes(data)
    read_every_tensor(path)


def change(data: bytes, chance: random.Random) -> bytes:
    """Change mostly the metadata and the list of tensors."""
    end = min(len(data), chance.choice((600, 1500, 2500)))
    return change_bytes(data[:end], chance) + data[end:]


TARGET = Target(use, seeds, change, longest=1 << 15)
