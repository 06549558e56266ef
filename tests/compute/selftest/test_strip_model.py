"""The NumPy model of Strip, compared with an independently made picture."""

from __future__ import annotations

import json

import numpy as np
import pytest

from compute.models.architectures import parameter_shapes
from compute.selftest import reference
from compute.selftest.strip_model import GAP, HEIGHT, WIDTH, Entry, Span, colors, layout, paint, sources
from compute.weights.checkpoint import open_model

from helpers.paths import DATA
from helpers.strip_names import gpt2_names


@pytest.fixture(scope="module")
def stories() -> tuple[list[Span], np.ndarray]:
    """Spans and picture of one pass of the embedded model over the picture's prompt."""
    model = reference.in_float64(open_model("stories"))
    with np.load(DATA / "stories_greedy.npz") as greedy:
        prompt = greedy["once.tokens"][: int(greedy["once.n_prompt"])].tolist()
    tensors = {name: model.tensor(name) for name in parameter_shapes(model.config)}
    tensors |= reference.forward(model, prompt)
    spans = layout(Entry(name, tensors[name].size, kind) for name, kind in gpt2_names(model.config.layers))
    return spans, paint(tensors, spans)


def test_spans_equal_those_of_the_picture(stories: tuple[list[Span], np.ndarray]) -> None:
    with np.load(DATA / "strip_once.npz") as expected:
        wanted = json.loads(str(expected["spans"]))
    keys = ("name", "first", "last", "cells", "values")
    assert [{key: getattr(span, key) for key in keys} for span in stories[0]] == wanted


def test_every_cell_equals_the_picture(stories: tuple[list[Span], np.ndarray]) -> None:
    with np.load(DATA / "strip_once.npz") as expected:
        wanted = expected["rgba"]
    difference = np.abs(stories[1].astype(int) - wanted.astype(int))
    assert stories[1].shape == (HEIGHT, WIDTH, 4)
    assert difference.max() <= 1, f"{(difference.max(axis=2) > 1).sum()} cells differ"


def test_a_gap_never_extends_past_a_row() -> None:
    # 600 cells leave 40 in the row, less than the gap, so the second span starts in the next row.
    spans = layout([Entry("a", 600, "activation"), Entry("b", 12, "activation"), Entry("c", 1, "activation")])
    assert [span.first for span in spans] == [0, WIDTH + GAP, WIDTH + GAP + 12 + GAP]


def test_a_gap_may_end_with_the_row() -> None:
    spans = layout([Entry("a", WIDTH - GAP, "activation"), Entry("b", 1, "activation")])
    assert spans[1].first == WIDTH


def test_spans_that_do_not_fit_are_cut_or_left_out() -> None:
    spans = layout(Entry(str(i), 10_000, "logits") for i in range(60))
    assert spans[-1].last == WIDTH * HEIGHT - 1
    assert spans[-1].cells < 4096
    assert len(spans) < 60


@pytest.mark.parametrize(("cells", "values"), [(1, 1), (1, 9), (512, 513), (1024, 50_000_000_000)])
def test_sources_range_from_the_first_value_to_the_last(cells: int, values: int) -> None:
    chosen = sources(cells, values)
    assert chosen[0] == 0
    assert cells == 1 or chosen[-1] == values - 1
    assert (np.diff(chosen) > 0).all()


def test_nonfinite_values_are_red_and_do_not_dim_the_others() -> None:
    rgb = colors(np.array([np.nan, np.inf, -np.inf, 2.0, -2.0, 0.0, 1e-9]), 2.0)
    assert np.allclose(rgb[:3], ((1.0, 0.04, 0.18), (1.0, 0.24, 0.52), (0.72, 0.02, 0.36)))
    assert np.allclose(rgb[3], (1.00, 0.82, 0.10))
    assert np.allclose(rgb[4], (0.00, 0.78, 1.00))
    assert np.allclose(rgb[5], (0.06, 0.07, 0.09))
    assert np.allclose(rgb[6], np.array((0.18, 0.10, 0.02)) + 0.08 * np.array((0.82, 0.72, 0.08)))


def test_activations_scale_by_all_values_and_weights_by_shown_ones() -> None:
    values = np.full(5000, 1.0)
    values[1] = 100.0  # between two sampled cells
    activation, weight = (layout([Entry("t", values.size, kind)]) for kind in ("activation", "weight"))
    assert sources(activation[0].cells, 5000)[1] > 1
    assert paint({"t": values}, weight)[0, 0].tolist() == [255, 209, 26, 255]
    assert paint({"t": values}, activation)[0, 0].tolist() != [255, 209, 26, 255]
