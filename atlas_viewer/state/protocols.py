"""Interfaces to the model, by role, so that the window can be tested without a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import wgpu

from compute.edits.gpu_list import PendingEffects
from compute.edits.grammar import Edit
from compute.edits.resolved import ResolvedEdit
from compute.gpu.loading import Loading
from compute.models.registry import Registry
from compute.patching.edit_measure import EditMeasure
from compute.sampling.options import GenerateOptions
from compute.text.chat import ChatPrompt, Turn
from compute.views.map_pass import MapPass
from compute.views.strip_layout import StripLayout

from .attribution_protocols import AttributionSource
from .comparison_protocols import ComparisonSource, Views
from .reader_protocols import LensSource, SweepSource
from .state import ModelSummary
from .tensor_file_protocols import TensorFilesLike

if TYPE_CHECKING:
    from compute.generate.steps import StepCaptureLike, StepRecord
    from compute.sampling.sampler import SampleResult


class GenerationLike(Protocol):
    """A generation in progress; `compute.generate.generator.Generation` is one."""

    prompt_tokens: list[int]
    options: GenerateOptions
    steps: list[StepRecord]

    @property
    def edits(self) -> Sequence[ResolvedEdit]:
        """What its passes change."""

    @property
    def continuation(self) -> str:
        """The text after the prompt."""

    @property
    def done(self) -> bool:
        """True when there are no more steps."""

    @property
    def stop_reason(self) -> str | None:
        """Why the generation ended; None while it is in progress."""

    @property
    def tokens_per_second(self) -> float:
        """The average speed so far."""

    @property
    def progress(self) -> float:
        """The share of the current pass that is done, 0 to 1."""

    @property
    def pass_seconds(self) -> float:
        """Predicted GPU time of the current pass, in seconds; 0 if unknown."""

    @property
    def pass_complete(self) -> bool:
        """True when all tensors belong to one pass, so that views can be painted from them."""

    def advance(self, budget_s: float) -> bool:
        """Do about `budget_s` seconds of work; returns True when there is something new to show."""

    def stop(self) -> None:
        """End the generation."""


class ReplayLike(Protocol):
    """Shows single steps of a paused or finished run; `compute.generate.replay.Replay` is one."""

    at: int | None

    @property
    def pass_complete(self) -> bool:
        """True when all tensors belong to one pass."""

    def seek(self, step: int) -> None:
        """Request the pass for a step."""

    def advance(self, budget_s: float) -> bool:
        """Do about `budget_s` seconds of work; returns True when the requested pass is complete."""


class StepListener(Protocol):
    """Receives every step with its logits and statistics; `live_recording.LiveRecording` is one."""

    logits: bool
    statistics: bool

    def begun(self, prompt_tokens: Sequence[int], steps: Sequence[StepRecord], options: GenerateOptions) -> None:
        """Note that a generation starts, or continues after `steps`."""

    def step(self, record: StepRecord, draw: SampleResult, measured: StepCaptureLike) -> None:
        """Receive a step of the generation."""


class GenerationSource(Protocol):
    """Starts generations; `model_runner.ModelRunner` is one. A recorded model has none."""

    def start(
        self,
        prompt: str,
        options: GenerateOptions,
        steps: Sequence[StepRecord] = (),
        tokens: Sequence[int] | None = None,
    ) -> GenerationLike:
        """Begin a run, or continue one after its `steps`. tokens: of the prompt, by default those of its text.

        Raises `UsageError`, `PromptError`.
        """

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What every run and replay changes from now on."""

    def set_edits(self, edits: Sequence[Edit]) -> None:
        """Change `edits`. They have been checked."""

    def check_edit(self, edit: Edit, prompt: Sequence[int], tokens: int) -> None:
        """Raise an `AtlasError` when the model or a text of this prompt and up to `tokens` tokens cannot have it."""

    def request_effects(self) -> PendingEffects | None:
        """Fetch what the edits in force have changed so far, without waiting; None without edits."""

    def captured(self, edit: Edit, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit]) -> Edit:
        """`edit` with its target's values in a pass over the last `context` of `tokens` with `edits`. Blocks.

        Raises `AtlasError`s.
        """

    def measuring(
        self, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit], own: range
    ) -> Loading[EditMeasure]:
        """Measure in steps how far the edits numbered `own` move the prediction after `tokens`. Never blocks."""

    def edits_for(self, prompt: Sequence[int], tokens: int) -> tuple[ResolvedEdit, ...]:
        """`edits` for a text of this prompt and up to `tokens` tokens. Blocks if their values take a pass.

        Raises `AtlasError`s.
        """

    def fits(self, options: GenerateOptions) -> bool:
        """True when `start` with these options needs no larger context than is allocated."""

    def grow_context(self, context: int) -> Loading[None]:
        """Allocate a context of `context` tokens, in steps. The old context remains if it raises an `AtlasError`."""


