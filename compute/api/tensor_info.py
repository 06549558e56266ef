"""What is known of a tensor without running the model."""

from __future__ import annotations

from dataclasses import dataclass

from .names import Names


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a model: its shape, with words for what depends on the text, and a sentence about it.

    kind: "weight", "activation" or "logits". transformerlens: its name in TransformerLens; None where it has none.
    """

    name: str
    kind: str
    shape: tuple[int | str, ...]
    about: str
    transformerlens: str | None


def tensor_infos(names: Names) -> list[TensorInfo]:
    """Every tensor of a model: weights, what can be kept of a run, and the logits."""
    description = names.description
    infos = [TensorInfo(w.name, "weight", w.shape, w.about, None) for w in description.weights.values()]
    for r in names.ours.values():
        theirs = names.transformerlens(r.name)
        infos.append(TensorInfo(r.name, "activation", r.shape(), r.about, theirs if theirs in names.theirs else None))
    head = description.head
    infos.append(TensorInfo(head.output, "logits", ("tokens", description.config.vocabulary), head.about, head.output))
    return infos
