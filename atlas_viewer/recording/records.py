"""The contents of a recording as plain values."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compute.forward.engine import Engine
from compute.generate.steps import StepRecord
from compute.io.escape import one_line
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.weights.fingerprint import shaders_sha256, versions

LOGITS = {"none": None, "f16": np.dtype("<f2"), "f32": np.dtype("<f4")}


@dataclass(frozen=True)
class Head:
    """Everything that the recorded numbers depend on. `created` is in UTC. Hashes are hexadecimal; see
    compute/weights/fingerprint.py.
    """

    created: str
    program: str
    model: str
    weights_sha256: str
    config: ModelConfig
    end_of_text: int
    weights: str  # their precision on the GPU
    kernels: str  # the program of the forward pass
    adapter: str
    driver: str
    shaders_sha256: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class RecordedTensor:
    """A tensor of the registry. `rows` is None if it has one row per context token."""

    name: str
    kind: str
    rows: int | None
    columns: int

    @property
    def is_weight(self) -> bool:
        """True for a weight. Weights do not change, so their statistics are recorded once."""
        return self.kind == "weight"


@dataclass(frozen=True, eq=False)
class RecordedEdit:
    """An edit of a run, with its values as they were applied, so that no file that it names is needed again.

    text: see docs/edits.md. prompt: tokens of the prompt, from whose end negative positions count. tokens: the most
    tokens of the text that a pass could see. values: float32 [rows, parts, columns], where an axis of 1 stands for all.
    """

    text: str
    prompt: int
    tokens: int
    values: np.ndarray

    def same(self, other: RecordedEdit) -> bool:
        """True when both change the same values in the same way."""
        return self.text == other.text and np.array_equal(self.values, other.values)


@dataclass(frozen=True)
class RunInfo:
    """One run. A branch has the number of its parent, and the step of the parent that its first step replaces."""

    id: int
    parent: int | None
    fork_step: int | None
    started: float  # seconds since the recording began
    prompt: str
    prompt_tokens: tuple[int, ...]
    options: GenerateOptions
    logits: str  # "none", "f16" or "f32"
    statistics: bool
    stop_reason: str | None
    edits: tuple[RecordedEdit, ...] = ()  # with its first options


@dataclass(frozen=True)
class LensSteps:
    """How much of a run's lens is recorded: for how many steps, and how many tokens for each cell; zeros for none.

    file: the lens file that it was read with; None for the logit lens.
    """

    steps: int
    top: int
    file: str | None = None


@dataclass(frozen=True)
class DrawInfo:
    """The results of a draw that its step's record does not contain; see compute/sampling/sampler.py."""

    highest: float
    log_total: float
    scaled_log_total: float
    kept: int
    nonfinite: int


@dataclass(frozen=True)
class RecordedStep:
    """One recorded step. `time` is in seconds since the recording began."""

    record: StepRecord
    time: float
    options: GenerateOptions
    draw: DrawInfo
    edits: tuple[RecordedEdit, ...] = ()


@dataclass(frozen=True)
class UiEvent:
    """An interface event (`name` is its kind) or a camera position (`name` is its view); `time` is in seconds."""

    time: float
    run: int | None
    step: int | None
    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


def head_of(engine: Engine, weights_sha256: str, program: str, end_of_text: int) -> Head:
    """The head of a recording of `engine`; for the hash, see compute/weights/fingerprint.py."""
    return Head(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        program=program,
        model=one_line(engine.model_name),
        weights_sha256=weights_sha256,
        config=engine.config,
        end_of_text=end_of_text,
        weights=engine.dtype,
        kernels=engine.path,
        adapter=one_line(engine.adapter_name),
        driver=one_line(str(engine.device.adapter.info["description"])),
        shaders_sha256=shaders_sha256(),
        versions=versions(),
    )


def tensors_of(engine: Engine) -> list[RecordedTensor]:
    """The tensors of the registry whose statistics are recorded: those kept in memory, in pass order."""
    return [RecordedTensor(t.name, t.kind, t.rows, t.columns) for t in engine.registry if t.kept]
