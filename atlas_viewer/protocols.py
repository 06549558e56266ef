"""What the window needs of the model and of what looks into it, so that it can be tried without either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import wgpu

from compute.options import GenerateOptions
from compute.strip_layout import StripLayout

from .inspection import Reading, Spot, TensorInfo
from .look import Look
from .state import Colour, GenerationLike, ModelSummary

if TYPE_CHECKING:
    from compute.statistics import TensorStatistics


class ObserverLike(Protocol):
    """What the viewer needs to look into tensors; `observer.Observer` is one."""

    edges: Sequence[float]
    palettes: tuple[str, ...]

    @property
    def layout(self) -> StripLayout:
        """Of the atlas as it was painted last."""

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""

    @property
    def first_position(self) -> int:
        """Absolute position of the first of them."""

    @property
    def statistics(self) -> Mapping[str, TensorStatistics]:
        """What has arrived last."""

    @property
    def first_bad(self) -> str | None:
        """The first tensor that is not finite."""

    @property
    def readings(self) -> dict[Spot, Reading]:
        """What watched spots were found to be."""

    @property
    def pending(self) -> bool:
        """True while something is on its way."""

    def tensors(self) -> dict[str, TensorInfo]:
        """Every tensor."""

    def set_look(self, look: Look) -> None:
        """How the atlas is painted."""

    def ramp(self, palette: str, share: float) -> Colour:
        """Colour of the palette at -1 to 1."""

    def ask_values(self, spots: Sequence[Spot]) -> None:
        """Fetch values."""

    def ask_statistics(self) -> None:
        """Make statistics."""

    def poll(self) -> tuple[bool, bool]:
        """Whether values, and whether statistics, have arrived."""

    def trace(self) -> Sequence[str]:
        """Lines of the trace."""


class WorkbenchLike(Protocol):
    """What the viewer needs of the model; `workbench.Workbench` is one."""

    @property
    def model(self) -> ModelSummary:
        """What is known of the model."""

    @property
    def atlas(self) -> wgpu.GPUTexture:
        """The strip atlas."""

    @property
    def spans_left_out(self) -> Sequence[str]:
        """Tensors without cells."""

    def start(self, prompt: str, options: GenerateOptions) -> GenerationLike:
        """Begin a run."""

    def paint(self) -> bool:
        """Write the atlas from the latest pass; True when another call has to finish it."""

    @property
    def observer(self) -> ObserverLike | None:
        """Single values and statistics; another one after `start` has made a new engine."""

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""

    def token_text(self, token: int) -> str:
        """How one token is shown."""
