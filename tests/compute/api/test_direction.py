"""Steering vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import atlas_viewer as av

pytestmark = pytest.mark.gpu

A, B = ["I am happy", "What a happy day"], ["I am sad", "A sad day", "How sad"]


@pytest.fixture(scope="module")
def model() -> av.Model:
    return av.load("stories", context=64)


def rows(model: av.Model, texts: list[str], at: str) -> list[np.ndarray]:
    return [model.run(text, keep=at)[at].astype(np.float64) for text in texts]


def test_it_is_the_difference_of_means(model: av.Model) -> None:
    at = "h.6.resid_post"
    a, b = rows(model, A, at), rows(model, B, at)
    last = np.mean([x[-1] for x in a], axis=0) - np.mean([x[-1] for x in b], axis=0)
    whole = np.mean([x.mean(axis=0) for x in a], axis=0) - np.mean([x.mean(axis=0) for x in b], axis=0)
    first = np.mean([x[0] for x in a], axis=0) - np.mean([x[0] for x in b], axis=0)
    for position, expected in ((-1, last), (None, whole), (0, first)):
        vector = av.direction(model, A, B, at=at, position=position)
        np.testing.assert_allclose(vector.array, expected, atol=1e-5)
        assert vector.array.dtype == np.float32
        assert vector.position == position
    assert np.array_equal(
        av.direction(model, A, B, at="blocks.6.hook_resid_post").array, av.direction(model, A, B, at=at).array
    )


def test_its_files_are_edits(model: av.Model, tmp_path: Path) -> None:
    vector = av.direction(model, A, B, at="h.6.resid_post")
    vector.save(tmp_path / "v.npz")
    vector.save(tmp_path / "v.npy")
    given = [("h.6.resid_post +=", vector.array)]
    expected = model.run("Once upon a time", edits=given).logits
    assert not np.allclose(expected, model.run("Once upon a time").logits, atol=0.1)
    for edit in (f"h.6.resid_post += mean({tmp_path}/v.npz)", f"h.6.resid_post += {tmp_path}/v.npy"):
        assert np.array_equal(model.run("Once upon a time", edits=edit).logits, expected)
    twice = model.run("Once upon a time", edits=f"h.6.resid_post += 2 * {tmp_path}/v.npy").logits
    assert np.array_equal(twice, model.run("Once upon a time", edits=given * 2).logits) or np.allclose(
        twice, model.run("Once upon a time", edits=given * 2).logits, atol=1e-3
    )
    with np.load(tmp_path / "v.npz") as file:
        (extra,) = set(file.files) - {"h.6.resid_post"}
        provenance = json.loads(str(file[extra]))
    assert (provenance["model"], provenance["at"], provenance["position"]) == ("stories", "h.6.resid_post", "-1")
    assert (json.loads(provenance["texts_a"]), json.loads(provenance["texts_b"])) == (A, B)


def test_bad_input_is_refused(model: av.Model, tmp_path: Path) -> None:
    with pytest.raises(av.TensorNameError, match="nearest"):
        av.direction(model, A, B, at="h.9.resid_post")
    with pytest.raises(av.UsageError, match=r"texts_b.*at least one text"):
        av.direction(model, A, [], at="h.6.resid_post")
    with pytest.raises(av.UsageError, match=r"texts_a.*at least one text"):
        av.direction(model, "one text", B, at="h.6.resid_post")
    with pytest.raises(av.UsageError, match="has no row per token"):
        av.direction(model, A, B, at="h.6.attn.pattern")
    with pytest.raises(av.UsageError, match="text 1: has no position 3; it has 3 tokens"):
        av.direction(model, A, B, at="h.6.resid_post", position=3)
    with pytest.raises(av.UsageError, match=r"ends in .npz or .npy"):
        av.direction(model, A, B, at="h.6.resid_post").save(tmp_path / "v.txt")
