"""Recomputed attention patterns, with and without memory for all layers."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_viewer.scene.glyphs import digit_glyphs
from compute.api.activation_reader import ActivationReader
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.gpu.wgpu_native import ComputeEncoder
from compute.selftest.lookups import patterns
from compute.selftest.map import pictures, views
from compute.selftest.map_model import Plane
from compute.views.map_layout import map_layout
from compute.views.map_pass import MapPass
from compute.views.map_view import MapView
from compute.views.patterns import PatternStore, row_of_keys

from helpers.gpu import assert_ok, read, replay_of
from helpers.make_models import tiny_model
from helpers.map_pictures import CONFIG, assert_same

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine.load(tiny_model(CONFIG), LoadOptions(context=14, program="rows"))
    WholePass(made).run(range(11))
    return made


def test_patterns_equal_the_reference(engine: Engine) -> None:
    for layer in range(CONFIG.layers):
        tensor = engine.registry[f"h.{layer}.attn.pattern"]
        assert engine.registry.shape(tensor) == (3, 11, 11)
        assert engine.registry.count(tensor) == 3 * 11 * 11
    assert_ok(patterns(engine, tiny_model(CONFIG)))


def test_layers_share_a_buffer_when_memory_is_short(engine: Engine) -> None:
    store = PatternStore(engine, engine.context, budget=1)
    assert store.nbytes == 4 * 3 * 14 * 16
    first, second = store.tensors
    expected = ActivationReader(engine).read([first.name, second.name])
    for tensor in (first, second, second, first):
        buffer, work = store.all_rows(tensor)
        encoder = ComputeEncoder(engine.device)
        encoder.run(work)
        encoder.submit()
        padded = read(engine.device, buffer, (3, 14, row_of_keys(engine.context)))
        np.testing.assert_array_equal(padded[:, :11, :11], expected[tensor.name])


def test_complete_patterns_are_not_recomputed(engine: Engine) -> None:
    store = PatternStore(engine, engine.context)
    first, second = store.tensors
    assert store.all_rows(first)[1]
    assert store.all_rows(second)[1]
    assert not store.all_rows(first)[1]
    store.invalidate()
    assert store.all_rows(first)[1]


@pytest.mark.parametrize("budget", [1, 1 << 30])
def test_the_budget_does_not_change_the_map(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.views.patterns._BUDGET", budget)
    source = tiny_model(CONFIG)
    engine = Engine.load(source, LoadOptions(context=12, program="rows"))
    passes = MapPass.load(engine, digit_glyphs(), map_layout(engine.registry, 12, base=2))
    placements = [passes.layout.placements[f"h.{layer}.attn.pattern"] for layer in range(2)]
    for tokens, cached in (([1, 2, 3, 4, 5, 6, 7], 0), ([1, 2, 3, 4, 5, 6, 7, 8], 7), ([9, 9, 9], 0)):
        replay_of(engine, tokens, cached=cached).go(0)
        passes.update()
        plane = Plane(engine, source, passes.layout)
        for view in views(passes, 3):
            assert_same(*pictures(passes, plane, view))
        for placement in placements:
            for scale in (1.0, 0.7, 2.5):
                assert_same(*pictures(passes, plane, MapView(placement.x - 4, placement.y - 4, scale)))
