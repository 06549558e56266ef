"""Recordings without a model: a head, tensors, and steps whose values depend on their index."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from atlas_viewer.recording.edit_records import recorded_edits
from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.recording.records import Head, RecordedTensor
from compute.edits.grammar import parse_edit
from compute.edits.resolved import place, with_values
from compute.edits.targets import Targets
from compute.generate.steps import Candidate, StepRecord
from compute.lens.lens_cells import HEADER, result_words
from compute.lens.lens_file import LensFile
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.sampling.options import GenerateOptions
from compute.sampling.sampler import SampleResult
from compute.views.statistics_table import STATISTICS

CONFIG = ModelConfig(layers=1, heads=2, channels=8, positions=64, vocabulary=300, padded_vocabulary=384)
HEAD = Head(
    "2026-11-24T12:00:00+00:00", "atlas-viewer 9.9", "made up", "ab" * 32, CONFIG, 299, "f32", "rows", "no adapter",
    "no driver", "cd" * 32, {"python": "3.11.7", "wgpu": "0.32.0"},
)  # fmt: skip
LENS_POINTS, LENS_TOP = 2, 3
EDITS = tuple(
    with_values(place(parse_edit(text), Targets(describe(CONFIG)).find(name), 3, 42), np.array(value, np.float32))
    for name, text, value in (
        ("h.0.attn.out", "h.0.attn.out[head=1] = 0", 0.0),
        ("h.0.resid_post", "h.0.resid_post[pos=-1] *= 2", 2.0),
    )
)
TENSORS = [
    RecordedTensor("wte", "weight", 384, 8),
    RecordedTensor("h.0.resid_pre", "activation", None, 8),
    RecordedTensor("logits", "logits", 1, 384),
]
OPTIONS = GenerateOptions(max_new_tokens=40, context=32, temperature=0.7, top=3)
PROMPT_TOKENS = [5, 6, 7]


def token_bytes(token: int) -> bytes:
    """The bytes of a token, not always whole characters."""
    return b"\xc3" if token % 7 == 0 else f" t{token}".encode()


def step(index: int) -> StepRecord:
    """A step whose figures differ for every index."""
    tokens = [(index * 31 + 17 * rank) % 299 for rank in range(3)]
    top = tuple(
        Candidate(
            token, token_bytes(token).decode(errors="replace"), 9.1 - rank - 1e-3 * index, -rank / 0.7,
            0.5 / (rank + 1), 0.4 / (rank + 1),
        )
        for rank, token in enumerate(tokens)
    )  # fmt: skip
    best = top[0]
    return StepRecord(
        index, max(0, 3 + index - 32), min(3 + index, 32), best.token, best.text, best.logit, best.probability,
        best.model_probability, 1, 12.5 + index, top,
        2.0 + 0.25 * index,
    )  # fmt: skip


def draw(index: int) -> SampleResult:
    """The draw that belongs to `step(index)`."""
    record = step(index)
    return SampleResult(
        index, record.token, record.logit, record.logit, 11.0 + index, 0.5, 1, 0,
        tuple((c.token, c.logit) for c in record.top), 299, record.logit, {}, frozenset(), record.entropy,
    )  # fmt: skip


class StepCapture:
    """Stands for the capture of pass `index`."""

    def __init__(self, index: int, *, lens: bool = False) -> None:
        generator = np.random.default_rng(index)
        self.logits = generator.standard_normal(CONFIG.vocabulary, np.float32)
        self.statistics = _table(generator, 2)
        self.weight_statistics = _table(generator, 1)
        self.data = self.logits.tobytes()
        self.lens = lens_result(index) if lens else None


def lens_result(index: int) -> bytes:
    """What the lens of pass `index` writes, as in wgsl/lens/top.wgsl: every row of the first pass, then the newest."""
    generator = np.random.default_rng(1000 + index)
    rows = step(index).context_length if index == 0 else 1
    words = np.zeros((rows, LENS_POINTS, result_words(LENS_TOP)), np.uint32)
    words[..., 3] = CONFIG.vocabulary  # finite logits
    floats = words.view(np.float32)
    floats[..., :2] = generator.random((rows, LENS_POINTS, 2))
    floats[..., 6:9] = generator.random((rows, LENS_POINTS, 3))
    logits = -np.sort(generator.random((rows, LENS_POINTS, LENS_TOP)), axis=-1)
    words[..., HEADER::2] = generator.permuted(np.tile(np.arange(200), (rows, LENS_POINTS, 1)), axis=-1)[..., :LENS_TOP]
    floats[..., HEADER + 1 :: 2] = logits
    floats[..., 4] = logits[..., 1]
    words[..., 5] = 1
    return words.tobytes()


def _table(generator: np.random.Generator, count: int) -> np.ndarray:
    table = np.zeros(count, STATISTICS)
    table["count"] = table["finite"] = 64
    table["first_nonfinite"] = -1
    table["max"] = generator.random(count)
    return table


LENS_FILE = LensFile(
    Path("tuned.npz"),
    CONFIG.channels,
    {"h.0.resid_post": (np.eye(CONFIG.channels, dtype=np.float32), np.ones(CONFIG.channels, np.float32))},
)


def make_session(
    path: Path,
    steps: int = 12,
    *,
    logits: str = "f16",
    reason: str | None = "length",
    lens: bool = False,
    edits: bool = False,
    lens_file: bool = False,
) -> Path:
    """Record one run of `steps` steps, with an event and two cameras, and if asked for with the lens and its file."""
    recorder = Recorder(path, HEAD, TENSORS, token_bytes)
    recorder.begin_run(
        "a prompt",
        PROMPT_TOKENS,
        OPTIONS,
        logits=logits,
        lens_top=LENS_TOP if lens else 0,
        lens_file=LENS_FILE if lens_file else None,
        edits=recorded_edits(EDITS, 3, 42) if edits else (),
    )
    recorder.camera("strip", {"zoom": 1.0, "x": 320.0, "y": 180.0})
    for index in range(steps):
        recorder.step(step(index), draw(index), StepCapture(index, lens=lens))
    recorder.event("chose", {"step": 3})
    recorder.camera("strip", {"zoom": 4.0, "x": 100.0, "y": 90.5})
    if reason is not None:
        recorder.end_run(reason)
    recorder.close()
    assert recorder.trouble is None
    return path
