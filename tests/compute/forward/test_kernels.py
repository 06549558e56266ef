"""Kernels of the forward pass: the checks of the self-test with more sizes, storages and types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from compute.forward.tiling import FewRows, Limits, Tiles, Tiling, tiling_of
from compute.gpu.kernels import Kernel
from compute.selftest.attention import attention, chunks_of
from compute.selftest.check import difference
from compute.selftest.elementwise import activation, add, gather
from compute.selftest.joined_products import normed, norms, packed, stored
from compute.selftest.matmul import Product, gelu_extremes, product
from compute.selftest.models import normal
from compute.selftest.norm import embed, layer_norm
from compute.selftest.reference import ACTIVATIONS

from helpers.gpu import Gpu, assert_ok

pytestmark = pytest.mark.gpu

KINDS = ("texture", "buffer")
DTYPES = ("f32", "bf16", "f16")
STORED = [(kind, dtype) for kind in KINDS for dtype in DTYPES]

# -- matrix products

SHAPES = ((4, 1, 16), (20, 36, 1), (36, 100, 16), (64, 33, 1), (100, 20, 16))  # inputs, outputs, rows


@pytest.mark.parametrize(("inputs", "outputs", "rows"), SHAPES)
@pytest.mark.parametrize(("kind", "dtype"), STORED)
def test_matmul_with_every_storage_and_shape(
    gpu: Gpu, kind: str, dtype: str, inputs: int, outputs: int, rows: int
) -> None:
    assert_ok(product(gpu, Product(inputs, outputs, rows, kind, dtype)))


@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("space", ["uniform", "storage"])
@pytest.mark.parametrize("epilogue", ["none", "gelu", "relu", "residual"])
def test_matmul_with_every_epilogue(gpu: Gpu, epilogue: str, space: str, rows: int) -> None:
    # A partial chunk stores only its own rows.
    assert_ok(product(gpu, Product(36, 20, rows, "texture", "bf16", epilogue, space, valid=min(5, rows))))


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_of_a_sharded_matrix(gpu: Gpu, dtype: str) -> None:
    assert_ok(product(gpu, Product(20, 100, 16, "buffer", dtype, shards=(33, 66, 99))))


@pytest.mark.parametrize(("kind", "space"), [("texture", "uniform"), ("buffer", "storage")])
def test_matmul_of_parts_of_a_chunk(gpu: Gpu, kind: str, space: str) -> None:
    assert_ok(product(gpu, Product(64, 33, 16, kind, "f32", space=space, bias=False, at_once=4, valid=7)))


def test_matmul_without_trace(gpu: Gpu) -> None:
    assert_ok(product(gpu, Product(36, 100, 1, "texture", "bf16", bias=False, trace=False)))


LIMITS = Limits(49152, 1024)  # of NVIDIA's GPUs
TILINGS = [
    Tiles(2, 4, 8, 5), Tiles(4, 4, 16, 3, depth=16), Tiles(4, 8, 4, 3, 2, depth=4), Tiles(8, 4, 4, 4, 4, buffers=1),
    Tiles(8, 8, 4, 3, 2, depth=4), FewRows(16, 4, 64), FewRows(8, 2, 32),
]  # fmt: skip


@pytest.mark.parametrize("tiling", TILINGS, ids=str)
@pytest.mark.parametrize(("dtype", "rows", "shards"), [("f32", 16, ()), ("bf16", 70, ()), ("f16", 33, (33, 66, 99))])
def test_tiled_matmul(gpu: Gpu, dtype: str, rows: int, shards: tuple[int, ...], tiling: Tiling) -> None:
    assert_ok(product(gpu, Product(36, 100, rows, "buffer", dtype, shards=shards, tiling=tiling)))


@pytest.mark.parametrize("subgroups", [True, False])
@pytest.mark.parametrize("inputs", [260, 1028])  # more than the threads take in one step
def test_few_rows_with_and_without_subgroups(gpu: Gpu, inputs: int, subgroups: bool) -> None:
    tiling = FewRows(16, 4, 128)
    assert_ok(product(gpu, Product(inputs, 21, 18, "buffer", "bf16", valid=17, tiling=tiling, subgroups=subgroups)))


FEW = [FewRows(16, 3, 32, 2), FewRows(8, 6, 64, ahead=1), FewRows(4, 2, 32, wide=True), FewRows(16, 1, 32, 4)]


@pytest.mark.parametrize("tiling", FEW, ids=str)
@pytest.mark.parametrize("inputs", [36, 264, 520])
def test_few_rows_in_every_division(gpu: Gpu, inputs: int, tiling: FewRows) -> None:
    assert_ok(product(gpu, Product(inputs, 21, 18, "buffer", "bf16", valid=17, tiling=tiling, subgroups=True)))


@pytest.mark.parametrize("tiling", FEW[:3], ids=str)
@pytest.mark.parametrize("kind", norms(4))
def test_products_of_norms(gpu: Gpu, kind: str, tiling: FewRows) -> None:
    assert_ok(normed(gpu, kind, 268, 21, tiling, shards=(9,), subgroups=tiling.squads == 1, kept=tiling.rows != 8))


@pytest.mark.parametrize("tiling", [FEW[0], Tiles(2, 4, 8, 5), Tiles(4, 4, 8, 4, 4)], ids=str)
@pytest.mark.parametrize("attention_of", [(3, 3, 12, True), (6, 2, 20, False)])
def test_products_that_store_keys_and_values(
    gpu: Gpu, tiling: Tiling, attention_of: tuple[int, int, int, bool]
) -> None:
    heads, kv_heads, size, by_head = attention_of
    assert_ok(stored(gpu, packed(heads, kv_heads, size, by_head=by_head), tiling))


@pytest.mark.parametrize(("inputs", "split"), [(260, 4), (1024, 4), (1032, 2), (1032, 1)])
def test_tiles_over_many_inputs(gpu: Gpu, inputs: int, split: int) -> None:
    # In steps that are full or not, of pairs of quads or single ones, by groups of threads or a single one.
    tiling = Tiles(4, 4, 8, 4, split)
    assert_ok(product(gpu, Product(inputs, 70, 40, "buffer", "f16", "residual", valid=37, tiling=tiling)))


def test_few_rows_have_no_tiles() -> None:
    assert tiling_of(16, 3072, 768, LIMITS) == FewRows(16, 6, 256)
    assert tiling_of(16, 768, 3072, LIMITS) == FewRows(16, 6, 64, 4)
    assert tiling_of(16, 768, 3072, Limits(1 << 14, 256)) == FewRows(16, 6, 64, 3)
    assert tiling_of(16, 36, 108, LIMITS) == FewRows(16, 6, 32)


@pytest.mark.parametrize("limits", [LIMITS, Limits(1 << 15, 1024), Limits(1 << 14, 256)], ids=str)
@pytest.mark.parametrize("rows", [65, 256, 1024])
@pytest.mark.parametrize(("inputs", "outputs"), [(36, 100), (768, 2304), (768, 3072), (1600, 4800), (768, 50304)])
def test_the_tiling_fills_a_gpu_within_its_limits(inputs: int, outputs: int, rows: int, limits: Limits) -> None:
    tiling = tiling_of(rows, inputs, outputs, limits)
    assert isinstance(tiling, Tiles)
    assert tiling.nbytes <= limits.nbytes
    assert tiling.threads <= limits.threads
    assert tiling.down in (4, 8) or tiling.down % 8 == 0
    tiles = -(-rows // tiling.rows) * -(-outputs // tiling.outs)
    assert inputs < 768 or tiles >= 96


def test_tiles_of_prompts() -> None:
    assert tiling_of(256, 768, 2304, LIMITS) == Tiles(8, 8, 8, 9, 4)
    assert tiling_of(256, 768, 3072, LIMITS) == Tiles(8, 8, 8, 12, 4, buffers=1)
    assert tiling_of(256, 3072, 768, LIMITS) == Tiles(4, 8, 8, 6, 8, buffers=1)
    assert tiling_of(1024, 768, 3072, LIMITS) == Tiles(8, 8, 16, 24, depth=16, buffers=1)


@pytest.mark.parametrize(("bias", "trace"), [(True, False), (False, True)])
@pytest.mark.parametrize("epilogue", ["none", "gelu", "relu", "residual"])
def test_tiled_matmul_with_every_epilogue(gpu: Gpu, epilogue: str, bias: bool, trace: bool) -> None:
    for tiling in (Tiles(4, 4, 4, 5), Tiles(4, 4, 8, 3, 2), FewRows(16, 4, 64)):
        case = Product(20, 36, 70, "buffer", "bf16", epilogue, bias=bias, trace=trace, valid=65, tiling=tiling)
        assert_ok(product(gpu, case))


def test_gelu_of_extreme_values(gpu: Gpu) -> None:
    assert_ok(gelu_extremes(gpu))


# -- layer norm and embedding

PLAIN: dict[str, int | str] = {"channels": 20, "epsilon": "1e-05", "shift": True, "trace": False, "head": False}


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize(
    ("channels", "rows", "valid"), [(4, 1, 1), (20, 16, 16), (36, 16, 5), (100, 1, 1), (192, 16, 2)]
)
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_layer_norm(gpu: Gpu, channels: int, rows: int, valid: int, head: bool, offset: float) -> None:
    assert_ok(layer_norm(gpu, channels, rows, valid, head=head, offset=offset))


@pytest.mark.parametrize("epsilon", [1e-6, 0.25, 3.0])
@pytest.mark.parametrize("shifted", [False, True])
def test_layer_norm_with_options(gpu: Gpu, shifted: bool, epsilon: float) -> None:
    assert_ok(layer_norm(gpu, 36, 16, 5, head=True, shifted=shifted, epsilon=epsilon))


def test_layer_norm_of_a_constant_row_is_its_shift(gpu: Gpu) -> None:
    y, shift = gpu.empty(20), normal(20)
    gpu.run(
        gpu.kernels.get("forward/layer_norm", **PLAIN).dispatch(
            (1, 1, 1),
            {
                "state": gpu.state(), "params": gpu.params(), "x": gpu.buffer(np.full(20, 2.5)),
                "scale": gpu.buffer(normal(20, seed=1)), "shift": gpu.buffer(shift), "y": y,
            },
        )
    )  # fmt: skip
    assert difference(gpu.read(y, 20), shift) <= 1e-6


@pytest.mark.parametrize(("channels", "rows", "valid"), [(4, 1, 1), (20, 16, 5), (40, 16, 16), (100, 1, 1)])
@pytest.mark.parametrize(("kind", "dtype"), STORED)
def test_embed(gpu: Gpu, kind: str, dtype: str, channels: int, rows: int, valid: int) -> None:
    assert_ok(embed(gpu, channels, rows, valid, kind, dtype))


# -- gather, add, activation

COLUMNS = ((4, 1, 1), (36, 16, 5), (132, 16, 16))  # columns, rows, valid rows


@pytest.mark.parametrize("by", ["token", "position"])
@pytest.mark.parametrize(("columns", "rows", "valid"), COLUMNS)
@pytest.mark.parametrize(("kind", "dtype"), STORED)
def test_gather(gpu: Gpu, kind: str, dtype: str, columns: int, rows: int, valid: int, by: str) -> None:
    assert_ok(gather(gpu, by, columns, rows, valid, kind, dtype))


def test_gather_of_positions_beyond_the_table_is_its_last_row(gpu: Gpu) -> None:
    assert_ok(gather(gpu, "position", 36, 16, 16, "buffer", "f32", position=14))


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("terms", [1, 2, 3, 4])
@pytest.mark.parametrize(("columns", "rows", "valid"), COLUMNS)
def test_add(gpu: Gpu, columns: int, rows: int, valid: int, terms: int, trace: bool) -> None:
    assert_ok(add(gpu, terms, columns, rows, valid, trace=trace))


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("function", sorted(ACTIVATIONS))
@pytest.mark.parametrize(("columns", "rows", "valid"), COLUMNS)
def test_activation(gpu: Gpu, columns: int, rows: int, valid: int, function: str, trace: bool) -> None:
    assert_ok(activation(gpu, function, columns, rows, valid, trace=trace))


# -- attention

HEADS = ((1, 16), (1, 64), (3, 20), (2, 36), (5, 4), (1, 256), (3, 64))  # heads, head size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("heads", "size"), HEADS)
def test_attention_over_a_context(gpu: Gpu, heads: int, size: int, kind: str) -> None:
    context = 150 if size == 20 else 37  # more keys than threads
    assert_ok(attention(gpu, kind, heads, size, context, chunks_of(context)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("heads", "size", "context", "chunks"),
    [(1, 20, 1, [(1, 1)]), (1, 20, 1, [(16, 1)]), (2, 16, 7, [(16, 7)])],
    ids=["one token", "one token of a chunk", "fewer rows than a chunk"],
)
def test_attention_over_few_rows(
    gpu: Gpu, kind: str, heads: int, size: int, context: int, chunks: Sequence[tuple[int, int]]
) -> None:
    assert_ok(attention(gpu, kind, heads, size, context, chunks))


@pytest.mark.parametrize("kind", KINDS)
def test_attention_with_scores_that_would_overflow(gpu: Gpu, kind: str) -> None:
    assert_ok(attention(gpu, kind, 1, 16, 20, [(16, 16), (16, 4)], scale=60.0))


# -- binding by name


def test_a_kernel_requires_exactly_its_names(gpu: Gpu) -> None:
    kernel = gpu.kernels.get("forward/layer_norm", **PLAIN)
    assert isinstance(kernel, Kernel)
    with pytest.raises(KeyError, match="shift"):
        kernel.dispatch((1, 1, 1), {"state": gpu.state(), "x": gpu.empty(20)})
    assert gpu.kernels.get("forward/layer_norm", **PLAIN) is kernel
