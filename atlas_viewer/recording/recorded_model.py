"""Stands in for a recording's model when its file is missing: offers everything that was recorded, and nothing else."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from atlas_viewer.state.inspection import TensorInfo, layer_of, section_title
from atlas_viewer.state.state import ModelSummary
from compute.edits.resolved import ResolvedEdit
from compute.errors import RecordingError, TokenizerError
from compute.generate.steps import StepRecord
from compute.models.architectures import describe, parameter_count
from compute.sampling.options import GenerateOptions
from compute.text.chat import ChatPrompt, Turn
from compute.text.tokenizer import Tokenizer, load_tokenizer
from compute.views.palettes import PALETTES
from compute.views.statistics import HISTOGRAM_EDGES, TensorStatistics

from .reader import Recording
from .records import RunInfo


class RecordedReplay:
    """Reaches every step at once, because there is nothing to compute."""

    pass_complete = True

    def __init__(self, arrived: Callable[[int], None]) -> None:
        self.at: int | None = None
        self._wanted: int | None = None
        self._arrived = arrived

    def seek(self, step: int) -> None:
        """Request a step."""
        self._wanted = step

    def advance(self, budget_s: float) -> bool:
        """True if the step has changed."""
        if self._wanted is None or self._wanted == self.at:
            return False
        self.at = self._wanted
        self._arrived(self.at)
        return True


class RecordedModel:
    """A `protocols.ModelLike` read from a recording. It cannot run and has no values. `run` is the run shown."""

    generations = strip = map_source = tensor_files = attention = attribution = lens = comparisons = sweeps = None

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.run: RunInfo | None = None
        self.tensor_reader = RecordedTensorReader(recording)
        self.tokenizer = RecordedTokens(recording)
        self.unavailable = f"{recording.shown}: its model is missing; give its file with --model"
        self._step = 0
        head = recording.head
        self.summary = ModelSummary(
            name=head.model,
            layers=head.config.layers,
            heads=head.config.heads,
            channels=head.config.channels,
            positions=head.config.positions,
            vocabulary=head.config.vocabulary,
            parameters=parameter_count(head.config),
            weights=head.weights,
            adapter=head.adapter,
            program=f"{head.kernels}, as recorded",
        )

    def close(self) -> None:
        """Do nothing: whoever opened the recording closes it."""

    def replay(
        self,
        prompt_tokens: Sequence[tuple[int, str]],
        steps: Sequence[StepRecord],
        options: GenerateOptions,
        edits: Sequence[ResolvedEdit] | None = None,
    ) -> RecordedReplay:
        """A replay of the recorded steps of `run`."""
        return RecordedReplay(self._show_step)

    def _show_step(self, step: int) -> None:
        self._step = step
        self.tensor_reader.show_step(self.run, step)

    @property
    def logits(self) -> RecordedLogits | None:
        """The logits of the step that a replay last reached; None if they were not recorded."""
        logits = self._recording.logits(self.run, self._step) if self.run is not None else None
        return None if logits is None else RecordedLogits(logits.astype(np.float32))


class RecordedLogits:
    """A `protocols.LogitsSource` with recorded logits, float32 [vocabulary]."""

    def __init__(self, logits: np.ndarray) -> None:
        self._logits = logits

    def request(self) -> bool:
        """True: the logits are already here."""
        return True

    def take(self) -> np.ndarray | None:
        """The logits."""
        return self._logits


class RecordedTokens:
    """A `protocols.TokenCodec` for the recorded tokens, and for the built-in vocabulary if it fits the model."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        """The built-in tokenizer. Raises `TokenizerError` if it does not fit the model."""
        tokenizer = load_tokenizer()
        tokenizer.check_fits(self._recording.head.config.vocabulary)
        return tokenizer

    def encode(self, text: str) -> Sequence[int]:
        """The tokens of a prompt. Raises `PromptError`, `TokenizerError`."""
        return self._tokenizer.encode(text)

    def encode_chat(self, turns: Sequence[Turn]) -> ChatPrompt:
        """Raises `PromptError`: a recording contains no chat template."""
        return self._tokenizer.encode_chat(turns)

    def check_fits(self, vocabulary: int) -> None:
        """Raise `TokenizerError` when the built-in vocabulary does not fit the model."""
        self._tokenizer.check_fits(vocabulary)

    def find(self, words: str) -> Sequence[tuple[int, str]]:
        """The tokens that the built-in tokenizer finds; none if the model has another vocabulary."""
        try:
            return self._tokenizer.find(words)
        except TokenizerError:
            return []

    def decode(self, ids: Iterable[int]) -> str:
        """The text of tokens."""
        return b"".join(self._bytes(id) for id in ids).decode(errors="replace")

    def token_label(self, id: int) -> str:
        """The label of one token; its number if it is neither in the recording nor in the built-in vocabulary."""
        return self._bytes(id).decode(errors="backslashreplace")

    def _bytes(self, id: int) -> bytes:
        try:
            return self._recording.token_bytes(id)
        except RecordingError:
            pass
        try:
            return self._tokenizer.token_bytes(id)
        except TokenizerError:
            return f"[{id}]".encode()


class RecordedTensorReader:
    """A `protocols.TensorReaderLike` for the recorded statistics; recordings contain no single values."""

    edges: Sequence[float] = tuple(HISTOGRAM_EDGES)
    palettes: tuple[str, ...] = tuple(PALETTES)
    values = None
    pending = False

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._description = describe(recording.head.config)
        self._weights = {
            name: _statistics(name, (int(row["count"]),), row) for name, row in recording.weight_statistics().items()
        }
        self.rows = self.first_position = 0
        self.statistics: Mapping[str, TensorStatistics] = {}
        self._has_news = False

    @property
    def first_bad(self) -> str | None:
        """The first tensor, in pass order, with a non-finite value."""
        names = (tensor.name for tensor in self._recording.tensors if tensor.name in self.statistics)
        return next((name for name in names if self.statistics[name].finite < self.statistics[name].count), None)

    def show_step(self, run: RunInfo | None, step: int) -> None:
        """Provide the statistics of this step."""
        steps = self._recording.steps(run, step, step + 1) if run is not None else []
        table = self._recording.statistics(run, step) if run is not None else None
        self.rows = steps[0].record.context_length if steps else 0
        self.first_position = steps[0].record.context_start if steps else 0
        found = dict(self._weights)
        if table is not None:
            for tensor, row in zip(self._recording.live, table, strict=True):
                shape = (self.rows if tensor.rows is None else tensor.rows, tensor.columns)
                found[tensor.name] = _statistics(tensor.name, shape, row)
        self.statistics = {
            tensor.name: found[tensor.name] for tensor in self._recording.tensors if tensor.name in found
        }
        self._has_news = True

    def tensors(self) -> dict[str, TensorInfo]:
        """All recorded tensors."""
        return {
            tensor.name: TensorInfo(
                tensor.name,
                tensor.kind,
                (self.rows if tensor.rows is None else tensor.rows, tensor.columns),
                "Only its statistics were recorded, not its values.",
                tensor.rows is None,
                section=section_title(self._description, tensor.name),
                by_vocabulary=tensor.name in self._description.by_vocabulary,
                layer=layer_of(self._description, tensor.name),
            )
            for tensor in self._recording.tensors
        }

    def request_statistics(self) -> None:
        """Do nothing: the statistics are already here."""

    def poll_statistics(self) -> bool:
        """True when statistics have arrived since the last call."""
        has_news, self._has_news = self._has_news, False
        return has_news


def _statistics(name: str, shape: tuple[int, ...], row: Any) -> TensorStatistics:
    """The statistics in a STATISTICS record, without samples and histogram."""
    low, high, first = float(row["min"]), float(row["max"]), int(row["first_nonfinite"])
    counts = {kind: int(row[kind]) for kind in ("count", "finite", "nan", "pos_inf", "neg_inf", "zero")}
    return TensorStatistics(
        name=name,
        shape=shape,
        **counts,
        min=low,
        max=high,
        mean=float(row["mean"]),
        std=None,
        absmax=max(abs(low), abs(high)),
        first_nonfinite=None if first < 0 else first,
        samples=(),
        histogram=(),
    )
