"""How quantized matrices are stored on the GPU: no larger than in the file, but in aligned words.

A row consists of packs, vectors of 4 words of 32 bits, because adapters load 16 aligned bytes at once and files have
blocks of 18, 22 or 210. Parts of the same kind lie together, with a pack per 32 values (a group) for codes of 4 bits:
the codes, their high bits where they have more than 4 and fewer than 8, and the scales. wgsl/common/quantized.wgsl
reads them.
"""

from __future__ import annotations

import numpy as np

from .block_types import GROUP, BlockType, six_bits

PACK_BYTES = 16


def packs_per_row(kind: BlockType, columns: int) -> int:
    """Packs of a row of `columns` values."""
    groups = columns // GROUP
    codes = 2 * groups if kind.bits == 8 else groups
    high = {5: -(-groups // 4), 6: -(-groups // 2)}.get(kind.bits, 0)
    if kind.name == "q6_k":
        blocks = groups // 8
        return codes + high + blocks + -(-blocks // 8)
    return codes + high + -(-groups // (4 if kind.minimum and not kind.super_blocks else 8))


def packed(kind: BlockType, raw: np.ndarray) -> np.ndarray:
    """The packs of `raw`, uint8 [rows, bytes of a row in the file]: uint32 [rows, packs, 4]."""
    rows = len(raw)
    blocks = np.ascontiguousarray(raw).reshape(rows, -1, kind.nbytes)  # [rows, blocks, bytes]
    if kind.name == "q6_k":
        parts = _q6_k(blocks)
    elif kind.super_blocks:
        parts = _k(kind, blocks)
    else:
        head = 4 if kind.minimum else 2
        high = [blocks[..., head:-16]] if kind.bits == 5 else []
        codes = blocks[..., head:] if kind.bits == 8 else blocks[..., -16:]
        parts = [codes, *high, blocks[..., :head]]
    return np.concatenate([_packs(part.reshape(rows, -1)) for part in parts], axis=1)


def _packs(part: np.ndarray) -> np.ndarray:
    """Bytes [rows, n] as uint32 [rows, packs, 4], filled up with zeros."""
    missing = -part.shape[1] % PACK_BYTES
    filled = np.pad(part, ((0, 0), (0, missing))) if missing else np.ascontiguousarray(part)
    words: np.ndarray = filled.view("<u4").reshape(len(part), -1, 4)
    return words


def _k(kind: BlockType, blocks: np.ndarray) -> list[np.ndarray]:
    rows, count, _ = blocks.shape
    low = blocks[..., -128:].reshape(rows, count, 4, 32)
    # A byte of the file has codes of two groups; here it has codes i and i + 16 of one.
    codes = np.empty((rows, count, 4, 2, 16), np.uint8)
    codes[:, :, :, 0] = (low[..., :16] & 15) | (low[..., 16:] << 4)
    codes[:, :, :, 1] = (low[..., :16] >> 4) | (low[..., 16:] & 0xF0)
    parts = [codes]
    if kind.bits == 5:
        high = blocks[..., None, 16:48] >> np.arange(8, dtype=np.uint8)[:, None] & 1  # [rows, blocks, 8, 32]
        parts.append(np.packbits(high, axis=-1, bitorder="little"))
    scales, minima = six_bits(blocks[..., 4:16])
    # Words with 4 bits per group: of the scales, of the minima, and the upper 2 bits of both.
    fields = np.stack([scales & 15, minima & 15, (scales >> 4) | (minima >> 4 << 2)], axis=2)  # [rows, blocks, 3, 8]
    nibbles = fields[..., 0::2] | (fields[..., 1::2] << 4)
    parts.append(np.concatenate([blocks[..., 0:4], nibbles.reshape(rows, count, 12)], axis=-1))
    return parts


def _q6_k(blocks: np.ndarray) -> list[np.ndarray]:
    rows, count, _ = blocks.shape
    low = blocks[..., :128].reshape(rows, count, 2, 2, 32)  # [..., half, byte of the file // 32, 32]
    codes = np.empty((rows, count, 2, 2, 2, 16), np.uint8)  # [..., half, nibble, byte of the file // 32, 16]
    codes[:, :, :, 0] = (low[..., :16] & 15) | (low[..., 16:] << 4)
    codes[:, :, :, 1] = (low[..., :16] >> 4) | (low[..., 16:] & 0xF0)
    # The file has 2 bits of 4 groups in a byte; here a byte has those of 4 neighboring codes of one group.
    spread = blocks[..., 128:192].reshape(rows, count, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    quads = spread.reshape(rows, count, 8, 8, 4)
    high = quads[..., 0] | (quads[..., 1] << 2) | (quads[..., 2] << 4) | (quads[..., 3] << 6)  # [rows, blocks, 8, 8]
    return [codes, high, blocks[..., 192:208], blocks[..., 208:210]]
