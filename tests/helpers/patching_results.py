"""Results of the Patching panel without a model, and a source of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atlas_viewer.state.patching_view import ABLATE, MLP, PATCH, Job, MapJob, MapResult, Steering, SteerJob
from compute.edits.grammar import Edit
from compute.errors import UsageError
from compute.lens.self_check import SelfCheck

LAYERS, HEADS, WIDTH = 8, 6, 192
TEXTS = ("a b c d", "a b x d")


def map_job(section: str = PATCH, **changes: object) -> MapJob:
    """A job for texts of four tokens."""
    tokens = ((0, 1, 2, 3), (0, 1, 9, 3))
    count = 2 if section == PATCH else 1
    fields: dict[str, object] = {"section": section, "texts": TEXTS[:count], "tokens": tokens[:count], "target": 5,
                                 "against": 7} | changes  # fmt: skip
    return MapJob(**fields)  # type: ignore[arg-type]


def map_result(job: MapJob | None = None, *, control: bool = False) -> MapResult:
    """A map whose values count up; its first column has no effect."""
    job = job or map_job()
    ablation, heads = job.section == ABLATE, job.over == "heads"
    columns = (*map(str, range(HEADS)), MLP) if ablation else tuple(map(str, range(HEADS))) if heads else tuple("abcd")
    shape = (LAYERS, len(columns))
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape) / 20
    values[:, 0] = 0
    changed = np.full(shape, WIDTH)
    changed[:, 0] = 0
    point = "h.{}.attn.out" if ablation or heads else "h.{}.resid_pre"
    points = tuple(
        tuple(f"h.{layer}.mlp.c_proj" if name == MLP else point.format(layer) for name in columns)
        for layer in range(LAYERS)
    )
    rows = np.arange(4 * WIDTH, dtype=np.float32).reshape(4, WIDTH)
    return MapResult(
        job=job,
        values=values,
        control=-values / 2 if control else None,
        changed=changed,
        measured=(1.5,) if ablation else (3.5, -7.25),
        points=points,
        columns=columns,
        names=(" Tom", " Ben"),
        activations=() if ablation else (rows,) * LAYERS,
        error=2e-6,
        checks=(SelfCheck("patching the run with itself changes nothing", 0.0),),
        edits=(),
        warnings=(),
        seconds=1.0,
    )


class FakeSweeps:
    """A `reader_protocols.SweepSource` whose sweep takes `steps` calls of `advance`."""

    points = ("embed.sum", "h.0.resid_post")

    def __init__(self, steps: int = 3) -> None:
        self.done = self.total = 0
        self.steps, self.cancelled = steps, 0
        self.jobs: list[Job] = []
        self.edits: list[tuple[Edit, ...]] = []
        self.saved: list[Path] = []
        self.fails = ""

    def start(self, job: Job, edits: Sequence[Edit]) -> None:
        self.jobs.append(job)
        self.edits.append(tuple(edits))
        self.done, self.total = 0, self.steps

    def advance(self, seconds: float) -> MapResult | Steering | None:
        assert seconds > 0
        if self.fails:
            raise UsageError(self.fails)
        self.done += 1
        if self.done < self.total:
            return None
        self.done = self.total = 0
        job = self.jobs[-1]
        if isinstance(job, SteerJob):
            return Steering(job, np.ones(WIDTH, np.float32), 2.0, 10.0)
        return map_result(job)

    def cancel(self) -> None:
        self.cancelled += 1
        self.done = self.total = 0

    def save(self, _steering: Steering, path: Path) -> None:
        self.saved.append(path)
