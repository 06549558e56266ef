"""Quantized types: the values of blocks by the format's definition, and the packs that the GPU reads."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from compute.selftest.models import random_blocks
from compute.weights.block_packs import packed, packs_per_row
from compute.weights.block_types import BLOCK_TYPES, BlockType, dequantize, row_bytes

KINDS = pytest.mark.parametrize("kind", BLOCK_TYPES.values(), ids=lambda kind: kind.name)


def half(block: bytes, at: int) -> float:
    return float(struct.unpack_from("<e", block, at)[0])


def by_definition(kind: BlockType, block: bytes) -> list[float]:
    """The values of a block in float64, value by value as ggml-quants.c of llama.cpp defines them."""
    if kind.name == "q8_0":
        return [half(block, 0) * struct.unpack_from("b", block, 2 + i)[0] for i in range(32)]
    if kind.name in ("q4_k", "q5_k"):
        return [k_value(kind, block, i) for i in range(256)]
    if kind.name == "q6_k":
        return [q6_k_value(block, i) for i in range(256)]
    values = []
    for i in range(32):
        code = block[len(block) - 16 + i % 16] >> (4 * (i // 16)) & 15
        if kind.bits == 5:
            code |= (struct.unpack_from("<I", block, 4 if kind.minimum else 2)[0] >> i & 1) << 4
        values.append(half(block, 0) * code + half(block, 2) if kind.minimum else half(block, 0) * (code - kind.zero))
    return values


def k_value(kind: BlockType, block: bytes, i: int) -> float:
    group, s = i // 32, block[4:16]
    if group < 4:
        scale, minimum = s[group] & 63, s[group + 4] & 63
    else:
        scale = s[group + 4] & 15 | s[group - 4] >> 6 << 4
        minimum = s[group + 4] >> 4 | s[group] >> 6 << 4
    code = block[len(block) - 128 + i // 64 * 32 + i % 32] >> (4 * (group % 2)) & 15
    if kind.bits == 5:
        code |= (block[16 + i % 32] >> group & 1) << 4
    return half(block, 0) * scale * code - half(block, 2) * minimum


def q6_k_value(block: bytes, i: int) -> float:
    of128, inside = divmod(i, 128)
    low = block[64 * of128 + inside % 64] >> (4 * (inside // 64)) & 15
    high = block[128 + 32 * of128 + inside % 32] >> (2 * (inside // 32)) & 3
    scale: int = struct.unpack_from("b", block, 192 + i // 16)[0]
    return half(block, 208) * scale * ((low | high << 4) - 32)


@KINDS
def test_values_are_those_of_the_definition(kind: BlockType) -> None:
    raw = random_blocks(kind, 5, 3 * kind.values)
    found = dequantize(kind, raw)
    blocks = raw.reshape(5, 3, kind.nbytes)
    expected = [[value for block in row for value in by_definition(kind, block.tobytes())] for row in blocks]
    assert found.dtype == np.float32
    assert found.shape == (5, 3 * kind.values)
    assert np.array_equal(found, np.asarray(expected).astype(np.float32))
    assert 0.05 < float(np.abs(found).mean()) < 20


@KINDS
def test_any_bits_give_what_the_gguf_library_gives(kind: BlockType) -> None:
    gguf = pytest.importorskip("gguf")
    raw = np.random.default_rng(1).integers(0, 256, (7, 3 * kind.nbytes), np.uint8)
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[kind.name.upper()])
    assert np.array_equal(dequantize(kind, raw), expected, equal_nan=True)


@KINDS
@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 9, 17])
def test_packs_are_hardly_larger_than_blocks(kind: BlockType, blocks: int) -> None:
    columns = blocks * kind.values
    packs = packed(kind, random_blocks(kind, 3, columns))
    assert packs.dtype == np.uint32
    assert packs.shape == (3, packs_per_row(kind, columns), 4)
    parts = {4: 2, 5: 3, 8: 2, 6: 4}[kind.bits]
    assert packs.nbytes / 3 <= row_bytes(kind, columns) + 16 * parts
    # No bit is lost: as many different rows as in the file.
    assert math.prod(packs.shape) * 4 >= 3 * row_bytes(kind, columns)


def test_rows_are_whole_blocks() -> None:
    with pytest.raises(ValueError, match="33 columns are not whole blocks of 32"):
        row_bytes(BLOCK_TYPES["q4_0"], 33)
