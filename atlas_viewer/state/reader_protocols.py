"""Protocols of what reads single values, statistics and formulas of a model's tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from compute.edits.grammar import Edit
from compute.lens.lens_cells import LensCells
from compute.lens.self_check import SelfCheck
from compute.models.tensor_index import TensorIndex
from compute.views.formula import Formula
from compute.views.strip_layout import StripLayout

from .color_mapping import ColorMapping
from .inspection import ProbedValue, TensorInfo
from .patching_view import Job, MapResult, Steering

if TYPE_CHECKING:
    from compute.views.statistics import TensorStatistics


class FormulaSource(Protocol):
    """Computes formulas of single elements; `compute.views.formula_pass.FormulaPass` is one."""

    latest: Formula | None

    def warming(self) -> Iterator[None]:
        """Prepare every kind of formula in steps, so that the first one is not late."""

    def explains(self, name: str) -> bool:
        """True when elements of the tensor `name` have formulas."""

    def has(self, element: TensorIndex) -> bool:
        """True when the latest pass contains this element, which the pass that panels show may not do."""

    @property
    def slow(self) -> bool:
        """True when a formula takes longer than a frame."""

    @property
    def pending(self) -> bool:
        """True while a formula is in flight."""

    def request(self, element: TensorIndex) -> bool:
        """Compute the formula of an element of the latest pass; False while one is in flight. Does not wait."""

    def poll(self) -> bool:
        """True if a formula has arrived since the last call."""


class LensSource(Protocol):
    """Reads every point of the residual stream with the final norm and head; `lens_reader.LensReader` is one."""

    @property
    def points(self) -> tuple[str, ...]:
        """The points, in order."""

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""

    @property
    def first_position(self) -> int:
        """Absolute position of the first context token."""

    @property
    def passes(self) -> int:
        """Number of passes so far."""

    @property
    def edit_changes(self) -> int:
        """Number of changes of the edits so far, each of which makes earlier results obsolete."""

    @property
    def waiting(self) -> bool:
        """True while a result is in flight."""

    def request(self, positions: range, target: int | None, top: int) -> bool:
        """Request all points of these context rows; False while a result is in flight. Does not wait."""

    def take(self) -> LensCells | None:
        """The requested result; returned once, None until it has arrived."""

    def request_check(self) -> bool:
        """Compare the last point with the model's logits, after a request that contains the newest row."""

    def take_check(self) -> SelfCheck | None:
        """The requested comparison; returned once, None until it has arrived."""


class SweepSource(Protocol):
    """Computes patching maps, ablations and steering vectors; `runner.sweeps.Sweeps` is one. Nothing here waits."""

    done: int
    total: int

    @property
    def points(self) -> tuple[str, ...]:
        """The points of the residual stream, at which steering vectors can be measured."""

    def start(self, job: Job, edits: Sequence[Edit]) -> None:
        """Begin; a sweep in progress ends. edits: in force throughout. Raises `AtlasError`s."""

    def advance(self, seconds: float) -> MapResult | Steering | None:
        """Submit up to `seconds` of GPU time if the GPU is free; the result, once. Raises `AtlasError`s."""

    def cancel(self) -> None:
        """End the sweep in progress, if there is one."""

    def save(self, steering: Steering, path: Path) -> None:
        """Write a steering vector with where it comes from. Raises `OutputError`, `UsageError`."""


class ValueReader(Protocol):
    """Reads single values of tensors; `tensor_reader.TensorReader` is one. Recordings contain no values."""

    @property
    def layout(self) -> StripLayout:
        """The layout that Strip was last painted with."""

    @property
    def formulas(self) -> FormulaSource | None:
        """The source of formulas; None when the model keeps no activations."""

    @property
    def probed_values(self) -> dict[TensorIndex, ProbedValue]:
        """The values of the watched elements that have arrived."""

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        """Set the color mapping for painting Strip from now on."""

    def request_values(self, elements: Sequence[TensorIndex]) -> None:
        """Watch these elements, and fetch their values. Does not wait."""

    def poll_values(self) -> bool:
        """True if values have arrived since the last call."""

    def trace(self) -> Sequence[str]:
        """The lines of the debug trace."""


class TensorReaderLike(Protocol):
    """Reads statistics of tensors; `tensor_reader.TensorReader` is one."""

    edges: Sequence[float]
    palettes: tuple[str, ...]

    @property
    def values(self) -> ValueReader | None:
        """The reader of single values; None when there are only statistics."""

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""

    @property
    def first_position(self) -> int:
        """Absolute position of the first context token."""

    @property
    def statistics(self) -> Mapping[str, TensorStatistics]:
        """The latest statistics that have arrived, by tensor."""

    @property
    def first_bad(self) -> str | None:
        """The first tensor with a non-finite value."""

    @property
    def pending(self) -> bool:
        """True while values or statistics have not arrived yet."""

    def tensors(self) -> dict[str, TensorInfo]:
        """All tensors by name."""

    def request_statistics(self) -> None:
        """Compute and fetch the statistics of the latest pass. Does not wait."""

    def poll_statistics(self) -> bool:
        """True if statistics have arrived since the last call."""
