"""What the window shows, as plain values: panels read it and leave requests in it, the frame loop does the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from compute.options import GenerateOptions

from .camera import StripCamera
from .inspection import Inspection

if TYPE_CHECKING:
    from compute.records import Candidate, StepRecord


@dataclass(frozen=True)
class Generate:
    """Start a run with this prompt and these options; a run in progress is given up."""

    prompt: str
    options: GenerateOptions


@dataclass(frozen=True)
class Stop:
    """End the run in progress."""


@dataclass(frozen=True)
class Use:
    """Copy the text of the run through step `index` into the prompt."""

    index: int


@dataclass(frozen=True)
class UseCandidate:
    """Copy the text before step `index`, and after it token `token`, into the prompt."""

    index: int
    token: int


@dataclass(frozen=True)
class SaveTrace:
    """Write lines of the debug trace to a file."""

    path: str
    lines: tuple[str, ...]


Request = Generate | Stop | Use | UseCandidate | SaveTrace


class GenerationLike(Protocol):
    """What the viewer needs of a run; `compute.generator.Generation` is one."""

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
    def settled(self) -> bool:
        """True when the tensors are of one whole pass, so that the atlas may be painted from them."""

    def advance(self, budget_s: float) -> bool:
        """Do about `budget_s` seconds of work; True when there is something new to show."""

    def stop(self) -> None:
        """End the run."""


@dataclass(frozen=True)
class ModelSummary:
    """The model and where it runs."""

    name: str
    layers: int
    heads: int
    channels: int
    positions: int
    vocabulary: int
    parameters: int
    weights: str
    adapter: str
    gpu_bytes: int = 0
    program: str = ""


@dataclass
class Run:
    """The run on show: what it was asked, and what came so far."""

    prompt: str
    options: GenerateOptions
    prompt_tokens: Sequence[tuple[int, str]]
    steps: Sequence[StepRecord] = ()
    continuation: str = ""
    done: bool = False
    stop_reason: str | None = None
    tokens_per_second: float = 0.0
    progress: float = 0.0


# Gives what imgui shows as the atlas (an `imgui.ImTextureRef`) at a size in pixels, or None when there is none yet.
Picture = Callable[[int, int], Any]
Colour = tuple[float, float, float]  # red, green, blue, 0 to 1


@dataclass
class State:
    """Everything on screen. `prompt` and `options` are of the next run; `run` is the one that is shown."""

    prompt: str
    options: GenerateOptions
    model: ModelSummary | None = None
    loading: str = ""
    run: Run | None = None
    chosen: int | None = None  # step whose logits are shown; None follows the newest
    fps: float = 0.0
    frame_ms: float = 0.0
    messages: list[str] = field(default_factory=list)
    requests: deque[Request] = field(default_factory=deque)
    camera: StripCamera = field(default_factory=StripCamera)
    picture: Picture | None = None
    spans_left_out: Sequence[str] = ()
    inspection: Inspection = field(default_factory=Inspection)
    edges: Sequence[float] = ()  # of the histograms; empty until they are known
    palettes: tuple[str, ...] = ("demo",)
    ramp: Callable[[float], Colour] | None = None  # colour of the look's palette at -1 to 1
    token_text: Callable[[int], str] | None = None
    live: bool = True  # False in a picture, where a frame rate would mean nothing

    @property
    def busy(self) -> bool:
        """True while a run writes."""
        return self.run is not None and not self.run.done

    @property
    def step(self) -> StepRecord | None:
        """The step whose logits are shown."""
        if self.run is None or not self.run.steps:
            return None
        if self.chosen is None or self.chosen >= len(self.run.steps):
            return self.run.steps[-1]
        return self.run.steps[self.chosen]


def end_of_text_rank(step: StepRecord, end_of_text: str = "<|endoftext|>") -> tuple[int, Candidate] | None:
    """Place (from 1) and values of the end of text among the step's candidates, or None when it is not among them."""
    for place, candidate in enumerate(step.top, start=1):
        if candidate.text == end_of_text:
            return place, candidate
    return None
