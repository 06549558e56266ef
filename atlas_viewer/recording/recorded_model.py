"""What the window has of a session whose model is not there: everything recorded, and nothing made up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.inspection import ProbedValue, TensorInfo
from atlas_viewer.state.state import ModelSummary
from compute.errors import RecordingError, TokenizerError
from compute.generate.steps import StepRecord
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer, load_tokenizer
from compute.views.palettes import PALETTES
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
    """A `protocols.ModelLike` of a file, which neither runs nor has values. `run` is the run of the steps."""

    generations = strip = map_source = None

    def __init__(self, recording: Recording) -> None:
        self._session = recording
        self.run: RunInfo | None = None
        self.tensor_reader = RecordedTensorReader(recording)
        self.tokenizer = RecordedTokens(recording)
        self.unavailable = f"{recording.shown}: its model is not here; give its file with --model"
        self._step = 0
        head = recording.head
        self.summary = ModelSummary(
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

    def close(self) -> None:
        """Does nothing: whoever opened the recording closes it."""

    def replay(
        self, prompt_tokens: Sequence[tuple[int, str]], steps: Sequence[StepRecord], options: GenerateOptions
    ) -> RecordedReplay:
        """What was recorded of the steps of `run`."""
        return RecordedReplay(self._mapping)

    def _mapping(self, step: int) -> None:
        self._step = step
        self.tensor_reader.mapping(self.run, step)

    @property
    def logits(self) -> RecordedLogits | None:
        """Of the step that a replay reached last, when they were recorded."""
        logits = self._session.logits(self.run, self._step) if self.run is not None else None
        return None if logits is None else RecordedLogits(logits.astype(np.float32))


class RecordedLogits:
    """A `protocols.LogitsSource` whose logits, float32 [vocabulary], are there already."""

    def __init__(self, logits: np.ndarray) -> None:
        self._logits = logits

    def ask(self) -> None:
        """There is nothing to fetch."""

    def poll(self) -> np.ndarray | None:
        """The logits."""
        return self._logits


class RecordedTokens:
    """A `protocols.TokenCodec`: the recorded tokens, and the program's own vocabulary when it is the model's."""

    def __init__(self, recording: Recording) -> None:
        self._session = recording

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        """The program's own, when it is the model's. Raises `TokenizerError`."""
        tokenizer = load_tokenizer()
        tokenizer.check_fits(self._session.head.config.vocabulary)
        return tokenizer

    def encode(self, text: str) -> Sequence[int]:
        """The tokens of a prompt. Raises `PromptError`, `TokenizerError`."""
        return self._tokenizer.encode(text)

    def find(self, words: str) -> Sequence[tuple[int, str]]:
        """As the tokenizer finds them; of another vocabulary none."""
        try:
            return self._tokenizer.find(words)
        except TokenizerError:
            return []

    def decode(self, ids: Iterable[int]) -> str:
        """The text of tokens that occur in the session."""
        return b"".join(self._bytes(id) for id in ids).decode(errors="replace")

    def token_label(self, id: int) -> str:
        """How one token is shown; of another vocabulary by its number, unless it occurs in the session."""
        return self._bytes(id).decode(errors="backslashreplace")

    def _bytes(self, id: int) -> bytes:
        try:
            return self._session.token_bytes(id)
        except RecordingError:
            pass
        try:
            return self._tokenizer.token_bytes(id)
        except TokenizerError:
            return f"[{id}]".encode()


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
