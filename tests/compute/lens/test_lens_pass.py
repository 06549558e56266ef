"""The logit lens against float64: random models of odd shapes, `stories`, ties and numbers that are not finite."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import wgpu

from compute.errors import MemoryBudgetError, UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.wgpu_native import poll
from compute.lens import lens_chunk
from compute.lens.lens_cells import LensCells
from compute.lens.lens_pass import LensPass
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.selftest import reference
from compute.selftest.check import PASS
from compute.selftest.gpu import run_pass
from compute.selftest.lens import LensRunner, random_lens, small_runner
from compute.selftest.models import rounded_model
from compute.weights.checkpoint import ArrayModel, open_model

from helpers import parallel_model
from helpers.architectures import architecture, bare
from helpers.gpu import assert_ok, fixed_logits
from helpers.make_models import ODD_SHAPES, tiny_model

pytestmark = pytest.mark.gpu

TIES = ModelConfig(layers=1, heads=1, channels=4, positions=4, vocabulary=2100, padded_vocabulary=2104)
TEXT = [7454, 2402, 257, 640, 11, 612, 373, 257, 1310, 2576, 3706]


@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
def test_random_models(device: wgpu.GPUDevice, config: ModelConfig) -> None:
    runner = small_runner(tiny_model(config), "f32", tokens=config.positions)
    errors = runner.lens_errors(config.vocabulary // 2, min(100, config.vocabulary))
    assert_ok(errors.check("lens", str(config), PASS))


@pytest.mark.parametrize("layout", ["texture", "buffer"])
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_stories(device: wgpu.GPUDevice, dtype: str, layout: str) -> None:
    source = open_model("stories")
    arrays = {name: source.tensor(name) for name in parameter_shapes(source.config)}
    exact = reference.in_float64(rounded_model(ArrayModel("stories", source.config, arrays), dtype))
    runner = LensRunner(source, exact, TEXT, LoadOptions(context=16, weights=dtype, layout=layout, measured=False))
    assert_ok(runner.lens_errors(20037, 10).check("lens", f"stories {dtype} {layout}", PASS))
    assert runner.lens.logits_error() == pytest.approx(0, abs=2e-3)


def test_a_parallel_model(device: wgpu.GPUDevice) -> None:
    config = parallel_model.SMALL
    source = ArrayModel("parallel", config, parallel_model.random_weights(config))
    assert_ok(small_runner(source, "f32").lens_errors(3, 5).check("lens", "parallel", PASS))


def test_a_model_whose_head_reads_the_stream_without_a_norm(device: wgpu.GPUDevice) -> None:
    def without_norm(config: ModelConfig) -> Description:
        description = bare(config)
        *blocks, head = description.sections
        read = dataclasses.replace(description.head, x=description.stream[-1])
        return dataclasses.replace(description, sections=(*blocks, dataclasses.replace(head, operations=(read,))))

    config = ModelConfig(2, 3, 36, 40, 97, 100, architecture="no_norm")
    with architecture("no_norm", without_norm):
        runner = small_runner(tiny_model(config), "f32")
        assert_ok(runner.lens_errors(3, 5).check("lens", "no norm", PASS))
        file = random_lens(runner.lens.points[1:], 36)
        assert_ok(runner.lens_errors(3, 5, file).check("lens of a file", "no norm", PASS))
        assert_ok(runner.attribution_errors(3, None, 4).check("attribution", "no norm", PASS))


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_lens_file(device: wgpu.GPUDevice, monkeypatch: pytest.MonkeyPatch, in_pieces: bool) -> None:
    """In one piece, and in pieces of one matrix. The last point keeps the model's own logits when it has no entry."""
    config = ODD_SHAPES[2]
    if in_pieces:
        monkeypatch.setattr("compute.lens.lens_matrices.LARGEST_PIECE", 4 * config.channels**2)
    runner = small_runner(tiny_model(config), "f32")
    points = runner.lens.points
    file = random_lens([points[0], points[2]], config.channels)
    assert_ok(runner.lens_errors(7, 6, file).check("lens of a file", "", PASS))
    assert runner.lens.matrices is not None
    assert len(runner.lens.matrices.pieces) == (2 if in_pieces else 1)
    error = runner.lens.logits_error()
    assert error is not None
    assert error < 2e-3
    whole = random_lens(points, config.channels)
    assert_ok(runner.lens_errors(7, 6, whole).check("lens of a file", "", PASS))
    assert runner.lens.logits_error() is None
    assert_ok(runner.lens_errors(7, 6).check("lens after a file", "", PASS))


