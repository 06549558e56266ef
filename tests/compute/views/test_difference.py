"""The difference of two passes against NumPy, on odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from compute.api.activation_reader import ActivationReader
from compute.edits.grammar import edits_of
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.generate.edit_values import resolve_edits
from compute.gpu.wgpu_native import ComputeEncoder
from compute.models.config import ModelConfig
from compute.selftest.models import some_tokens
from compute.views.difference import DifferencePass
from compute.views.patterns import PatternStore, row_of_keys

from helpers.gpu import read
from helpers.make_models import ODD_SHAPES, TINY, tiny_model

pytestmark = pytest.mark.gpu

_ODD = [ODD_SHAPES[0], ODD_SHAPES[2], ODD_SHAPES[3]]
_LAYOUTS = ("texture", "buffer")


def _engine(config: ModelConfig, layout: str = "buffer", seed: int = 0) -> Engine:
    return Engine.load(tiny_model(config, seed), LoadOptions(program="rows", layout=layout, measured=False))


def _run(engine: Engine, tokens: list[int], edits: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """The activations and patterns of a pass, and its logits."""
    engine.set_edits(resolve_edits(engine, edits_of(edits), tokens, len(tokens)))
    WholePass(engine).run(tokens)
    names = [tensor.name for tensor in engine.registry if tensor.kind in ("embedding", "activation")]
    found = dict(ActivationReader(engine).read(names))
    return found | {"logits": engine.read_logits()[: engine.config.vocabulary]}


def _values(difference: DifferencePass, name: str) -> np.ndarray:
    """A tensor of the difference, read back."""
    tensor, registry = difference.registry[name], difference.registry
    if tensor.heads:
        store = PatternStore(difference, difference.context, budget=0)
        buffer, work = store.all_rows(tensor)
        encoder = ComputeEncoder(difference.device)
        encoder.run(work)
        encoder.submit()
        rows, stride = registry.rows, row_of_keys(difference.context)
        return read(difference.device, buffer, (tensor.heads, difference.context, stride))[:, :rows, :rows]
    pieces = []
    for shard in tensor.storage.shards:
        data = difference.device.queue.read_buffer(shard.resource, shard.offset, shard.size)
        pieces.append(np.frombuffer(data, np.float32))
    flat = np.concatenate(pieces)
    shape = registry.shape(tensor)
    return flat[: int(np.prod(shape))].reshape(shape)


def _expected(a: np.ndarray, b: np.ndarray, relative: bool) -> np.ndarray:
    if not relative:
        return np.asarray(a - b)
    largest = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.float32(1.2e-38))
    return np.asarray(np.where(a == b, 0, a / largest - b / largest))


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("config", _ODD)
def test_every_activation_equals_numpy(config: ModelConfig, relative: bool) -> None:
    a = _engine(config)
    b = a.twin()
    tokens = some_tokens(config, min(config.positions, 9))
    ours, theirs = _run(a, tokens), _run(b, tokens[::-1], ("h.0.attn.out[head=0] *= 0.5",))
    difference = DifferencePass(a, b)
    difference.run(relative=relative)
    assert difference.registry.rows == len(tokens)
    for name, values in ours.items():
        found = _values(difference, name)[..., : values.shape[-1]]
        np.testing.assert_allclose(found, _expected(values, theirs[name], relative), rtol=1e-5, atol=1e-7, err_msg=name)
    assert np.abs(_values(difference, "h.0.attn.out")).max() > 0
    assert not _values(difference, "wte").any()


def test_the_twin_leaves_the_first_pass_alone() -> None:
    a = _engine(TINY)
    before = _run(a, [1, 2, 3])
    b = a.twin()
    assert np.abs(_run(b, [4, 5])["logits"] - before["logits"]).max() > 1e-3
    np.testing.assert_array_equal(a.read_logits()[: TINY.vocabulary], before["logits"])
    np.testing.assert_array_equal(
        ActivationReader(a).read(["h.1.resid_post"])["h.1.resid_post"], before["h.1.resid_post"]
    )


def test_rows_are_those_that_both_passes_have() -> None:
    a = _engine(TINY)
    b = a.twin()
    ours, theirs = _run(a, [1, 2, 3, 4]), _run(b, [1, 2, 7])
    difference = DifferencePass(a, b)
    difference.run()
    assert difference.registry.rows == 3
    found = _values(difference, "h.1.resid_post")
    np.testing.assert_array_equal(found, ours["h.1.resid_post"][:3] - theirs["h.1.resid_post"])
    assert not found[:2].any()
    assert found[2].any()


@pytest.mark.parametrize("layout", _LAYOUTS)
@pytest.mark.parametrize("relative", [False, True])
def test_weights_of_two_models(layout: str, relative: bool) -> None:
    a, b = _engine(TINY, layout), _engine(TINY, layout, seed=1)
    for engine in (a, b):
        _run(engine, [1, 2, 3])
    difference = DifferencePass(a, b)
    difference.run(relative=relative)
    one, other = tiny_model(TINY), tiny_model(TINY, 1)
    for name in ("wte", "h.1.attn.c_attn.weight", "h.0.ln_1.weight", "h.1.mlp.c_fc.bias"):
        expected = _expected(one.tensor(name), other.tensor(name), relative)
        found = _values(difference, name)
        if found.shape != expected.shape:
            expected = expected.T  # matrices of GPT-2's files are [in, out]
        np.testing.assert_allclose(found, expected[: found.shape[0]], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_an_edited_weight_differs_and_others_do_not(layout: str) -> None:
    a = _engine(TINY, layout)
    b = a.twin()
    difference = DifferencePass(a, b)
    _run(a, [1, 2, 3])
    _run(b, [1, 2, 3], ("h.0.mlp.c_fc.weight[5] = 0",))
    assert difference.weights_changed
    difference = DifferencePass(a, b)
    assert not difference.weights_changed
    difference.run()
    found = _values(difference, "h.0.mlp.c_fc.weight")
    assert np.flatnonzero(found.any(axis=1)).tolist() == [5]
    assert not _values(difference, "h.1.mlp.c_fc.weight").any()


def test_infinity_and_nan_stay_visible() -> None:
    a = _engine(TINY)
    b = a.twin()
    _run(a, [1, 2]), _run(b, [1, 2])
    shard = a.registry["h.0.resid_mid"].storage.shards[0]
    ours = np.array([np.inf, -np.inf, np.inf, np.nan, 1, 1, 0.0, 3e38], np.float32)
    theirs = np.array([np.inf, 1, -np.inf, 1, np.nan, np.inf, -0.0, -3e38], np.float32)
    for engine, values in ((a, ours), (b, theirs)):
        where = engine.registry["h.0.resid_mid"].storage.shards[0]
        engine.device.queue.write_buffer(where.resource, where.offset, values)
    assert shard.rows == a.context
    difference = DifferencePass(a, b)
    difference.run()
    found = _values(difference, "h.0.resid_mid")[0, :8]
    np.testing.assert_array_equal(found, np.array([0, -np.inf, np.inf, np.nan, np.nan, -np.inf, 0, np.inf], np.float32))
    difference.run(relative=True)
    assert _values(difference, "h.0.resid_mid")[0, 7] == 2


def test_models_of_other_shapes_are_refused() -> None:
    a, b = _engine(TINY), _engine(ODD_SHAPES[2])
    with pytest.raises(UsageError, match="have different shapes"):
        DifferencePass(a, b)


def test_passes_that_begin_elsewhere_are_refused() -> None:
    a = _engine(TINY)
    b = a.twin()
    _run(a, [1, 2, 3])
    WholePass(b).run([1, 2, 3], 2)
    difference = DifferencePass(a, b)
    with pytest.raises(UsageError, match="begins at position 0 of its text and B at 2"):
        difference.begin()
