"""Edits at less than their full strength are edits of the grammar."""

from __future__ import annotations

import numpy as np
import pytest

from compute.edits.grammar import edit_of, parse_edit
from compute.edits.strength import with_strength
from compute.errors import UsageError


@pytest.mark.parametrize(
    ("text", "strength", "expected"),
    [
        ("h.2.attn.out[head=4] = 0", 0.3, ["h.2.attn.out[head=4] *= 0.7"]),
        ("h.2.attn.out[head=4] = 2", 0.25, ["h.2.attn.out[head=4] *= 0.75", "h.2.attn.out[head=4] += 0.5"]),
        ("h.2.attn.out[head=4] *= 3", 0.5, ["h.2.attn.out[head=4] *= 2"]),
        ("h.2.resid_post += v.npy", -4, ["h.2.resid_post += -4 * v.npy"]),
        ("h.2.resid_post += 2 * v.npy", 0.5, ["h.2.resid_post += v.npy"]),
        ("h.2.mlp.gelu = mean", 0.5, ["h.2.mlp.gelu *= 0.5", "h.2.mlp.gelu += mean"]),
        ("h.2.mlp.gelu = mean", 0.75, ["h.2.mlp.gelu *= 0.25", "h.2.mlp.gelu += 3 * mean"]),
        ("h.2.mlp.gelu = mean(F.npz)", 0.5, ["h.2.mlp.gelu *= 0.5", "h.2.mlp.gelu += 0.5 * mean(F.npz)"]),
        ("h.2.mlp.gelu[3] = run(F.atlas, 2)", 1, ["h.2.mlp.gelu[3] = run(F.atlas, 2)"]),
        ("h.2.mlp.gelu = 7", 0, []),
    ],
)
def test_strengths_as_texts(text: str, strength: float, expected: list[str]) -> None:
    made = with_strength(parse_edit(text), strength)
    assert [str(edit) for edit in made] == expected
    assert [parse_edit(str(edit)) for edit in made] == list(made)


def test_an_array_is_scaled() -> None:
    (made,) = with_strength(edit_of(("h.2.resid_post +=", np.array([1.0, -2.0]))), 3)
    np.testing.assert_array_equal(made.value.values, [3, -6])  # type: ignore[union-attr]
    (made,) = with_strength(edit_of(("h.2.resid_post *=", np.array([1.0, 3.0]))), 0.5)
    np.testing.assert_array_equal(made.value.values, [1, 2])  # type: ignore[union-attr]


def test_what_has_no_strength_is_refused() -> None:
    with pytest.raises(UsageError, match="on or off"):
        with_strength(parse_edit("h.0.attn.scores = -inf"), 0.5)
    with pytest.raises(UsageError, match="no strength"):
        with_strength(parse_edit("h.0.ln_1 *= F.npy"), 0.5)


@pytest.mark.parametrize(
    "text", ["2 * mean", "-0.5 * mean(F.npz)", "1e-05 * run(F.atlas, 3)", "mean", "run(F.atlas, 3)"]
)
def test_factors_of_values_are_read_and_written(text: str) -> None:
    assert str(parse_edit(f"h.0.ln_1[0] += {text}")) == f"h.0.ln_1[0] += {text}"


def test_a_source_cannot_be_scaled_by_infinity() -> None:
    with pytest.raises(UsageError, match="infinity"):
        parse_edit("h.0.ln_1 = inf * mean")
