"""Saving tensors to a file: what the dialog shows, and the words about tensors and their origin. Plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from atlas_viewer import __version__
from compute.io.array_files import ArraySpec
from compute.io.size_text import size_text

if TYPE_CHECKING:
    from .runs import Run
    from .state import ModelSummary

Scheme = Literal["atlas", "transformerlens"]
SCHEMES: dict[Scheme, str] = {"atlas": "Atlas Viewer", "transformerlens": "TransformerLens"}
_LISTED = 20  # tensors


@dataclass
class TensorSave:
    """The dialog Save tensor. Its panel sets `names`, `path` and `scheme`; `TensorSaving` sets the others."""

    names: str = ""  # names and globs, as typed
    path: str = ""
    scheme: Scheme = "atlas"  # of names and shapes in the file
    suggested: str = ""  # the suggested path; a path that equals it follows the names
    possible: bool = False  # the model has values, not only a recording of some
    selected: Sequence[ArraySpec] = ()  # the tensors that `names` selects
    of_pass: bool = False  # one of them is not a weight
    unknown: str = ""  # why it selects none
    stage: str = ""  # "waiting" for the pass of the step, "saving"; empty when nothing is saved
    done: int = 0  # bytes written
    total: int = 0
    note: str = ""  # the outcome of the last save
    trouble: str = ""  # its error

    @property
    def share(self) -> float:
        """The share of the bytes that is written, 0 to 1."""
        return self.done / self.total if self.total else 0.0


def selected_text(specs: Sequence[ArraySpec]) -> str:
    """One line about the selected tensors: the name and shape of one, the number and names of several."""
    size = size_text(sum(spec.nbytes for spec in specs))
    if len(specs) == 1:
        return f"{_with_shape(specs[0])}, {size}"
    return f"{len(specs)} tensors, {size}: {', '.join(spec.name for spec in specs)}"


def listed(specs: Sequence[ArraySpec]) -> str:
    """The first selected tensors with their shapes, one per line, and the number of the others."""
    lines = [_with_shape(spec) for spec in specs[:_LISTED]]
    return "\n".join([*lines, *([f"and {len(specs) - _LISTED} more"] if len(specs) > _LISTED else [])])


def _with_shape(spec: ArraySpec) -> str:
    return f"{spec.name} [{', '.join(map(str, spec.shape))}]"


def pass_text(model: ModelSummary, run: Run | None, step: int | None) -> str:
    """Where tensors are from, as the window shows it: the step, the run and the model."""
    if run is None or step is None:
        return model.name
    return f"step {step + 1} of run {run.number}, {model.name}"


def pass_tokens(run: Run, step: int, rows: int) -> list[int]:
    """The ids of the `rows` tokens of the context from which token number `step` was drawn."""
    text = [token for token, _ in run.prompt_tokens] + [known.token for known in run.steps[:step]]
    return text[-rows:]


def origin(model: ModelSummary, run: Run | None, step: int | None, first_position: int) -> dict[str, str]:
    """The metadata of a file. run, step: None for weights alone; first_position: of the first token of the context."""
    found = {
        "program": f"Atlas Viewer {__version__}",
        "model": model.name,
        "weights": model.weights,
        "adapter": model.adapter,
    }
    if run is not None and step is not None:
        found |= {
            "run": str(run.number),
            "run_title": run.title,
            "step": str(step + 1),
            "first_position": str(first_position),
            "prompt": run.prompt,
        }
    return found
