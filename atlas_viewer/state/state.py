"""What the window shows, as plain values: panels read it and leave requests in it, the frame loop does the rest."""

from __future__ import annotations

import dataclasses
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compute.sampling.options import GenerateOptions

from .camera import StripCamera
from .candidates import LogitsView
from .distribution import Distribution
from .inspection import Inspection
from .map_state import MapState
from .model_choice import ModelChoices
from .prompt_history import History
from .recording_state import RecordingState
from .requests import Generate, Request
from .runs import Run, Runs
from .ui_state import UiState

if TYPE_CHECKING:
    from compute.generate.steps import Candidate, StepRecord


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
    proved: str = ""  # what the self-test last found on this adapter, empty where that is of no interest
    proof_failed: bool = False


@dataclass(frozen=True, eq=False)
class PromptTokens:
    """The tokens of a prompt that is being written, or why there are none. Equal to itself only: there may be many."""

    text: str = ""
    tokens: Sequence[tuple[int, str]] = ()  # number and text of each
    error: str = ""


@dataclass
class State:
    """Everything on screen. `prompt` and `options` are of the next run; `run` is the one that is shown.

    While `run` writes, `options` are those that its next tokens are drawn with.
    """

    prompt: str
    options: GenerateOptions
    model: ModelSummary | None = None
    loading: str = ""
    loading_step: str = ""  # what of it is being done
    loaded: float = 0.0  # and how much of that, 0 to 1
    run: Run | None = None
    runs: Runs = field(default_factory=Runs)
    ui: UiState = field(default_factory=UiState)
    models: ModelChoices = field(default_factory=ModelChoices)
    prompt_tokens: PromptTokens = field(default_factory=PromptTokens)
    history: History = field(default_factory=History)
    preset_name: str = ""  # as it is typed to save one
    distribution: Distribution | None = None  # of the step that is shown, when it is known in full
    compared: int | None = None  # step whose distribution is held against it
    comparison: Distribution | None = None
    logits: LogitsView = field(default_factory=LogitsView)
    chosen: int | None = None  # step whose logits are shown; None follows the newest
    fps: float = 0.0
    frame_ms: float = 0.0
    messages: list[str] = field(default_factory=list)
    requests: deque[Request] = field(default_factory=deque)
    camera: StripCamera = field(default_factory=StripCamera)
    spans_left_out: Sequence[str] = ()
    map: MapState = field(default_factory=MapState)
    inspection: Inspection = field(default_factory=Inspection)
    recording: RecordingState = field(default_factory=RecordingState)
    edges: Sequence[float] = ()  # of the histograms; empty until they are known
    palettes: tuple[str, ...] = ("demo",)
    started: GenerateOptions = field(init=False)  # the options that the program was started with
    live: bool = True  # False in pictures and tours: nothing is shown that differs from one time to the next

    def __post_init__(self) -> None:
        """What resets go back to."""
        self.started = self.options

    @property
    def busy(self) -> bool:
        """True while a run writes."""
        return self.run is not None and not self.run.done

    def generate(self) -> None:
        """Ask for a run of the prompt; an unlocked seed is drawn anew for it."""
        if not self.ui.seed_locked:
            self.options = dataclasses.replace(self.options, seed=secrets.randbelow(2**32))
        self.requests.append(Generate(self.prompt, self.options))

    @property
    def step(self) -> StepRecord | None:
        """The step whose logits are shown."""
        if self.run is None or not self.run.steps:
            return None
        if self.chosen is None or self.chosen >= len(self.run.steps):
            return self.run.steps[-1]
        return self.run.steps[self.chosen]

    @property
    def current_distribution(self) -> Distribution | None:
        """The distribution of the step that is shown, once it has arrived."""
        step = self.step
        known = step is not None and self.distribution is not None and self.distribution.step == step.index
        return self.distribution if known else None

    @property
    def compared_step(self) -> StepRecord | None:
        """The step that is held against the one that is shown, while there is such a step."""
        if self.run is None or self.compared is None or self.compared >= len(self.run.steps):
            return None
        return self.run.steps[self.compared]

    @property
    def compared_distribution(self) -> Distribution | None:
        """The distribution of that step, once it has arrived."""
        step = self.compared_step
        known = step is not None and self.comparison is not None and self.comparison.step == step.index
        return self.comparison if known else None

    def compare(self, index: int | None) -> None:
        """Hold another step against the one that is shown, or none."""
        if index != self.compared:
            self.compared, self.comparison = index, None


def end_of_text_rank(step: StepRecord, end_of_text: str = "<|endoftext|>") -> tuple[int, Candidate] | None:
    """Place (from 1) and values of the end of text among the step's candidates, or None when it is not among them."""
    for rank, candidate in enumerate(step.top, start=1):
        if candidate.text == end_of_text:
            return rank, candidate
    return None
