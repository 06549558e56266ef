"""Everything that the window shows, as plain values. Panels read it and add requests; the frame loop does the rest."""

from __future__ import annotations

import dataclasses
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.text.chat import Turn

from .attention_view import AttentionView
from .attribution_view import AttributionView
from .camera import StripCamera
from .candidates import LogitsView
from .chat_draft import ChatDraft
from .comparing import Comparing
from .distribution import Distribution
from .edit_list import EditList
from .edit_menu import EditMenu
from .explanation import Explanation
from .formula_card import FormulaCard
from .inspection import Inspection
from .lens_view import LensView
from .map_state import MapState
from .model_choice import ModelChoices
from .pace import Pace
from .patching_view import PatchingView
from .prompt_history import History
from .recording_state import RecordingState
from .requests import Generate, Request
from .runs import Run, Runs
from .selection import NOTHING, Selection
from .strip_view import StripView
from .tensor_save import TensorSave
from .ui_state import UiState
from .walk_state import WalkState
from .wavefront import Wavefront

if TYPE_CHECKING:
    from compute.generate.steps import Candidate, StepRecord


@dataclass(frozen=True)
class ModelSummary:
    """The model, and the adapter that it runs on."""

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
    proved: str = ""  # the latest result of the self-test on this adapter; empty for a recorded model
    proof_failed: bool = False
    chat: bool = False  # it has a chat template
    end_of_text: str = "<|endoftext|>"  # the name of the token that ends a text


@dataclass(frozen=True, eq=False)
class PromptTokens:
    """The tokens of the prompt being written, or the reason there are none. Compared by identity."""

    text: str = ""
    tokens: Sequence[tuple[int, str]] = ()  # (id, text) for each
    error: str = ""
    turns: tuple[Turn, ...] = ()  # of the chat whose last one is `text`; none for a plain text