def cells_of(logits: np.ndarray, target: int, top: int) -> LensCells:
    """The lens of a model that gives these logits whatever the text."""
    engine = Engine.load(fixed_logits(TIES, logits), LoadOptions(measured=False))
    run_pass(engine, [3, 900, 3])
    return LensPass(engine).all(target, top)


def test_of_equal_logits_the_lowest_id_comes_first(device: wgpu.GPUDevice) -> None:
    logits = np.zeros(TIES.vocabulary, np.float32)
    logits[[5, 6, 20, 21, 1500, 2099]] = 2
    logits[[0, 7, 1029]] = 1
    cells = cells_of(logits, 1500, 40)
    order = np.argsort(-logits, kind="stable")[:40]
    assert (cells.top_tokens == order).all()
    assert (cells.top_logits == logits[order]).all()
    assert cells.target_rank is not None
    assert (cells.target_rank == 4).all()
    total = np.exp(logits.astype(np.float64)).sum()
    np.testing.assert_allclose(cells.log_total, np.log(total), rtol=1e-6)


def test_logits_that_are_not_finite_have_no_probability(device: wgpu.GPUDevice) -> None:
    logits = np.full(TIES.vocabulary, np.nan, np.float32)
    logits[[3, 900, 2000, 2001]] = 1, 2, np.inf, -np.inf
    cells = cells_of(logits, 2000, 5)
    assert (cells.top_tokens[:, :, :2] == [900, 3]).all()
    assert (cells.top_tokens[:, :, 2:] == -1).all()
    assert np.isnan(cells.top_logits[:, :, 2:]).all()
    assert (cells.nonfinite == TIES.vocabulary - 2).all()
    assert cells.target_rank is not None
    assert cells.target_logit is not None
    assert (cells.target_rank == -1).all()
    assert np.isinf(cells.target_logit).all()
    expected = np.broadcast_to([1 / (1 + np.exp(-1)), 1 / (1 + np.e)], (2, 3, 2))
    np.testing.assert_allclose(cells.top_probabilities[:, :, :2], expected, rtol=1e-5)


def test_without_a_finite_logit_there_are_no_numbers(device: wgpu.GPUDevice) -> None:
    cells = cells_of(np.full(TIES.vocabulary, np.nan, np.float32), 0, 3)
    assert np.isnan(cells.entropy).all()
    assert np.isnan(cells.log_total).all()
    assert (cells.top_tokens == -1).all()


