"""Every kernel of the forward pass against its NumPy reference, over odd sizes, storages and types."""

from __future__ import annotations

import numpy as np
import pytest
from gpu import UNTOUCHED, Gpu, bound

from compute import reference
from compute.kernels import Kernel, Resource
from compute.registry import Storage

KINDS = ("texture", "buffer")
DTYPES = ("f32", "bf16", "f16")
STORED = [(kind, dtype) for kind in KINDS for dtype in DTYPES]
SINK = 64  # elements before a kept result
FIRST_ROW = 3  # of a chunk, in the window


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)


def close(actual: np.ndarray, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    """Equal up to `tolerance` of the largest magnitude."""
    assert actual.shape == expected.shape
    assert np.isfinite(actual).all()
    assert np.abs(actual - expected).max() <= tolerance * max(1.0, np.abs(expected).max())


# -- matrix products

SHAPES = ((4, 1, 16), (20, 36, 1), (36, 100, 16), (64, 33, 1), (100, 20, 16))  # inputs, outputs, rows


def run_matmul(
    gpu: Gpu,
    x: np.ndarray,
    storage: Storage,
    outputs: int,
    bias: np.ndarray | None,
    *,
    epilogue: str = "none",
    space: str = "uniform",
    valid: int | None = None,
    at_once: int | None = None,
    y: np.ndarray | None = None,
    trace: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, and the kept product and result for FIRST_ROW + rows window rows."""
    rows, inputs = x.shape
    at_once = at_once or rows
    kernel = gpu.kernels.get(
        "matmul_rows", inputs=inputs, outputs=outputs, rows=at_once, x_space=space, storage=storage.kind,
        dtype=storage.dtype, tile=storage.tile, bias=bias is not None, epilogue=epilogue, trace=trace,
    )  # fmt: skip
    kept = (FIRST_ROW + rows) * outputs
    x_buffer, sink = gpu.buffer(x), gpu.empty(SINK + 2 * kept)
    y_buffer = gpu.buffer(np.full((rows, outputs), UNTOUCHED) if y is None else y)
    state = gpu.state(first_row=FIRST_ROW, rows=rows if valid is None else valid)
    run = []
    for first in range(0, rows, at_once):
        for piece in storage.pieces:
            resources: dict[str, Resource] = {
                "state": state,
                "params": gpu.params(first, piece.first_row, piece.rows, SINK, SINK + kept),
                "x": (x_buffer, 4 * first * inputs, 4 * at_once * inputs) if space == "uniform" else x_buffer,
                "weight": bound(piece),
                "y": y_buffer,
            }
            if trace:
                resources["sink"] = sink
            if bias is not None:
                resources["bias"] = gpu.buffer(bias)
            run.append(kernel.dispatch((-(-piece.rows // 32), 1, 1), resources))
    gpu.run(*run)
    both = gpu.read(sink, 2, FIRST_ROW + rows, outputs, offset=SINK)
    return gpu.read(y_buffer, rows, outputs), both[0], both[1]


@pytest.mark.parametrize(("inputs", "outputs", "rows"), SHAPES)
@pytest.mark.parametrize(("kind", "dtype"), STORED)
def test_matmul_of_every_storage_and_shape(
    gpu: Gpu, kind: str, dtype: str, inputs: int, outputs: int, rows: int
) -> None:
    x, bias = normal(rows, inputs), normal(outputs, seed=1)
    storage, weight = gpu.weight(normal(outputs, inputs, seed=2), kind, dtype)
    y, product, _ = run_matmul(gpu, x, storage, outputs, bias)
    expected = reference.linear(x.astype(np.float64), weight, bias)
    close(y, expected)
    close(product[FIRST_ROW:], expected)
    assert (product[:FIRST_ROW] == UNTOUCHED).all()


@pytest.mark.parametrize("rows", [1, 16])
@pytest.mark.parametrize("space", ["uniform", "storage"])
@pytest.mark.parametrize("epilogue", ["none", "gelu", "residual"])
def test_matmul_with_every_epilogue(gpu: Gpu, epilogue: str, space: str, rows: int) -> None:
    valid = min(5, rows)  # a partial chunk keeps only its own rows
    x, bias, before = normal(rows, 36), normal(20, seed=1), normal(rows, 20, seed=3)
    storage, weight = gpu.weight(normal(20, 36, seed=2), "texture", "bf16")
    y, product, after = run_matmul(
        gpu, x, storage, 20, bias, epilogue=epilogue, space=space, valid=valid, y=before
    )  # fmt: skip
    expected = reference.linear(x.astype(np.float64), weight, bias)
    close(product[FIRST_ROW : FIRST_ROW + valid], expected[:valid])
    result = {"none": expected, "gelu": reference.gelu(expected), "residual": before + expected}[epilogue]
    close(y[:valid], result[:valid])
    if epilogue == "none":
        assert (after == UNTOUCHED).all()
    else:
        close(after[FIRST_ROW : FIRST_ROW + valid], result[:valid])
    assert (product[FIRST_ROW + valid :] == UNTOUCHED).all()
    assert (after[FIRST_ROW + valid :] == UNTOUCHED).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_in_pieces(gpu: Gpu, dtype: str) -> None:
    x, bias = normal(16, 20), normal(100, seed=1)
    storage, weight = gpu.weight(normal(100, 20, seed=2), "buffer", dtype, pieces=(33, 66, 99))
    y, product, _ = run_matmul(gpu, x, storage, 100, bias)
    close(y, reference.linear(x.astype(np.float64), weight, bias))
    close(product[FIRST_ROW:], y)


@pytest.mark.parametrize(("kind", "space"), [("texture", "uniform"), ("buffer", "storage")])
def test_matmul_of_parts_of_a_chunk(gpu: Gpu, kind: str, space: str) -> None:
    x = normal(16, 64)
    storage, weight = gpu.weight(normal(33, 64, seed=2), kind, "f32")
    y, product, _ = run_matmul(gpu, x, storage, 33, None, space=space, at_once=4, valid=7)
    expected = reference.linear(x.astype(np.float64), weight)
    close(y, expected)
    close(product[FIRST_ROW : FIRST_ROW + 7], expected[:7])
    assert (product[FIRST_ROW + 7 :] == UNTOUCHED).all()


def test_matmul_without_trace(gpu: Gpu) -> None:
    x = normal(1, 36)
    storage, weight = gpu.weight(normal(100, 36, seed=2), "texture", "bf16")
    y, product, after = run_matmul(gpu, x, storage, 100, None, trace=False)
    close(y, reference.linear(x.astype(np.float64), weight))
    assert (product == UNTOUCHED).all()
    assert (after == UNTOUCHED).all()


def test_gelu_of_extreme_values(gpu: Gpu) -> None:
    x = np.array([[-1e30, -50, -10, -5, -1e-3, 0, 1e-3, 1, 5, 10, 50, 1e30]])
    storage, _ = gpu.weight(np.eye(12, dtype=np.float32), "buffer", "f32")
    y, _, _ = run_matmul(gpu, x, storage, 12, None, epilogue="gelu")
    # Small results count too: a form that cancels would give 0 at -5.
    expected = reference.gelu(x.astype(np.float32).astype(np.float64))
    assert np.allclose(y, expected, rtol=2e-4, atol=1e-9)


# -- layer norm


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize(
    ("channels", "rows", "valid"), [(4, 1, 1), (20, 16, 16), (36, 16, 5), (100, 1, 1), (192, 16, 2)]
)
def test_layer_norm(gpu: Gpu, channels: int, rows: int, valid: int, head: bool) -> None:
    x = normal(rows, channels)
    x[0] = x[0] * 1e-2 + 300  # a mean far above the deviation
    x[-1] *= 1e3 if rows > 1 else 1
    scale, shift = normal(channels, seed=1), normal(channels, seed=2)
    wanted = valid // 2
    y, sink = gpu.empty(rows * channels), gpu.empty(SINK + (FIRST_ROW + rows) * channels)
    head_input = gpu.empty(channels)
    resources: dict[str, Resource] = {
        "state": gpu.state(first_row=FIRST_ROW, rows=valid, last_row=FIRST_ROW + wanted),
        "params": gpu.params(SINK),
        "x": gpu.buffer(x), "scale": gpu.buffer(scale), "shift": gpu.buffer(shift), "y": y, "sink": sink,
    }  # fmt: skip
    if head:
        resources["head_input"] = head_input
    gpu.run(gpu.kernels.get("layer_norm", channels=channels, trace=True, head=head).dispatch((rows, 1, 1), resources))
    expected = reference.layer_norm(x.astype(np.float64), scale, shift)
    # A mean of 300 leaves 1e-2 only 3 digits of float32.
    tolerance = 5e-3
    close(gpu.read(y, rows, channels)[:valid], expected[:valid], tolerance)
    close(gpu.read(y, rows, channels)[1:valid], expected[1:valid], 1e-5) if valid > 1 else None
    kept = gpu.read(sink, FIRST_ROW + rows, channels, offset=SINK)
    close(kept[FIRST_ROW : FIRST_ROW + valid], expected[:valid], tolerance)
    assert (kept[:FIRST_ROW] == UNTOUCHED).all()
    assert (kept[FIRST_ROW + valid :] == UNTOUCHED).all()
    if head:
        close(gpu.read(head_input, channels), expected[wanted], tolerance)


def test_layer_norm_of_a_constant_row_is_its_shift(gpu: Gpu) -> None:
    y, shift = gpu.empty(20), normal(20)
    gpu.run(
        gpu.kernels.get("layer_norm", channels=20, trace=False, head=False).dispatch(
            (1, 1, 1),
            {
                "state": gpu.state(), "params": gpu.params(), "x": gpu.buffer(np.full(20, 2.5)),
                "scale": gpu.buffer(normal(20, seed=1)), "shift": gpu.buffer(shift), "y": y,
            },
        )
    )  # fmt: skip
    close(gpu.read(y, 20), shift, 1e-6)


# -- embedding


@pytest.mark.parametrize(("channels", "rows", "valid"), [(4, 1, 1), (20, 16, 5), (40, 16, 16), (100, 1, 1)])
@pytest.mark.parametrize(("kind", "dtype"), STORED)
def test_embed(gpu: Gpu, kind: str, dtype: str, channels: int, rows: int, valid: int) -> None:
    start, position = (2, 1) if rows > 1 else (0, 0)
    pieces = (7, 16) if kind == "buffer" else ()
    storage, wte = gpu.weight(normal(23, channels), kind, dtype, pieces=pieces)
    wpe = normal(20, channels, seed=1)
    history = np.array([(5 * i + 3) % 23 for i in range(40)])
    kernel = gpu.kernels.get(
        "embed", channels=channels, storage=kind, dtype=dtype, tile=storage.tile, trace=True
    )  # fmt: skip
    each = (FIRST_ROW + rows) * channels
    resid, sink = gpu.empty(rows * channels), gpu.empty(SINK + 3 * each)
    state = gpu.state(window_start=start, first_row=FIRST_ROW, rows=valid, position=position)
    for piece in storage.pieces:
        params = gpu.params(piece.first_row, piece.rows, 20, SINK, SINK + each, SINK + 2 * each)
        gpu.run(
            kernel.dispatch(
                (-(-channels // 4 // 32), rows, 1),
                {
                    "state": state, "params": params, "history": gpu.buffer(history), "weight": bound(piece),
                    "wpe": gpu.buffer(wpe), "resid": resid, "sink": sink,
                },
            )
        )  # fmt: skip
    tokens = history[start + FIRST_ROW : start + FIRST_ROW + valid].tolist()
    expected = reference.embed(wte, wpe.astype(np.float64), tokens, position + FIRST_ROW)
    close(gpu.read(resid, rows, channels)[:valid], expected[2], 1e-6)
    assert (gpu.read(resid, rows, channels)[valid:] == UNTOUCHED).all()
    kept = gpu.read(sink, 3, FIRST_ROW + rows, channels, offset=SINK)
    for actual, wanted in zip(kept, expected, strict=True):
        close(actual[FIRST_ROW : FIRST_ROW + valid], wanted, 1e-6)
        assert (actual[:FIRST_ROW] == UNTOUCHED).all()
        assert (actual[FIRST_ROW + valid :] == UNTOUCHED).all()


# -- attention

HEADS = ((1, 16), (1, 64), (3, 20), (2, 36), (5, 4), (1, 256), (3, 64))  # heads, head size


def cache_of(gpu: Gpu, kind: str, window: int, channels: int) -> Resource:
    if kind == "buffer":
        return gpu.empty(2 * channels * window)
    import wgpu

    usage = wgpu.TextureUsage.STORAGE_BINDING | wgpu.TextureUsage.TEXTURE_BINDING
    return gpu.device.create_texture(size=(window, channels // 2, 1), format="rgba32float", usage=usage)


def attend(gpu: Gpu, kind: str, qkv: np.ndarray, heads: int, window: int, chunks: list[tuple[int, int]]) -> np.ndarray:
    """Kept results [window, C] after chunks of (rows of the program, valid rows), and a check of the scratch result."""
    channels = qkv.shape[1] // 3
    cache, sink = cache_of(gpu, kind, window, channels), gpu.empty(SINK + window * channels)
    store = gpu.kernels.get(
        "kv_store", channels=channels, head_size=channels // heads, window=window, storage=kind
    )  # fmt: skip
    mix = gpu.kernels.get(
        "attention_rows", channels=channels, head_size=channels // heads,
        scale=repr(float(1 / np.sqrt(channels // heads))), window=window, storage=kind, trace=True,
    )  # fmt: skip
    first = 0
    for rows, valid in chunks:
        # Rows past the valid ones hold what an earlier chunk left there.
        scratch = np.full((rows, 3 * channels), 9, np.float32)
        scratch[:valid] = qkv[first : first + valid]
        state, y, qkv_buffer = gpu.state(first_row=first, rows=valid), gpu.empty(rows * channels), gpu.buffer(scratch)
        gpu.run(
            store.dispatch(
                (-(-channels // 2 // 32), rows, 1), {"state": state, "qkv": qkv_buffer, "cache": cache}
            ),
            mix.dispatch(
                (heads, rows, 1),
                {"state": state, "params": gpu.params(SINK), "qkv": qkv_buffer, "cache": cache, "y": y, "sink": sink},
            ),
        )  # fmt: skip
        kept = gpu.read(sink, window, channels, offset=SINK)
        assert np.array_equal(gpu.read(y, rows, channels)[:valid], kept[first : first + valid])
        first += valid
    return kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("heads", "size"), HEADS)
def test_attention_over_a_window(gpu: Gpu, heads: int, size: int, kind: str) -> None:
    window = 150 if size == 20 else 37  # more keys than threads
    qkv = normal(window, 3 * heads * size) * 2
    chunks = [(16, 16)] * (window // 16) + [(16, window % 16 - 1), (1, 1)]
    expected, _ = reference.attention(qkv.astype(np.float64), heads)
    close(attend(gpu, kind, qkv, heads, window, chunks), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 16])
def test_attention_of_one_token_is_its_value(gpu: Gpu, chunk: int, kind: str) -> None:
    qkv = normal(1, 3 * 20)
    close(attend(gpu, kind, qkv, 1, 1, [(chunk, 1)]), qkv[:, 40:], 1e-6)


def test_attention_with_fewer_window_rows_than_a_chunk(gpu: Gpu) -> None:
    qkv = normal(7, 3 * 32)
    expected, _ = reference.attention(qkv.astype(np.float64), 2)
    close(attend(gpu, "buffer", qkv, 2, 7, [(16, 7)]), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_with_scores_that_would_overflow(gpu: Gpu, kind: str) -> None:
    qkv = normal(20, 3 * 16) * 60
    expected, _ = reference.attention(qkv.astype(np.float64), 1)
    close(attend(gpu, kind, qkv, 1, 20, [(16, 16), (16, 4)]), expected, 1e-3)


# -- binding by name


def test_a_kernel_wants_exactly_its_names(gpu: Gpu) -> None:
    kernel = gpu.kernels.get("layer_norm", channels=20, trace=False, head=False)
    assert isinstance(kernel, Kernel)
    with pytest.raises(KeyError, match="shift"):
        kernel.dispatch((1, 1, 1), {"state": gpu.state(), "x": gpu.empty(20)})
    assert gpu.kernels.get("layer_norm", channels=20, trace=False, head=False) is kernel