class TokenCodec(Protocol):
    """Text to token ids and back; `compute.text.tokenizer.Tokenizer` is one."""

    def encode(self, text: str) -> Sequence[int]:
        """The token ids of a prompt. Raises `PromptError`."""

    def encode_chat(self, turns: Sequence[Turn], /) -> ChatPrompt:
        """The text of a chat and its token ids. Raises `PromptError`."""

    def decode(self, ids: Iterable[int], /) -> str:
        """The text of tokens."""

    def token_label(self, id: int, /) -> str:
        """One token as the interface shows it, with hex for bytes that are only part of a character."""

    def check_fits(self, vocabulary: int, /) -> None:
        """Raise `TokenizerError` when the model has another number of tokens, so that texts are not its tokens."""

    def find(self, words: str) -> Sequence[tuple[int, str]]:
        """Tokens that match a search by text or id, each with its text."""


class StripPainter(Protocol):
    """Paints the cells of Strip from the latest pass; `compute.views.strip.StripPass` is one."""

    @property
    def texture(self) -> wgpu.GPUTexture:
        """The picture: rgba8unorm, one texel per cell."""

    @property
    def values(self) -> wgpu.GPUTexture:
        """The bits of the float32 that each cell shows: r32uint, one texel per cell. See `show_numbers`."""

    def show_numbers(self, on: bool) -> None:
        """Whether `update` also writes `values`."""

    @property
    def layout(self) -> StripLayout:
        """The layout that was last painted."""

    @property
    def pending(self) -> bool:
        """True while the picture needs another `update`."""

    def update(self) -> None:
        """Paint the latest pass. Does not wait."""


class MapSource(Protocol):
    """Opens maps of the model's tensors; `model_runner.ModelRunner` is one."""

    @property
    def registry(self) -> Registry:
        """The registry of tensors; a different one once the context has grown."""

    @property
    def max_context(self) -> int:
        """The longest context, in tokens, that fits without another upload of the model."""

    def loading_map(self, glyphs: np.ndarray, context: int, *, tables: bool = True) -> Loading[MapPass]:
        """Load a map with `context` rows for activations, in steps; tables: see `map_layout`."""


class LogitsSource(Protocol):
    """All logits of one pass; `compute.views.logits_readback.LogitsReadback` is one."""

    def request(self) -> bool:
        """Fetch the logits of the latest pass; returns False while others are in flight. Does not wait."""

    def take(self) -> np.ndarray | None:
        """The requested logits, float32 [vocabulary]; returned once, None until they have arrived."""


class ModelLike(Views, Protocol):
    """The model in the viewer: on the GPU (`model_runner.ModelRunner`), or only recorded
    (`recorded_model.RecordedModel`). A property is None if the model cannot do that.
    """

    @property
    def summary(self) -> ModelSummary:
        """The model, and the adapter that it runs on."""

    @property
    def tokenizer(self) -> TokenCodec:
        """The tokenizer of the model's vocabulary."""

    @property
    def generations(self) -> GenerationSource | None:
        """The source of generations; None when the model is only recorded, and `unavailable` then says why."""

    @property
    def comparisons(self) -> ComparisonSource | None:
        """What compares passes; None when there are no values. A different one once the context has grown."""

    @property
    def attribution(self) -> AttributionSource | None:
        """What splits logits into parts; None when there are no values. A different one once the context has grown.

        Raises `UsageError` for a model whose logits cannot be split.
        """

    @property
    def sweeps(self) -> SweepSource | None:
        """What computes patching maps; None when the model cannot run. A different one once the context has grown."""

    @property
    def lens(self) -> LensSource | None:
        """The source of the logit lens; None when there are no values. A different one once the context has grown.

        Raises `UsageError` when no lens is defined for the model, `MemoryBudgetError` when its buffers do not fit.
        """

    @property
    def tensor_files(self) -> TensorFilesLike | None:
        """The tensors for files; None when there are no values. A different one once the context has grown."""

    @property
    def logits(self) -> LogitsSource | None:
        """The logits of the step last replayed, or of the latest step; None when they were not recorded."""

    def replay(
        self,
        prompt_tokens: Sequence[tuple[int, str]],
        steps: Sequence[StepRecord],
        options: GenerateOptions,
        edits: Sequence[ResolvedEdit] | None = None,
    ) -> ReplayLike:
        """Create a replay, which shows single steps of a run again. edits: None for those of every run."""

    def close(self) -> None:
        """Close the model's file."""