@dataclass
class State:
    """The state of the window. `prompt` and `options` are for the next run; `run` is the one shown.

    While `run` is in progress, `options` apply to its next tokens.
    """

    prompt: str
    options: GenerateOptions
    model: ModelSummary | None = None
    loading: str = ""
    loading_step: str = ""  # the current loading step
    loaded: float = 0.0  # the share of that step that is done, 0 to 1
    run: Run | None = None
    runs: Runs = field(default_factory=Runs)
    ui: UiState = field(default_factory=UiState)
    models: ModelChoices = field(default_factory=ModelChoices)
    prompt_tokens: PromptTokens = field(default_factory=PromptTokens)
    edits: EditList = field(default_factory=EditList)  # for the next tokens, as `options` are
    edit_menu: EditMenu = field(default_factory=EditMenu)
    chat: ChatDraft = field(default_factory=ChatDraft)
    history: History = field(default_factory=History)
    preset_name: str = ""  # the name typed for a new preset
    distribution: Distribution | None = None  # the most recent one to arrive; see `current_distribution`
    compared: int | None = None  # index of the step to compare with
    comparison: Distribution | None = None
    logits: LogitsView = field(default_factory=LogitsView)
    chosen: int | None = None  # index of the step whose logits are shown; None for the latest
    fps: float = 0.0
    frame_ms: float = 0.0
    pace: Pace = field(default_factory=Pace)
    messages: list[str] = field(default_factory=list)
    requests: deque[Request] = field(default_factory=deque)
    camera: StripCamera = field(default_factory=StripCamera)  # as recordings keep it; `strip` has what is shown
    strip: StripView = field(default_factory=StripView)
    spans_left_out: Sequence[str] = ()
    map: MapState = field(default_factory=MapState)
    attention: AttentionView = field(default_factory=AttentionView)
    attribution: AttributionView = field(default_factory=AttributionView)
    lens: LensView = field(default_factory=LensView)
    comparing: Comparing = field(default_factory=Comparing)
    patching: PatchingView = field(default_factory=PatchingView)
    inspection: Inspection = field(default_factory=Inspection)
    selected: Selection = NOTHING  # stays until Escape or another selection
    hovered: Selection = NOTHING  # what the mouse is over in this frame; cleared before the panels are drawn
    pointed: Selection = NOTHING  # what it was over in the frame before, for panels drawn before the one that it is on
    inspected: TensorIndex | None = None  # the value that arrow keys, pins or names selected last
    formula: FormulaCard = field(default_factory=FormulaCard)
    walks: WalkState = field(default_factory=WalkState)
    wavefront: Wavefront = field(default_factory=Wavefront)
    explanation: Explanation = field(default_factory=Explanation)
    recording: RecordingState = field(default_factory=RecordingState)
    save: TensorSave = field(default_factory=TensorSave)
    edges: Sequence[float] = ()  # bin edges of the histograms; empty until known
    palettes: tuple[str, ...] = ("demo",)
    started: GenerateOptions = field(init=False)  # the options at the start of the program
    live: bool = True  # False in pictures and tours, which show nothing that varies between launches

    def __post_init__(self) -> None:
        """Keep the options that a reset restores."""
        self.started = self.options

    @property
    def busy(self) -> bool:
        """True while a run is in progress."""
        return self.run is not None and not self.run.done

    @property
    def pass_seconds(self) -> float:
        """GPU time that the current pass of the run in progress will take, in seconds; 0 if there is none."""
        return self.run.pass_seconds if self.run is not None and not self.run.done else 0.0

    def generate(self) -> None:
        """Request a run of the prompt, with a new seed unless the seed is locked."""
        if not self.ui.seed_locked:
            self.options = dataclasses.replace(self.options, seed=secrets.randbelow(2**32))
        self.requests.append(self.generation)

    @property
    def generation(self) -> Generate:
        """The request to run the prompt, or the chat that it ends, with the options as they are."""
        return Generate(self.prompt, self.options, self.chat.sent(self.prompt))

    @property
    def prompt_counted(self) -> bool:
        """True when `prompt_tokens` are those of the prompt as it is now."""
        known = self.prompt_tokens
        return (known.text, known.turns) == (self.prompt, self.chat.sent(self.prompt))

    @property
    def step(self) -> StepRecord | None:
        """The step whose logits are shown."""
        if self.run is None or not self.run.steps:
            return None
        if self.chosen is None or self.chosen >= len(self.run.steps):
            return self.run.steps[-1]
        return self.run.steps[self.chosen]

    @property
    def highlight(self) -> Selection:
        """The selection that every view highlights: what the mouse is over, or else the one that stays."""
        return self.hovered or self.pointed or self.selected

    @property
    def current_distribution(self) -> Distribution | None:
        """The full distribution of the step shown; None until it has arrived."""
        return _if_of(self.step, self.distribution)

    @property
    def compared_step(self) -> StepRecord | None:
        """The step with which the step shown is compared; None when there is none."""
        if self.run is None or self.compared is None or self.compared >= len(self.run.steps):
            return None
        return self.run.steps[self.compared]

    @property
    def compared_distribution(self) -> Distribution | None:
        """The full distribution of the compared step; None until it has arrived."""
        return _if_of(self.compared_step, self.comparison)

    def compare(self, index: int | None) -> None:
        """Compare the step shown with step `index`, or with none."""
        if index != self.compared:
            self.compared, self.comparison = index, None


def end_of_text_rank(step: StepRecord, end_of_text: str = "<|endoftext|>") -> tuple[int, Candidate] | None:
    """Rank (from 1) and candidate for the end of text; None when it is not among the step's candidates."""
    for rank, candidate in enumerate(step.top, start=1):
        if candidate.text == end_of_text:
            return rank, candidate
    return None


def _if_of(step: StepRecord | None, distribution: Distribution | None) -> Distribution | None:
    """`distribution` if it is the one of `step`."""
    same = step is not None and distribution is not None and distribution.step == step.index
    return distribution if same else None
