"""Small llm.c checkpoints and tokenizers of odd shapes, sound and broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from compute.models.config import ModelConfig
from compute.selftest.models import loud_model
from compute.text.tokenizer import END_OF_TEXT
from compute.weights.checkpoint import ArrayModel
from compute.weights.llmc import write_llmc

TINY = ModelConfig(layers=2, heads=3, channels=12, positions=9, vocabulary=21, padded_vocabulary=24)
ODD_SHAPES = (
    TINY,
    ModelConfig(layers=1, heads=1, channels=16, positions=1, vocabulary=1, padded_vocabulary=1),
    ModelConfig(layers=3, heads=5, channels=20, positions=33, vocabulary=130, padded_vocabulary=130),
    ModelConfig(layers=1, heads=3, channels=192, positions=70, vocabulary=257, padded_vocabulary=384),
)
HEADER_NAMES = ("magic", "version", "positions", "vocabulary", "layers", "heads", "channels", "padded_vocabulary")


def tiny_model(config: ModelConfig = TINY, seed: int = 0, scale: float = 0.3) -> ArrayModel:
    """Float32 weights N(0, scale), larger than GPT-2's so that every part of the model affects the logits."""
    return loud_model(config, seed, scale)


def tiny_checkpoint(path: Path, config: ModelConfig = TINY, version: int = 3, seed: int = 0) -> Path:
    """Write `tiny_model(config, seed)` to `path` and return it."""
    write_llmc(path, config, tiny_model(config, seed).tensor, version)
    return path


def broken_checkpoint(path: Path, **header: int) -> Path:
    """Write a tiny checkpoint with other numbers in its header, by the names of `HEADER_NAMES`."""
    tiny_checkpoint(path)
    numbers = np.memmap(path, "<i4", "r+", shape=(256,))
    for name, value in header.items():
        numbers[HEADER_NAMES.index(name)] = value
    numbers.flush()
    return path


def tiny_tokens(merged: Iterable[bytes] = (b"th", b"he", b"the", b" the")) -> list[bytes]:
    """The 256 bytes, `merged` and finally `<|endoftext|>`: 261 tokens."""
    return [bytes([byte]) for byte in range(256)] + [*merged, END_OF_TEXT.encode()]


def tiny_tokenizer(
    path: Path,
    tokens: Sequence[bytes] | None = None,
    *,
    magic: int = 20240328,
    version: int = 2,
    end_of_text: int | None = None,
    count: int | None = None,
    extra: bytes = b"",
) -> Path:
    """Write a tokenizer file of `tokens` (the tiny ones by default) with any header; return its path."""
    tokens = tiny_tokens() if tokens is None else tokens
    header = np.zeros(256, "<i4")
    header[:4] = (
        magic,
        version,
        len(tokens) if count is None else count,
        len(tokens) - 1 if end_of_text is None else end_of_text,
    )
    body = b"".join(bytes([len(token)]) + token for token in tokens)
    path.write_bytes(header.tobytes() + body + extra)
    return path
