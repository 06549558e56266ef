"""Which tensors Strip shows, and the layout of their cells compared with the NumPy model."""

from __future__ import annotations

import pytest

from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.registry import Registry, Tensor, TensorStorage
from compute.selftest import strip_model
from compute.selftest.strip_model import Entry, sources
from compute.views.strip_layout import strip_layout

from helpers.make_models import ODD_SHAPES
from helpers.map_registry import registry as registry_without_storage
from helpers.strip_names import gpt2_names

DEEP = ModelConfig(layers=18, heads=2, channels=32, positions=40, vocabulary=26, padded_vocabulary=32)


@pytest.mark.parametrize("config", ODD_SHAPES, ids=str)
def test_strip_shows_the_tensors_of_the_blocks_and_between_them(config: ModelConfig) -> None:
    shown = [(tensor.name, tensor.kind) for tensor in registry_without_storage(config, 5) if tensor.strip]
    assert shown == gpt2_names(config.layers)


def registry_of(layers: int, rows: int, config: ModelConfig = DEEP) -> Registry:
    """A registry with the tensors of a deep model, without storage."""
    registry = Registry(describe(config))
    registry.rows = rows
    for name, kind in gpt2_names(layers):
        columns, own_rows = (2000, 2) if kind == "weight" else (40, 1) if kind == "logits" else (97, None)
        registry.add(Tensor(name, kind, own_rows, columns, kind == "logits", "", TensorStorage("buffer", "f32", 0, ())))
    return registry


@pytest.mark.parametrize("rows", [1, 6, 7, 11, 1024])
@pytest.mark.parametrize("layers", [1, 12, 40])
def test_layout(layers: int, rows: int) -> None:
    registry = registry_of(layers, rows)
    everything = [Entry(t.name, registry.count(t), t.kind) for t in registry]
    wanted = strip_model.layout(everything)
    result = strip_layout(registry)
    assert [(s.name, s.first, s.last, s.cells, s.values) for s in result.spans] == [
        (s.name, s.first, s.last, s.cells, s.values) for s in wanted
    ]
    assert list(result.left_out) == [entry.name for entry in everything[len(wanted) :]]
    assert layers == 12 or bool(result.left_out) == (layers == 40)
    for span in result.spans:
        assert [span.source_index(cell) for cell in range(span.cells)] == sources(span.cells, span.values).tolist()


def test_before_the_first_pass_activations_have_no_span() -> None:
    names = {span.name for span in strip_layout(registry_of(1, 0)).spans}
    assert "embed.sum" not in names
    assert "h.0.ln_1.weight" in names
