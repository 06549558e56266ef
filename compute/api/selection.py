"""The tensors that names and globs select for a file: weights, and what can be read of a pass."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compute.errors import TensorNameError, UsageError
from compute.io.array_files import SINGLE, ArraySpec, check_suffix
from compute.io.escape import one_line
from compute.models.operations import Weight
from compute.models.readings import Reading

from .names import Names, Scheme, check_scheme
from .weights import weight_name

TOKENS = "tokens"  # the array of token ids in a file with several arrays of a pass
_NEAREST = 3
_FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Selection:
    """Tensors in the order in which a file contains them: readings of a pass, its last row of logits, weights.

    logits: their name and the size of the vocabulary; None when they are not selected.
    """

    readings: tuple[Reading, ...]
    logits: tuple[str, int] | None
    weights: tuple[Weight, ...]

    @property
    def count(self) -> int:
        """Number of tensors."""
        return len(self.readings) + len(self.weights) + (self.logits is not None)

    @property
    def needs_pass(self) -> bool:
        """True when a tensor is not a weight, so that its values depend on the text."""
        return bool(self.readings) or self.logits is not None

    @property
    def first(self) -> str:
        """The name of the first tensor."""
        return self.specs(0)[0].name

    def specs(self, rows: int) -> list[ArraySpec]:
        """The selected tensors as arrays, for a pass over `rows` tokens. The logits are those of the last token."""
        # "tokens", "query" and "key" are all the number of tokens.
        specs = [
            ArraySpec(reading.name, _FLOAT, tuple(size if isinstance(size, int) else rows for size in reading.shape()))
            for reading in self.readings
        ]
        if self.logits is not None:
            name, vocabulary = self.logits
            specs.append(ArraySpec(name, _FLOAT, (1, vocabulary)))
        return specs + [ArraySpec(weight.name, _FLOAT, weight.shape) for weight in self.weights]

    def check_path(self, path: Path | str) -> None:
        """Raise `UsageError` when a file of this name cannot contain the tensors."""
        if Path(path).suffix.lower() == SINGLE and self.count > 1:
            raise UsageError(
                f"{one_line(path)}: {SINGLE} is for one tensor, {self.count} are selected;"
                " give a name that ends in .npz or .safetensors"
            )
        check_suffix(path, single=True)


def select(names: Names, globs: str | Sequence[str], scheme: Scheme) -> Selection:
    """The tensors of `globs`: names and globs in this project's or TransformerLens' scheme; in a text, between spaces.

    A glob is matched with our names, among them those of weights, and only when none matches with those of
    TransformerLens. scheme: that of the names and shapes of the selected activations.
    Raises `TensorNameError` for an unknown name, `UsageError` for a glob that matches nothing, or for no glob at all.
    """
    check_scheme(scheme)
    wanted = globs.split() if isinstance(globs, str) else list(globs)
    if not wanted:
        raise UsageError("no tensor is named: give a name or a glob")
    found = {name for glob in wanted for name in _matches(names, glob)}
    description = names.description
    activations = sorted(found - {names.logits} - description.weights.keys())
    return Selection(
        tuple(names.in_scheme(reading, scheme) for reading in names.matching(activations)),
        (names.logits, description.config.vocabulary) if names.logits in found else None,
        tuple(weight for weight in description.weights.values() if weight.name in found),
    )


def _matches(names: Names, glob: str) -> list[str]:
    ours = [*names.ours, names.logits, *names.description.weights]
    if any(character in glob for character in "*?["):
        for scheme in (ours, names.theirs):
            if matching := [name for name in scheme if fnmatch.fnmatchcase(name, glob)]:
                return matching
        raise UsageError(f"{one_line(glob)}: no tensor matches; a name is for example {names.description.stream[-1]}")
    name = weight_name(names.description, glob)
    if name not in ours and name not in names.theirs:
        near = difflib.get_close_matches(name, [*ours, *names.theirs], n=_NEAREST, cutoff=0.0)
        raise TensorNameError(f"{one_line(glob)}: no tensor has this name; the nearest are {', '.join(near)}")
    return [name]
