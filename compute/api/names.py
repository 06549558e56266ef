"""The names of everything that can be kept of a run: ours, TransformerLens', and globs over both."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable
from functools import cached_property
from typing import Literal, get_args

from compute.errors import TensorNameError, UsageError, option
from compute.io.escape import one_line
from compute.models.description import Description
from compute.models.readings import Reading, readings
from compute.models.transformerlens import names_by_transformerlens, transformerlens_name, transformerlens_readings

_NEAREST = 3
Scheme = Literal["atlas", "transformerlens"]


def check_scheme(names: str) -> None:
    """Raise `UsageError` when `names` is not a `Scheme`."""
    if names not in get_args(Scheme):
        raise UsageError(f'names={one_line(repr(names))}: must be "atlas" or "transformerlens"')


def globs_of(keep: str | Iterable[str]) -> list[str]:
    """The names and globs that a caller asks for. Raises `UsageError` when they are something else."""
    if isinstance(keep, str):
        return [keep]
    globs: list[str] | None = list(keep) if isinstance(keep, Iterable) else None
    if globs is None or not all(isinstance(glob, str) for glob in globs):
        raise UsageError(f"{option('keep')}{one_line(repr(keep), 40)}: must be a name, a glob, or a list of them")
    return globs


class Names:
    """The names of a model's activations. `logits` is the name of the logits, in both schemes."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.logits = description.head.output

    @cached_property
    def ours(self) -> dict[str, Reading]:
        """By this project's names."""
        return readings(self.description)

    @cached_property
    def theirs(self) -> dict[str, Reading]:
        """By the names of TransformerLens."""
        return transformerlens_readings(self.description)

    @cached_property
    def _equivalents(self) -> dict[str, str]:
        return names_by_transformerlens(self.description)

    def find(self, name: str) -> Reading:
        """What `name` reads, in either scheme. Raises `TensorNameError` with the three nearest names."""
        if not isinstance(name, str):
            raise TensorNameError(f"{one_line(repr(name), 40)}: is not the name of a tensor, which is a string")
        reading = self.ours.get(name) or self.theirs.get(name)
        if reading is None and name in self.description.weights:
            raise TensorNameError(f"{name}: is a weight, not an activation of a run; in Python, read model.weights")
        if reading is None:
            known = [*self.ours, *self.theirs, self.logits]
            near = difflib.get_close_matches(name, known, n=_NEAREST, cutoff=0.0)
            raise TensorNameError(f"{one_line(name, 80)}: no tensor has this name; the nearest are {', '.join(near)}")
        return reading

    def matching(self, globs: str | Iterable[str]) -> list[Reading]:
        """What the names and globs ask for, each array once and in the order in which the model runs.

        A glob is matched with our names, and only when none matches with those of TransformerLens. An array that has
        a name of ours is found under that. The logits are always kept, so they are left out.
        Raises `TensorNameError` for an unknown name, `UsageError` for a glob that matches nothing.
        """
        wanted: set[str] = set()
        for glob in globs_of(globs):
            if glob != self.logits:
                wanted |= {self._equivalents.get(name, name) for name in self._matches(glob)}
        return [r for r in [*self.ours.values(), *self.theirs.values()] if r.name in wanted]

    def keeps_logits(self, globs: Iterable[str]) -> bool:
        """True when one of `globs` matches the logits."""
        return any(fnmatch.fnmatchcase(self.logits, glob) for glob in globs)

    def in_scheme(self, reading: Reading, scheme: Scheme) -> Reading:
        """The same array under its name in `scheme`; as it is where it has none there."""
        return self.theirs.get(self.transformerlens(reading.name), reading) if scheme == "transformerlens" else reading

    def transformerlens(self, name: str) -> str:
        """The TransformerLens name of what `name` reads, or `name` where it has none."""
        return transformerlens_name(name, self.description) or name

    def _matches(self, glob: str) -> list[str]:
        if not any(character in glob for character in "*?["):
            return [self.find(glob).name]
        for scheme in (self.ours, self.theirs):
            if names := [name for name in scheme if fnmatch.fnmatchcase(name, glob)]:
                return names
        if fnmatch.fnmatchcase(self.logits, glob):
            return []
        last = self.description.stream[-1]
        raise UsageError(f"{one_line(glob, 80)}: no tensor matches; a name is for example {last}")
