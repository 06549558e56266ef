"""The geometry of the residual stream, and rows of weights, against what the host reads and computes."""

from __future__ import annotations

import numpy as np
import pytest
import wgpu

from compute.api.activation_reader import ActivationReader
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.wgpu_native import poll
from compute.lens.parts import Whole, parts_of
from compute.lens.stream_pass import StreamPass, StreamShape
from compute.lens.weight_rows import WeightRow, WeightRows
from compute.models.config import ModelConfig
from compute.selftest.gpu import run_pass
from compute.selftest.lens import small_runner
from compute.weights.checkpoint import ArrayModel, open_model

from helpers import parallel_model
from helpers.make_models import ODD_SHAPES, tiny_model

pytestmark = pytest.mark.gpu
TEXT = [7454, 2402, 257, 640, 11, 612, 373]


def _shape(engine: Engine, row: int) -> StreamShape:
    measured = StreamPass(engine)
    assert measured.request(row)
    assert not measured.request(row), "one at a time"
    poll(engine.device, wait=True)
    found = measured.take()
    assert found is not None
    assert not measured.pending
    return found


def _check(engine: Engine, row: int) -> None:
    found = _shape(engine, row)
    assert found.points == engine.description.stream
    read = ActivationReader(engine).read(found.points)
    stream = np.stack([read[point][row] for point in found.points]).astype(np.float64)
    norms = np.linalg.norm(stream, axis=1)
    added = np.linalg.norm(np.diff(stream, axis=0, prepend=0), axis=1)
    np.testing.assert_allclose(found.norm, norms, rtol=1e-5)
    np.testing.assert_allclose(found.added, added, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.cosine, stream @ stream[-1] / (norms * norms[-1]), atol=1e-5)


@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
def test_the_stream_of_random_models(device: wgpu.GPUDevice, config: ModelConfig) -> None:
    engine = small_runner(tiny_model(config), "f32", tokens=config.positions).engine
    for row in (0, engine.registry.rows - 1):
        _check(engine, row)


def test_the_stream_of_a_parallel_model_has_a_point_per_block(device: wgpu.GPUDevice) -> None:
    config = parallel_model.SMALL
    source = ArrayModel("parallel", config, parallel_model.random_weights(config))
    _check(small_runner(source, "f32").engine, 2)


def test_a_row_that_the_pass_does_not_have(stories: Engine) -> None:
    run_pass(stories, TEXT)
    for row in (-1, len(TEXT)):
        with pytest.raises(UsageError, match="7 rows"):
            StreamPass(stories).request(row)


def _rows(engine: Engine, wanted: list[tuple[str, int]]) -> tuple[WeightRow, ...]:
    hidden = (part.hidden for part in parts_of(engine.description) if isinstance(part, Whole))
    reader = WeightRows(engine, [one.reads for one in hidden if one is not None], 50)
    assert reader.request(wanted)
    assert not reader.request(wanted), "one at a time"
    poll(engine.device, wait=True)
    found = reader.take()
    assert found is not None
    return found


@pytest.mark.parametrize("layout", ["texture", "buffer"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("f32", 0.0), ("f16", 1e-3), ("bf16", 8e-3)])
def test_rows_of_weights_in_every_storage(device: wgpu.GPUDevice, dtype: str, tolerance: float, layout: str) -> None:
    source = open_model("stories")
    engine = Engine.load(source, LoadOptions(context=16, weights=dtype, layout=layout, measured=False))
    wanted = [("h.0.mlp.c_fc.weight", 0), ("h.7.mlp.c_fc.weight", 767), ("h.3.mlp.c_fc.weight", 11)]
    for row, (name, index) in zip(_rows(engine, wanted), wanted, strict=True):
        assert (row.name, row.index) == (name, index)
        exact = source.tensor(name)
        exact = exact if exact.shape == (768, 192) else exact.T  # files may store matrices as [in, out]
        np.testing.assert_allclose(row.values, exact[index], rtol=tolerance, atol=1e-7)


def test_rows_that_do_not_exist(stories: Engine) -> None:
    for row in (("h.0.mlp.c_fc.weight", 768), ("h.0.mlp.c_fc.weight", -1), ("wte", 0)):
        with pytest.raises(UsageError, match="no such row"):
            _rows(stories, [row])
