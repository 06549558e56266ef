"""Quantized types of GGUF files: how blocks of values are stored, and the numbers that they represent.

A row of a matrix consists of blocks. Each value of a block is a small whole number, its code, from which the block's
scale makes the value: scale * (code - zero) + minimum. K-quants (q4_k, q5_k, q6_k) have blocks of 256 values, and a
scale of few bits for each 32 of them (16 in q6_k). See ggml-common.h and ggml-quants.c of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

GROUP = 32
"""Values that the GPU keeps together, see `block_packs`; rows have a multiple of it."""


@dataclass(frozen=True)
class BlockType:
    """A type: blocks of `values` values in `nbytes` bytes.

    bits: of a code. zero: the code of a value of 0 where there is no minimum. minimum: blocks have one. shared: values
    that share a scale.
    """

    name: str
    values: int
    nbytes: int
    bits: int
    zero: int = 0
    minimum: bool = False
    shared: int = GROUP

    @property
    def super_blocks(self) -> bool:
        """True for a K-quant."""
        return self.values > GROUP


BLOCK_TYPES: Mapping[str, BlockType] = {
    kind.name: kind
    for kind in (
        BlockType("q4_0", 32, 18, 4, zero=8),
        BlockType("q4_1", 32, 20, 4, minimum=True),
        BlockType("q5_0", 32, 22, 5, zero=16),
        BlockType("q5_1", 32, 24, 5, minimum=True),
        BlockType("q8_0", 32, 34, 8),
        BlockType("q4_k", 256, 144, 4, minimum=True),
        BlockType("q5_k", 256, 176, 5, minimum=True),
        BlockType("q6_k", 256, 210, 6, zero=32, shared=16),
    )
}


@dataclass(frozen=True)
class Blocks:
    """The parts of blocks of n rows, each with m values.

    codes: uint8 [n, m], int8 for q8_0. scale, minimum: float32 [n, m / shared]; minimum is None where there is none.
    """

    kind: BlockType
    codes: np.ndarray
    scale: np.ndarray
    minimum: np.ndarray | None

    def values(self) -> np.ndarray:
        """The values, float32 [n, m]. Every step but the addition of the minimum is exact."""
        kind = self.kind
        numbers = self.codes.astype(np.float32)
        numbers -= np.float32(kind.zero)
        grouped = numbers.reshape(len(numbers), -1, kind.shared)
        with np.errstate(over="ignore", invalid="ignore"):  # damaged scales may be NaN or infinite, which views show
            grouped *= self.scale[:, :, None]
            if self.minimum is not None:
                grouped += self.minimum[:, :, None]
        return numbers


def row_bytes(kind: BlockType, columns: int) -> int:
    """Bytes of a row of `columns` values. ValueError unless they are whole blocks."""
    if columns % kind.values:
        raise ValueError(f"{columns} columns are not whole blocks of {kind.values}")
    return columns // kind.values * kind.nbytes


def dequantize(kind: BlockType, raw: np.ndarray) -> np.ndarray:
    """The values of `raw`, uint8 [rows, bytes of a row], as float32 [rows, columns]."""
    return split_blocks(kind, raw).values()


def split_blocks(kind: BlockType, raw: np.ndarray) -> Blocks:
    """Codes, scales and minima of `raw`, uint8 [rows, bytes of a row]."""
    rows = len(raw)
    blocks = np.ascontiguousarray(raw).reshape(rows, -1, kind.nbytes)  # [rows, blocks, bytes]
    if kind.name == "q6_k":
        return _split_q6_k(kind, blocks)
    if kind.super_blocks:
        return _split_k(kind, blocks)
    scale = _halves(blocks[..., 0:2])[..., 0]
    at = 2
    minimum = None
    if kind.minimum:
        minimum = _halves(blocks[..., 2:4])[..., 0]
        at = 4
    if kind.bits == 8:
        codes = blocks[..., at:].view(np.int8)
    else:
        packed = blocks[..., -16:]
        codes = np.concatenate([packed & 15, packed >> 4], axis=-1)
        if kind.bits == 5:
            # Bit i of a word is bit 4 of code i.
            codes |= np.unpackbits(blocks[..., at : at + 4], axis=-1, bitorder="little") << 4
    return Blocks(kind, codes.reshape(rows, -1), scale, minimum)


def _split_k(kind: BlockType, blocks: np.ndarray) -> Blocks:
    """q4_k and q5_k. The file has scale, scale of minima, 8 scales and 8 minima of 6 bits, high bits, low bits."""
    rows, count, _ = blocks.shape
    halves = _halves(blocks[..., 0:4])
    scales, minima = six_bits(blocks[..., 4:16])
    low = blocks[..., -128:].reshape(rows, count, 4, 1, 32)  # each byte has a code of one group and of the next
    codes = ((low >> np.array([0, 4], np.uint8)[:, None]) & 15).reshape(rows, count, 8, 32)
    if kind.bits == 5:
        high = blocks[..., 16:48].reshape(rows, count, 1, 32)  # bit g of byte i belongs to code i of group g
        codes |= ((high >> np.arange(8, dtype=np.uint8)[:, None]) & 1) << 4
    with np.errstate(over="ignore", invalid="ignore"):
        scale = halves[..., :1] * scales.astype(np.float32)
        minimum = -(halves[..., 1:] * minima.astype(np.float32))
    return Blocks(kind, codes.reshape(rows, -1), scale.reshape(rows, -1), minimum.reshape(rows, -1))


def _split_q6_k(kind: BlockType, blocks: np.ndarray) -> Blocks:
    """The file has low halves of codes, high quarters, 16 signed scales and the scale of scales."""
    rows, count, _ = blocks.shape
    # Of 128 codes each: byte i has codes i and i + 64, and i + 32 and i + 96, in its halves.
    low = blocks[..., :128].reshape(rows, count, 2, 1, 64) >> np.array([0, 4], np.uint8)[:, None]
    high = blocks[..., 128:192].reshape(rows, count, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None]
    codes = (low & 15).reshape(rows, count, 256) | ((high & 3) << 4).reshape(rows, count, 256)
    with np.errstate(over="ignore", invalid="ignore"):
        scale = blocks[..., 192:208].view(np.int8).astype(np.float32) * _halves(blocks[..., 208:210])
    return Blocks(kind, codes.reshape(rows, -1), scale.reshape(rows, -1), None)


def six_bits(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales and minima of the 8 groups of a q4_k or q5_k block, uint8 [..., 8], from their 12 bytes [..., 12]."""
    first, second, third = packed[..., 0:4], packed[..., 4:8], packed[..., 8:12]
    scales = np.concatenate([first & 63, (third & 15) | (first >> 6 << 4)], axis=-1)
    minima = np.concatenate([second & 63, (third >> 4) | (second >> 6 << 4)], axis=-1)
    return scales, minima


def _halves(data: np.ndarray) -> np.ndarray:
    """Bytes [..., 2 n] of float16 numbers as float32 [..., n]."""
    return np.ascontiguousarray(data).view("<f2").astype(np.float32)
