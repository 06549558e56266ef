"""Sweeps between frames give what the Python API gives, and leave the engine of the window alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import atlas_viewer as av
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.runner.sweeps import Sweeps
from atlas_viewer.state.patching_view import ABLATE, PATCH, Job, MapJob, MapResult, Steering, SteerJob
from compute.edits.grammar import parse_edit
from compute.errors import OutputExistsError, UsageError
from compute.forward.load_options import LoadOptions
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu

CLEAN, CORRUPT = "One day, Tom had a red ball", "One day, Ben had a red ball"
TOM, BEN = 4186, 3932
FRAME = 0.004  # seconds of GPU time


@pytest.fixture(scope="module")
def runner() -> ModelRunner:
    made = ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64))
    made.start("Once upon a time", GenerateOptions(max_new_tokens=2, context=64, temperature=0)).run()
    return made


@pytest.fixture(scope="module")
def model() -> av.Model:
    return av.load("stories", context=64)


def job_of(runner: ModelRunner, section: str, **changes: object) -> MapJob:
    texts = (CLEAN, CORRUPT) if section == PATCH else (CLEAN,)
    tokens = tuple(tuple(runner.tokenizer.encode(text)) for text in texts)
    fields = {"section": section, "texts": texts, "tokens": tokens, "target": TOM, "against": BEN} | changes
    return MapJob(**fields)  # type: ignore[arg-type]


def finished(runner: ModelRunner, job: Job, edits: tuple[str, ...] = ()) -> tuple[MapResult | Steering, int]:
    """The result, and the number of frames that it took."""
    sweeps = runner.sweeps
    sweeps.start(job, [parse_edit(text) for text in edits])
    for frame in range(20_000):
        found = sweeps.advance(FRAME)
        if found is not None:
            return found, frame
        poll(runner.engine.device, wait=True)
    raise AssertionError("it never ends")


@pytest.mark.parametrize("over", ["resid_pre", "heads"])
def test_a_map_is_that_of_the_api(runner: ModelRunner, model: av.Model, over: str) -> None:
    engine = runner.engine
    before, passes, changes = engine.read_logits(), engine.registry.passes, engine.edit_changes
    edits = ("h.1.mlp.gelu[:, 7] = 0",)
    found, frames = finished(runner, job_of(runner, PATCH, over=over, control=True), edits)
    assert isinstance(found, MapResult)
    expected = model.patch(
        CLEAN, CORRUPT, target=TOM, against=BEN, over=over, control=True, edits=edits  # type: ignore[arg-type]
    )  # fmt: skip
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-3)
    np.testing.assert_allclose(found.control, expected.control, rtol=0, atol=1e-3)  # type: ignore[arg-type]
    assert np.array_equal(found.changed, expected.changed)
    assert found.edits == edits
    assert found.checks[0].ok
    assert len(found.activations) == 8
    assert frames > 100  # no frame waited for a whole pass
    assert np.array_equal(engine.read_logits(), before)
    assert (engine.registry.passes, engine.edit_changes) == (passes, changes)


@pytest.mark.parametrize("to", ["zero", "mean"])
def test_an_ablation_is_that_of_the_api(runner: ModelRunner, model: av.Model, to: str) -> None:
    found, _ = finished(runner, job_of(runner, ABLATE, to=to, against=None))
    assert isinstance(found, MapResult)
    expected = model.ablate(CLEAN, target=TOM, to=to)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.values[:, :6], expected.heads, rtol=0, atol=2e-3)
    np.testing.assert_allclose(found.values[:, 6], expected.mlps, rtol=0, atol=2e-3)
    assert found.columns[-1] == "MLP"
    assert found.points[2] == ("h.2.attn.out",) * 6 + ("h.2.mlp.c_proj",)


def test_a_steering_vector_is_that_of_the_api_and_is_saved_once(
    runner: ModelRunner, model: av.Model, tmp_path: Path
) -> None:
    glad, sad = ("I am happy", "She laughs"), ("I am very sad",)
    found, _ = finished(runner, SteerJob(glad, sad, "h.3.resid_post", None))
    assert isinstance(found, Steering)
    expected = av.direction(model, glad, sad, at="h.3.resid_post", position=None)
    np.testing.assert_allclose(found.vector, expected.array, rtol=0, atol=1e-4)
    assert found.size == pytest.approx(float(np.linalg.norm(expected.array)), rel=1e-4)
    path = tmp_path / "v.npz"
    runner.sweeps.save(found, path)
    edited = model.run("The boy was", edits=[f"h.3.resid_post += mean({path})"]).logits
    given = model.run("The boy was", edits=[("h.3.resid_post +=", found.vector)]).logits
    np.testing.assert_allclose(edited, given, rtol=0, atol=1e-4)
    with pytest.raises(OutputExistsError, match="exists already"):
        runner.sweeps.save(found, path)


def test_a_sweep_can_be_stopped_and_another_begun(runner: ModelRunner) -> None:
    sweeps: Sweeps = runner.sweeps
    job = job_of(runner, ABLATE)
    sweeps.start(job, [])
    for _ in range(40):
        assert sweeps.advance(FRAME) is None
        poll(runner.engine.device, wait=True)
    assert sweeps.total > 0
    sweeps.cancel()
    assert sweeps.advance(FRAME) is None
    assert sweeps.total == 0
    assert isinstance(finished(runner, job)[0], MapResult)


def test_bad_input_is_refused(runner: ModelRunner) -> None:
    with pytest.raises(UsageError, match="has 600 tokens, the model has 512 positions"):
        runner.sweeps.start(job_of(runner, ABLATE, tokens=((1,) * 600,)), [])
    runner.sweeps.start(job_of(runner, ABLATE), [parse_edit("h.9.mlp.gelu = 0")])
    with pytest.raises(UsageError, match=r"h\.9\.mlp\.gelu"):
        runner.sweeps.advance(FRAME)
    assert runner.sweeps.advance(FRAME) is None
