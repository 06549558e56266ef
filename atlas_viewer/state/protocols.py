"""What the window needs of the model and of what looks into it, so that it can be tried without either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import wgpu

from compute.gpu.loading import Loading
from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.views.map_pass import MapPass
from compute.views.strip_layout import StripLayout

from .color_mapping import ColorMapping
from .inspection import ProbedValue, TensorInfo
from .state import Color, ModelSummary

if TYPE_CHECKING:
    from compute.generate.steps import StepCaptureLike, StepRecord
    from compute.sampling.sampler import SampleResult
    from compute.views.statistics import TensorStatistics


class TensorReaderLike(Protocol):
    """What the viewer needs to look into tensors; `tensor_reader.TensorReader` is one."""

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
    def probed_values(self) -> dict[TensorIndex, ProbedValue]:
        """What watched spots were found to be."""

    @property
    def pending(self) -> bool:
        """True while something is on its way."""

    def tensors(self) -> dict[str, TensorInfo]:
        """Every tensor."""

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        """How the atlas is painted."""

    def ramp(self, palette: str, share: float) -> Color:
        """Color of the palette at -1 to 1."""

    def ask_values(self, elements: Sequence[TensorIndex]) -> None:
        """Fetch values."""

    def ask_statistics(self) -> None:
        """Make statistics."""

    def poll(self) -> tuple[bool, bool]:
        """Whether values, and whether statistics, have arrived."""

    def trace(self) -> Sequence[str]:
        """Lines of the trace."""


class GenerationLike(Protocol):
    """What the viewer needs of a run; `compute.generate.generator.Generation` is one."""

    prompt_tokens: list[int]
    options: GenerateOptions
    steps: list[StepRecord]

    @property
    def continuation(self) -> str:
        """What was written after the prompt."""

    @property
    def done(self) -> bool:
        """True when no step will follow."""

    @property
    def stop_reason(self) -> str | None:
        """Why it ended."""

    @property
    def tokens_per_second(self) -> float:
        """Speed so far."""

    @property
    def progress(self) -> float:
        """How much of the pass in flight is done, 0 to 1."""

    @property
    def pass_complete(self) -> bool:
        """True when the tensors are of one whole pass, so that the atlas may be painted from them."""

    def advance(self, budget_s: float) -> bool:
        """Do about `budget_s` seconds of work; True when there is something new to show."""

    def stop(self) -> None:
        """End the run."""


class ReplayLike(Protocol):
    """What the viewer needs to show a step of a run that rests; `compute.generate.replay.Replay` is one."""

    at: int | None

    @property
    def pass_complete(self) -> bool:
        """True when the tensors are of one whole pass."""

    def seek(self, step: int) -> None:
        """Ask for the pass of a step."""

    def advance(self, budget_s: float) -> bool:
        """Do about `budget_s` seconds of work; True when the pass asked for is whole."""


class StepOrder(Protocol):
    """Who wants more of each step than its token; `sessions.live.LiveRecording` is one."""

    logits: bool
    statistics: bool

    def begun(self, prompt_tokens: Sequence[int], steps: Sequence[StepRecord], options: GenerateOptions) -> None:
        """A generation begins behind `steps`."""

    def step(self, record: StepRecord, draw: SampleResult, measured: StepCaptureLike) -> None:
        """A step of it."""


class RunnerLike(Protocol):
    """What the viewer needs of the model; `workbench.ModelRunner` is one."""

    @property
    def model(self) -> ModelSummary:
        """What is known of the model."""

    @property
    def atlas(self) -> wgpu.GPUTexture | None:
        """The strip atlas, None where there is no model to paint it from."""

    @property
    def spans_left_out(self) -> Sequence[str]:
        """Tensors without cells."""

    def start(self, prompt: str, options: GenerateOptions, steps: Sequence[StepRecord] = ()) -> GenerationLike:
        """Begin a run, or go on behind earlier steps of it."""

    def close(self) -> None:
        """Give up the model's file."""

    def fits(self, options: GenerateOptions) -> bool:
        """True when `start` with these options needs no new engine."""

    def grow_context(self, context: int) -> Loading[None]:
        """Make room for a window of `context` tokens."""

    def replay(
        self, prompt_tokens: Sequence[tuple[int, str]], steps: Sequence[StepRecord], options: GenerateOptions
    ) -> ReplayLike:
        """Passes of steps that are known."""

    def ask_logits(self) -> bool:
        """Fetch all logits of the pass that was submitted last; False when nobody has them."""

    def take_logits(self) -> np.ndarray | None:
        """The logits asked for, float32 [vocabulary], once, when they have arrived."""

    def tokens_of(self, text: str) -> Sequence[int]:
        """The tokens of a prompt."""

    def find_tokens(self, words: str) -> Sequence[tuple[int, str]]:
        """Tokens that a search by text or number finds."""

    def paint(self) -> bool:
        """Write the atlas from the latest pass; True when another call has to finish it."""

    @property
    def registry(self) -> Registry:
        """The tensors; another one after a new engine has been made."""

    @property
    def max_context(self) -> int:
        """The longest window, in tokens, for which the engine has room."""

    def opening_map(self, glyphs: np.ndarray, context: int) -> Loading[MapPass]:
        """A map with `context` rows for activations, in steps."""

    @property
    def tensor_reader(self) -> TensorReaderLike | None:
        """Single values and statistics; another one after `start` has made a new engine."""

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""

    def token_text(self, token: int) -> str:
        """How one token is shown."""

    def weights_sha256(self) -> str:
        """What a recording knows the weights by. Takes long; any thread may call it."""

    def order_steps(self, order: StepOrder | None) -> None:
        """Generations from now on hand their steps to `order`."""
