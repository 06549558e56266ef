"""What the window needs of the model and of what looks into it, so that it can be tried without either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from .state import ModelSummary

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


class GenerationSource(Protocol):
    """Starts generations; `model_runner.ModelRunner` is one. A model that is only recorded has none."""

    def start(self, prompt: str, options: GenerateOptions, steps: Sequence[StepRecord] = ()) -> GenerationLike:
        """Begin a run, or continue one after its `steps`. Raises `UsageError`, `PromptError`."""

    def fits(self, options: GenerateOptions) -> bool:
        """True when `start` with these options needs no larger context than there is."""

    def grow_context(self, context: int) -> Loading[None]:
        """Allocate a context of `context` tokens, in steps. Raises `AtlasError`s; the smaller context then remains."""


class TokenCodec(Protocol):
    """Text to token ids and back; `compute.text.tokenizer.Tokenizer` is one."""

    def encode(self, text: str) -> Sequence[int]:
        """The token ids of a prompt. Raises `PromptError`."""

    def decode(self, ids: Iterable[int], /) -> str:
        """The text of tokens."""

    def token_label(self, id: int, /) -> str:
        """One token as the interface shows it: bytes that are only part of a character as hex."""

    def find(self, words: str) -> Sequence[tuple[int, str]]:
        """Tokens that match a search by text or id, each with its text."""


class StripPainter(Protocol):
    """Paints the cells of the strip from the latest pass; `compute.views.strip.StripPass` is one."""

    @property
    def texture(self) -> wgpu.GPUTexture:
        """rgba8unorm, one texel per cell."""

    @property
    def layout(self) -> StripLayout:
        """The layout that was painted last."""

    @property
    def pending(self) -> bool:
        """True while another `update` has to finish the picture."""

    def update(self) -> None:
        """Paint the latest pass. Does not wait."""


class MapSource(Protocol):
    """Opens maps of the model's tensors; `model_runner.ModelRunner` is one."""

    @property
    def registry(self) -> Registry:
        """The tensors; a different registry once the context has grown."""

    @property
    def max_context(self) -> int:
        """The longest context, in tokens, that fits without another upload of the model."""

    def opening_map(self, glyphs: np.ndarray, context: int) -> Loading[MapPass]:
        """A map with `context` rows for activations, in steps."""


class LogitsSource(Protocol):
    """All logits of one pass; `compute.views.logits_readback.LogitsReadback` is one."""

    def ask(self) -> None:
        """Fetch the logits of the latest pass. Does not wait."""

    def poll(self) -> np.ndarray | None:
        """The logits asked for, float32 [vocabulary], once, when they have arrived."""


class ModelLike(Protocol):
    """The model in the viewer: on the GPU (`model_runner.ModelRunner`), or only recorded
    (`recorded_model.RecordedModel`). What it cannot do is None.
    """

    @property
    def summary(self) -> ModelSummary:
        """The model and where it runs."""

    @property
    def tokenizer(self) -> TokenCodec:
        """Of its vocabulary."""

    @property
    def generations(self) -> GenerationSource | None:
        """None when the model is only recorded; `unavailable` then says why."""

    @property
    def unavailable(self) -> str:
        """Why the model neither runs nor has a map, and what to do; empty when it does."""

    @property
    def strip(self) -> StripPainter | None:
        """None when there are no values to paint; a different one once the context has grown."""

    @property
    def map_source(self) -> MapSource | None:
        """None when there are no values to show."""

    @property
    def tensor_reader(self) -> TensorReaderLike | None:
        """Single values and statistics; a different one once the context has grown."""

    @property
    def logits(self) -> LogitsSource | None:
        """Of the step that a replay reached last, or the latest step; None when its logits were not recorded."""

    def replay(
        self, prompt_tokens: Sequence[tuple[int, str]], steps: Sequence[StepRecord], options: GenerateOptions
    ) -> ReplayLike:
        """Shows single steps of a run again."""

    def close(self) -> None:
        """Close the model's file."""
