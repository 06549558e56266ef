"""What the Patching panel shows: its fields, the sweep in progress, and the latest results. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from compute.lens.self_check import SelfCheck
from compute.models.patch_points import RESIDUAL, Over

PATCH, ABLATE, STEER = SECTIONS = ("patch", "ablate", "steer")
DENOISE, NOISE = DIRECTIONS = ("denoise", "noise")
ZERO, MEAN = REPLACEMENTS = ("zero", "mean")
LAST, ALL = POSITIONS = ("last token", "all tokens")
MLP = "MLP"


@dataclass(frozen=True)
class MapJob:
    """A patching map or an ablation sweep: everything that its numbers depend on, except the edits in force.

    texts, tokens: clean and corrupt; for an ablation only the one text. to: what ablation sets parts to.
    """

    section: str
    texts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    target: int
    against: int | None
    over: Over = RESIDUAL
    direction: Literal["denoise", "noise"] = "denoise"
    to: Literal["zero", "mean"] = "zero"
    control: bool = False

    @property
    def base(self) -> str:
        """The text that is run with changes."""
        return self.texts[1] if self.section == PATCH and self.direction == DENOISE else self.texts[0]

    @property
    def source(self) -> str:
        """The name of the run that values come from."""
        return "clean" if self.direction == DENOISE else "corrupt"


@dataclass(frozen=True)
class SteerJob:
    """A steering vector to compute. position: of the row of each text, from its end; None for the mean of all."""

    texts_a: tuple[str, ...]
    texts_b: tuple[str, ...]
    at: str
    position: int | None


Job = MapJob | SteerJob


@dataclass(frozen=True, eq=False)
class MapResult:
    """A finished map. Arrays are [layers, columns]: positions or heads, and in an ablation the MLP as last column.

    values: see `compute.api.patching`; control: the same with random vectors. changed: how many values each cell has
    changed. measured: the difference or logit of the clean run, and of the corrupt one. points: the activation that a
    cell edits. columns: what is above each column. activations: of the run that was patched from, by layer.
    error: of a value, by rounding. edits: those in force, and what they report. seconds: how long it took.
    """

    job: MapJob
    values: np.ndarray
    control: np.ndarray | None
    changed: np.ndarray
    measured: tuple[float, ...]
    points: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    names: tuple[str, ...]  # of target and against
    activations: tuple[np.ndarray, ...]
    error: float
    checks: tuple[SelfCheck, ...]
    edits: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float

    @property
    def limit(self) -> float:
        """The magnitude of the strongest color: for a patching map at least 1."""
        arrays = [self.values] if self.control is None else [self.values, self.control]
        largest = max(float(np.nanmax(np.abs(one), initial=0.0)) for one in arrays)
        return max(largest, 1.0) if self.job.section == PATCH else largest or 1.0

    @property
    def unchanged(self) -> int:
        """The number of cells whose edit changed no value."""
        return int((self.changed == 0).sum())


@dataclass(frozen=True, eq=False)
class Steering:
    """A finished steering vector, float32 [columns]. size: its length beside the mean length of the rows used."""

    job: SteerJob
    vector: np.ndarray
    size: float
    rows: float


@dataclass
class PatchingView:
    """The fields as typed. `clean` and `corrupt` are None until they are edited: the prompt, and a copy of it.

    start, cancel: set by the panel, carried out and cleared by the updater. done, total: copies of the sweep in
    progress; total is 0 when there is none. error: why no sweep can begin; offer: a text for the
    field `offered` that would help. note: what has just been done.
    """

    section: str = PATCH
    clean: str | None = None
    corrupt: str | None = None
    target: str = ""
    against: str = ""
    over: Over = RESIDUAL
    direction: str = DENOISE
    to: str = ZERO
    control: bool = False
    texts_a: str = ""
    texts_b: str = ""
    at: str = ""  # empty for the middle of `points`
    points: tuple[str, ...] = ()  # of the residual stream
    position: str = LAST
    strength: float = 1.0
    entry: int | None = None  # of the steering vector in the list of edits
    start: bool = False
    cancel: bool = False
    done: int = 0
    total: int = 0
    waiting: bool = False  # a run in progress goes first
    job: Job | None = None  # what the fields ask for
    error: str = ""
    failure: str = ""  # how the latest sweep or file ended, if badly
    offer: str = ""
    offered: str = ""
    problem: str = ""  # why there is nothing to show
    note: str = ""
    path: str = ""  # of the file to save
    save: str = ""  # set by the panel: a path to write the result to
    results: dict[str, MapResult] = field(default_factory=dict)  # by section
    steering: Steering | None = None
    shows_control: bool = False
    chosen: tuple[int, int] | None = None  # cell

    @property
    def busy(self) -> bool:
        """True while a sweep is in progress."""
        return self.total > 0

    @property
    def result(self) -> MapResult | None:
        """The map of the section in front."""
        return self.results.get(self.section)

    @property
    def current(self) -> bool:
        """True when the result is that of the fields."""
        if self.section == STEER:
            return self.steering is not None and self.steering.job == self.job
        return self.result is not None and self.result.job == self.job

    def clear(self) -> None:
        """Forget the results: they are those of another model."""
        self.results.clear()
        self.steering = self.chosen = self.entry = None
        self.note = ""
