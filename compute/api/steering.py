"""Steering vectors: the difference between what texts of two kinds have in one activation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from compute.errors import UsageError, option
from compute.io.array_files import write_npz
from compute.io.escape import one_line
from compute.io.output_files import output_file

from .model import Model
from .texts import integer

Text = str | Sequence[int]


@dataclass(frozen=True)
class SteeringVector:
    """A direction in an activation: the mean over texts A minus the mean over texts B.

    array: float32 [columns of the activation]. at: the activation. position: of the token whose row was taken, counted
    from the end when negative; None for the mean over all tokens of each text. model, weights: of what was measured.
    texts_a, texts_b: the texts, or token ids.

    >>> vector = av.direction(model, ["I am happy"], ["I am sad"], at="h.6.resid_post")
    >>> run = model.run("Once upon a time", edits=[("h.6.resid_post +=", 2.5 * vector.array)])
    >>> vector.array.shape, run.edits
    ((192,), ['h.6.resid_post += array of 192'])
    """

    array: np.ndarray = field(repr=False)
    at: str
    position: int | None
    model: str
    weights: str
    texts_a: tuple[Text, ...]
    texts_b: tuple[Text, ...]

    def save(self, path: Path | str) -> None:
        """Write it to a .npz file with where it comes from, or to a .npy file, which edits can scale.

        In the .npz file it is the array of the activation, [1, columns], so that the edit `h.6.resid_post +=
        mean(F.npz)` adds it; `h.6.resid_post += 2.5 * F.npy` adds it 2.5 times.
        Raises `UsageError` for another suffix, `OutputError` when the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".npy":
            with output_file(path) as file:
                np.lib.format.write_array(file, self.array, allow_pickle=False)
        elif suffix == ".npz":
            texts = {"texts_a": json.dumps(_plain(self.texts_a)), "texts_b": json.dumps(_plain(self.texts_b))}
            position = "mean" if self.position is None else str(self.position)
            provenance = {"model": self.model, "weights": self.weights, "at": self.at, "position": position, **texts}
            write_npz(path, [(self.at, self.array[None])], provenance)
        else:
            raise UsageError(f"{one_line(path)}: give a name that ends in .npz or .npy")


def direction(
    model: Model, texts_a: Sequence[Text], texts_b: Sequence[Text], *, at: str, position: int | None = -1
) -> SteeringVector:
    """The steering vector that leads from texts B to texts A: the difference of their means in an activation.

    texts_a, texts_b: lists of texts or of token ids. at: an activation with a row per token, such as "h.6.resid_post".
    position: the token of each text whose row is taken, by default the last one; None takes the mean of all.

    Raises `TensorNameError` for an unknown name, `UsageError` for one without rows, for an empty list, or for a text
    that has no such position.
    """
    means = [_mean(model, texts, name, at, position) for name, texts in (("texts_a", texts_a), ("texts_b", texts_b))]
    array = (means[0] - means[1]).astype(np.float32)
    array.flags.writeable = False
    return SteeringVector(array, at, position, model.name, model._engine.dtype, tuple(texts_a), tuple(texts_b))


def _mean(model: Model, texts: Sequence[Text], name: str, at: str, position: int | None) -> np.ndarray:
    """The mean of the texts' rows, float64 [columns]."""
    if isinstance(texts, str) or not isinstance(texts, Sequence) or not len(texts):
        raise UsageError(f"{option(name)}: must be a list of at least one text")
    runs = [model.run(text, keep=[at]) for text in texts]
    rows = [row_of(run[at], index, at, position) for index, run in enumerate(runs, start=1)]
    mean: np.ndarray = np.mean(rows, axis=0)
    return mean


def row_of(array: np.ndarray, index: int, at: str, position: int | None) -> np.ndarray:
    """The row of a text's activation at a position, or the mean of all rows: float64 [columns]. Raises `UsageError`.

    index: of the text, for messages.
    """
    if array.ndim != 2:
        raise UsageError(f"{option('at', at)}: has no row per token; give an activation such as h.0.resid_post")
    if position is None:
        mean: np.ndarray = array.mean(axis=0, dtype=np.float64)
        return mean
    number, count = integer(position), len(array)
    if number is None or not -count <= number < count:
        raise UsageError(
            f"text {index}: has no position {one_line(str(position), 20)}; it has {count} tokens, give {-count} to"
            f" {count - 1}"
        )
    row: np.ndarray = array[number].astype(np.float64)
    return row


def _plain(texts: Sequence[Text]) -> list[str | list[int]]:
    return [text if isinstance(text, str) else [int(token) for token in text] for text in texts]