def test_every_chunk_size_gives_the_same(stories: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run_pass(stories, TEXT)
    whole = LensPass(stories).all(257, 4)
    for rows in (9, 18, 64):
        monkeypatch.setattr(lens_chunk, "CHUNK" if stories.layout == "texture" else "_GPU_ROWS", rows)
        monkeypatch.setattr(lens_chunk, "padded_rows", lambda _, cells: -(-cells // 16) * 16)
        cells = LensPass(stories).all(257, 4)
        assert np.array_equal(cells.top_tokens, whole.top_tokens)
        np.testing.assert_allclose(cells.entropy, whole.entropy, atol=1e-4)


def test_the_newest_position_after_each_token(stories: Engine) -> None:
    lens = LensPass(stories)
    run_pass(stories, TEXT[:7])
    for count in range(8, len(TEXT) + 1):
        run_pass(stories, TEXT[:count], valid_rows=count - 1)
        assert lens.newest(257, 3)
        assert not lens.newest(257, 3), "one is in flight"
        poll(stories.device, wait=True)
        cells = lens.take()
        assert cells is not None
        assert cells.positions == range(count - 1, count)
        assert np.array_equal(cells.top_tokens, lens.all(257, 3).top_tokens[:, -1:])


def test_decided_is_the_first_point_from_which_the_prediction_stays() -> None:
    tokens = np.array([[1, 2, 3], [7, 2, 3], [1, 9, 3], [1, 2, 3]], np.int32)[:, :, None]
    nothing = np.zeros((4, 3), np.float32)
    cells = LensCells(
        points=("a", "b", "c", "d"), positions=range(3), target=None, top_tokens=tokens, top_logits=nothing[:, :, None],
        log_total=nothing, entropy=nothing, nonfinite=nothing, target_logit=None, target_rank=None, norm=nothing,
        added=nothing, cosine=nothing,
    )  # fmt: skip
    assert cells.decided.tolist() == [2, 3, 0]


@pytest.mark.parametrize(
    ("positions", "target", "top", "message"),
    [
        (range(2), None, 0, "top=0: must be from 1 to 100"),
        (range(2), None, 101, "top=101: must be from 1 to 100"),
        (range(2), 50257, 5, "target=50257: must be from 0 to 50256"),
        (range(2), -1, 5, "target=-1: must be from 0 to 50256"),
        (range(3, 5), None, 5, "the latest pass has 4 rows"),
        (range(-1, 1), None, 5, "the latest pass has 4 rows"),
        (range(2, 2), None, 5, "the latest pass has 4 rows"),
        (range(0, 4, 2), None, 5, "the latest pass has 4 rows"),
    ],
)
def test_values_out_of_range(stories: Engine, positions: range, target: int | None, top: int, message: str) -> None:
    run_pass(stories, TEXT[:4])
    with pytest.raises(UsageError, match=message):
        LensPass(stories).request(positions, target, top)


def test_an_engine_without_activations_has_no_lens(device: wgpu.GPUDevice) -> None:
    engine = Engine.load(tiny_model(), LoadOptions(trace=False, measured=False))
    with pytest.raises(UsageError, match="without activations"):
        LensPass(engine)


def test_too_little_memory_is_an_error(stories: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run_pass(stories, TEXT[:4])
    monkeypatch.setattr(lens_chunk, "free_bytes", lambda *_: 1000)
    with pytest.raises(MemoryBudgetError, match=r"the lens needs .* of GPU memory, 1\.0 kB are free"):
        LensPass(stories).all()


def test_a_small_binding_makes_the_chunks_smaller(stories: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = stories.description.head.columns
    monkeypatch.setattr(lens_chunk, "_binding_limit", lambda _: 4 * columns * 10)
    assert lens_chunk.positions_at_once(stories, 9) == 1
    with pytest.raises(MemoryBudgetError, match="of logits in one binding"):
        lens_chunk.check_memory(stories, 16)


def test_in_two_halves_the_lens_is_that_of_the_pass_it_was_requested_for(device: wgpu.GPUDevice) -> None:
    options = LoadOptions(context=16, weights="f32", measured=False)
    engine = Engine.load(open_model("stories"), options)
    run_pass(engine, TEXT)
    whole, halves = LensPass(engine), LensPass(engine, halves=True)
    expected = whole.all(20037, 10)
    assert halves.newest(20037, 10)
    assert halves.request_check()
    assert not halves.newest(20037, 10), "one at a time"
    run_pass(engine, TEXT[:4])  # the second half must not read it
    found = None
    while found is None:
        assert halves.waiting
        poll(device)
        found = halves.take()
    assert (found.top_tokens[:, 0] == expected.top_tokens[:, -1]).all()
    assert np.allclose(found.entropy[:, 0], expected.entropy[:, -1], atol=1e-5)
    assert found.target_rank is not None
    assert expected.target_rank is not None
    assert (found.target_rank[:, 0] == expected.target_rank[:, -1]).all()
    check = halves.take_check()
    while check is None:
        poll(device)
        check = halves.take_check()
    assert check.ok, check
    assert not halves.waiting
