"""What the window has of a session whose model is not there: everything recorded, and nothing made up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.inspection import ProbedValue, TensorInfo
from atlas_viewer.state.protocols import GenerationLike, StepOrder
from atlas_viewer.state.state import Color, ModelSummary
from compute.errors import RecordingError, TokenizerError
from compute.generate.steps import StepRecord
from compute.gpu.loading import Loading
from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer, load_tokenizer
from compute.views.map_pass import MapPass
from compute.views.palettes import LEAST_BRIGHTNESS, PALETTES
from compute.views.statistics import HISTOGRAM_EDGES, TensorStatistics
from compute.views.strip_layout import StripLayout

from .reader import Recording
from .records import RunInfo


class RecordedReplay:
    """Is at once where it is asked to be: there is nothing to compute."""

    pass_complete = True

    def __init__(self, arrived: Callable[[int], None]) -> None:
        self.at: int | None = None
        self._wanted: int | None = None
        self._arrived = arrived

    def seek(self, step: int) -> None:
        """Ask for a step."""
        self._wanted = step

    def advance(self, budget_s: float) -> bool:
        """True when it has become another step."""
        if self._wanted is None or self._wanted == self.at:
            return False
        self.at = self._wanted
        self._arrived(self.at)
        return True


class RecordedModel:
    """A `protocols.RunnerLike` of a file. `run` is the one that steps are of."""

    atlas = None
    max_context = 0
    spans_left_out: Sequence[str] = ()

    def __init__(self, recording: Recording) -> None:
        self._session = recording
        self.run: RunInfo | None = None
        self.tensor_reader = RecordedTensorReader(recording)
        self._step = 0
        self.registry = Registry(recording.head.config)  # of no tensors
        head = recording.head
        self.model = ModelSummary(
            name=head.model,
            layers=head.config.layers,
            heads=head.config.heads,
            channels=head.config.channels,
            positions=head.config.positions,
            vocabulary=head.config.vocabulary,
            parameters=head.config.parameters,
            weights=head.weights,
            adapter=head.adapter,
            program=f"{head.kernels}, as recorded",
        )

    def _no_model(self) -> RecordingError:
        return RecordingError(f"{self._session.shown}: its model is not here; give its file with --model")

    def start(self, prompt: str, options: GenerateOptions, steps: Sequence[StepRecord] = ()) -> GenerationLike:
        """Raises `RecordingError`."""
        raise self._no_model()

    def close(self) -> None:
        """Nothing: the session is its opener's."""

    def fits(self, options: GenerateOptions) -> bool:
        """Nothing takes room."""
        return True

    def grow_context(self, context: int) -> Loading[None]:
        """Raises `RecordingError`."""
        raise self._no_model()

    def replay(
        self, prompt_tokens: Sequence[tuple[int, str]], steps: Sequence[StepRecord], options: GenerateOptions
    ) -> RecordedReplay:
        """What was recorded of the steps of `run`."""
        return RecordedReplay(self._mapping)

    def _mapping(self, step: int) -> None:
        self._step = step
        self.tensor_reader.mapping(self.run, step)

    def ask_logits(self) -> bool:
        """True when those of the step were recorded."""
        return self.take_logits() is not None

    def take_logits(self) -> np.ndarray | None:
        """Of the step that a replay was brought to, float32 [vocabulary]."""
        logits = self._session.logits(self.run, self._step) if self.run is not None else None
        return None if logits is None else logits.astype(np.float32)

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        """The program's own, when it is the model's. Raises `TokenizerError`."""
        tokenizer = load_tokenizer()
        tokenizer.check_fits(self._session.head.config.vocabulary)
        return tokenizer

    def tokens_of(self, text: str) -> Sequence[int]:
        """The tokens of a prompt. Raises `PromptError`, `TokenizerError`."""
        return self._tokenizer.encode(text)

    def find_tokens(self, words: str) -> Sequence[tuple[int, str]]:
        """As the tokenizer finds them; of another vocabulary none."""
        try:
            return self._tokenizer.find(words)
        except TokenizerError:
            return []

    def paint(self) -> bool:
        """Nothing: there is no atlas."""
        return False

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens that occur in the session."""
        return b"".join(self._bytes(token) for token in tokens).decode(errors="replace")

    def token_text(self, token: int) -> str:
        """How one token is shown; of another vocabulary by its number, unless it occurs in the session."""
        return self._bytes(token).decode(errors="backslashreplace")

    def _bytes(self, token: int) -> bytes:
        try:
            return self._session.token_bytes(token)
        except RecordingError:
            pass
        try:
            return self._tokenizer.token_bytes(token)
        except TokenizerError:
            return f"[{token}]".encode()

    def opening_map(self, glyphs: np.ndarray, context: int) -> Loading[MapPass]:
        """Raises `RecordingError`."""
        raise self._no_model()

    def weights_sha256(self) -> str:
        """Of the recorded model."""
        return self._session.head.weights_sha256

    def order_steps(self, order: StepOrder | None) -> None:
        """Nothing: there will be no steps."""


class RecordedTensorReader:
    """A `protocols.TensorReaderLike` of the recorded statistics; single values were not recorded."""

    edges: Sequence[float] = tuple(HISTOGRAM_EDGES)
    palettes: tuple[str, ...] = tuple(PALETTES)
    layout = StripLayout((), ())
    pending = False

    def __init__(self, recording: Recording) -> None:
        self._session = recording
        self._weights = {
            name: _statistics(name, (int(row["count"]),), row) for name, row in recording.weight_statistics().items()
        }
        self.rows = self.first_position = 0
        self.statistics: Mapping[str, TensorStatistics] = {}
        self._news = False

    @property
    def first_bad(self) -> str | None:
        """The first tensor, in run order, with a value that is not finite."""
        names = (tensor.name for tensor in self._session.tensors if tensor.name in self.statistics)
        return next((name for name in names if self.statistics[name].finite < self.statistics[name].count), None)

    @property
    def probed_values(self) -> dict[TensorIndex, ProbedValue]:
        """None."""
        return {}

    def mapping(self, run: RunInfo | None, step: int) -> None:
        """Tell of this step."""
        steps = self._session.steps(run, step, step + 1) if run is not None else []
        table = self._session.statistics(run, step) if run is not None else None
        self.rows = steps[0].record.context_length if steps else 0
        self.first_position = steps[0].record.context_start if steps else 0
        found = dict(self._weights)
        if table is not None:
            for tensor, row in zip(self._session.live, table, strict=True):
                shape = (self.rows if tensor.rows is None else tensor.rows, tensor.columns)
                found[tensor.name] = _statistics(tensor.name, shape, row)
        self.statistics = {tensor.name: found[tensor.name] for tensor in self._session.tensors if tensor.name in found}
        self._news = True

    def tensors(self) -> dict[str, TensorInfo]:
        """Every tensor that was recorded."""
        return {
            tensor.name: TensorInfo(
                tensor.name,
                tensor.kind,
                (self.rows if tensor.rows is None else tensor.rows, tensor.columns),
                "As recorded: its statistics, not its values.",
                tensor.rows is None,
            )
            for tensor in self._session.tensors
        }

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        """Nothing: there is no atlas."""

    def ramp(self, palette: str, share: float) -> Color:
        """Color of the palette at -1 to 1."""
        bright = max(LEAST_BRIGHTNESS, min(abs(share), 1.0) ** 0.5)
        return PALETTES[palette].at(bright if share >= 0 else -bright)

    def ask_values(self, elements: Sequence[TensorIndex]) -> None:
        """Nothing: no values were recorded."""

    def ask_statistics(self) -> None:
        """They are there already."""

    def poll(self) -> tuple[bool, bool]:
        """Whether there are other statistics than at the last call."""
        news, self._news = self._news, False
        return False, news

    def trace(self) -> Sequence[str]:
        """None: the lines have values, which were not recorded."""
        return ()


def _statistics(name: str, shape: tuple[int, ...], row: Any) -> TensorStatistics:
    """A record of STATISTICS; samples and histogram are not recorded."""
    low, high, first = float(row["min"]), float(row["max"]), int(row["first_nonfinite"])
    counts = {kind: int(row[kind]) for kind in ("count", "finite", "nan", "pos_inf", "neg_inf", "zero")}
    return TensorStatistics(
        name=name,
        shape=shape,
        **counts,
        min=low,
        max=high,
        mean=float(row["mean"]),
        absmax=max(abs(low), abs(high)),
        first_nonfinite=None if first < 0 else first,
        samples=(),
        histogram=(),
    )
