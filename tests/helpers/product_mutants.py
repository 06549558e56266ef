"""Wrong kernels of matrix products and attention, and the checks that must notice them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from compute.forward.tiling import FewRows, Tiles
from compute.gpu.subgroups import subgroup_lanes
from compute.selftest import attention, joined_products, matmul
from compute.selftest.check import Check
from compute.selftest.gpu import Gpu


def lanes(case: matmul.Product) -> Callable[[Gpu], Iterator[Check]]:
    return lambda gpu: iter([matmul.product(gpu, dataclasses.replace(case, lanes=subgroup_lanes(gpu.kernels)))])


def attention_by_lanes(*, window: int = 0) -> Callable[[Gpu], Iterator[Check]]:
    def check(gpu: Gpu) -> Iterator[Check]:
        chunks, lanes = attention.chunks_of(37), subgroup_lanes(gpu.kernels)
        yield attention.attention(gpu, "texture", 3, 12, 37, chunks, window=window, lanes=lanes)

    return check


def head_rows(gpu: Gpu) -> Iterator[Check]:
    yield matmul.head_rows(gpu, 36, 300, 20, "bf16", shards=(133,))


def attention_in_tiles(gpu: Gpu) -> Iterator[Check]:
    yield attention.attention(gpu, "buffer", 3, 20, 70, [(32, 32), (64, 38)], tiled=True)


def few(inputs: int, *, subgroups: bool = False, ahead: int = 2) -> Callable[[Gpu], Iterator[Check]]:
    tiling = FewRows(16, 4, 64 if ahead > 1 else 32, 2, ahead=ahead)
    case = matmul.Product(inputs, 36, 18, valid=5, bias=False, tiling=tiling, subgroups=subgroups)
    return lambda gpu: iter([matmul.product(gpu, case)])


def few_normed(kind: str) -> Callable[[Gpu], Iterator[Check]]:
    return lambda gpu: iter([joined_products.normed(gpu, kind, 132, 10, FewRows(16, 3, 32))])


def few_stored(gpu: Gpu) -> Iterator[Check]:
    yield joined_products.stored(gpu, joined_products.packed(3, 3, 12), FewRows(16, 3, 32))


# Shader, text in it, replacement, and the checks that must fail.
PRODUCTS_AND_ATTENTION = (
    ("forward/matmul_rows", "bias[out]", "1.001 * bias[out]",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(20, 36, 1))])),
    ("forward/matmul_rows", "0.044715", "0.0449", lambda gpu: iter([matmul.gelu_extremes(gpu)])),
    ("forward/matmul_rows", "r < state.rows", "r <= state.rows",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(36, 20, 16, valid=5))])),
    ("forward/matmul_lanes", "bias[out]", "1.001 * bias[out]", lanes(matmul.Product(20, 36, 1, "texture"))),
    ("forward/matmul_lanes", "subgroupBroadcast(x0, 1u)", "subgroupBroadcast(x0, 2u)",
     lanes(matmul.Product(36, 20, 4, "texture", "bf16"))),
    ("forward/matmul_lanes", "min(lane, 0u)", "1u", lanes(matmul.Product(36, 20, 4, "texture", "f16"))),
    ("forward/matmul_lanes", "tile.x * ROWS + 1u", "tile.x * ROWS", lanes(matmul.Product(36, 20, 16, "texture"))),
    ("forward/matmul_rows", "select(v, 0.0,", "select(v, 0.001,",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(36, 20, 16, epilogue="relu"))])),
    ("forward/matmul_tiled", "select(v, 0.0,", "select(v, 0.001,",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(36, 20, 16, epilogue="relu", tiling=Tiles(4, 4, 4, 8)))])),
    ("forward/matmul_tiled", "out, sum)", "out, 0.001 + sum)",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(36, 20, 16, bias=False, tiling=Tiles(4, 4, 4, 8)))])),
    ("forward/matmul_tiled", "r < state.rows &&", "r <= state.rows &&",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(36, 20, 16, valid=5, tiling=Tiles(4, 4, 4, 8)))])),
    ("forward/matmul_tiled", "row * PACKS + pair]", "row * PACKS + pair / 2u]",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(40, 20, 16, dtype="f16", tiling=Tiles(4, 4, 4, 8)))])),
    ("forward/matmul_tiled", "buffer = 1u - buffer", "buffer = 0u",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(400, 64, 64, tiling=Tiles(4, 4, 16, 16)))])),
    ("forward/attention_rows", "score = score_of(score)", "score = score_of(1.001 * score)",
     lambda gpu: iter([attention.attention(gpu, "buffer", 3, 12, 37, attention.chunks_of(37))])),
    ("forward/attention_rows", "head / GROUP", "head % 2u",
     lambda gpu: iter([attention.attention(gpu, "buffer", 6, 12, 37, attention.chunks_of(37), kv_heads=2)])),
    ("forward/attention_lanes", "if (start == start_of(row + turn - 1u)) { continue; }", "if (turn > 0u) { continue; }",
     attention_by_lanes(window=7)),
    ("forward/attention_lanes", "base + 1u < keys1", "base + 1u < keys0", attention_by_lanes()),
    ("forward/attention_lanes", "weight * value0", "1.001 * weight * value0", attention_by_lanes()),
    ("forward/head_rows", "partial[first + 7u]", "partial[first + 6u]", head_rows),
    ("forward/head_rows", "row0 + r < state.rows", "row0 + r <= state.rows", head_rows),
    ("forward/head_rows", "+ bias[params.first_out", "+ bias[0u * params.first_out", head_rows),
    ("forward/matmul_tiled", "sums[1][line]", "sums[0][line]",
     lambda gpu: iter([matmul.product(gpu, matmul.Product(100, 36, 40, bias=False, tiling=Tiles(4, 4, 8, 4, 2)))])),
    ("forward/matmul_few", "/ RESULTS * PARTS + part", "/ RESULTS * PARTS", few(260, subgroups=True)),
    ("forward/matmul_few", "r >= state.rows ||", "r > state.rows ||", few(260)),
    ("forward/matmul_few", "partial[at + half]", "partial[at]", few(260)),
    ("forward/matmul_few", "step + place < LOADS", "true", few(260, ahead=1)),
    ("forward/matmul_few", "* deviations[r % ROWS].x", "* 1.001 * deviations[r % ROWS].x", few_normed("rms")),
    ("forward/matmul_few", "vec4f(deviation.y)", "vec4f(0.0)", few_normed("layer")),
    ("forward/matmul_few", "+ 0.01)", "+ 0.0101)", few_normed("layer without shift")),
    ("forward/matmul_few", "scale[quad] + vec4f(f32(1.0))", "scale[quad]", few_normed("rms with offset")),
    ("forward/matmul_few", "params.norm_offset + (state.first_row + row0", "params.norm_offset + (state.first_row",
     few_normed("layer")),
    ("forward/matmul_few", "keep_channel(t, 36u", "keep_channel(t, 32u", few_stored),
    ("forward/matmul_few", "store_head(state.first_row + r", "store_head(r", few_stored),
    ("forward/attention_tiled", "total * shrink", "total", attention_in_tiles),
    ("forward/attention_tiled", "keys <= vec4u(row)", "keys < vec4u(row)", attention_in_tiles),
)  # fmt: skip
