"""Patching maps, ablation sweeps and steering vectors for the window, computed between its frames."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atlas_viewer.state.patching_view import MLP, PATCH, Job, MapJob, MapResult, Steering, SteerJob
from compute.api.activation_reader import ActivationReader
from compute.api.edited import edited
from compute.api.patching import Patcher
from compute.api.steering import SteeringVector, row_of
from compute.edits.grammar import Edit
from compute.errors import MemoryBudgetError, OutputExistsError, UsageError
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.gpu.device import is_software
from compute.gpu.slices import InBackground, Pace, Sliced
from compute.io.escape import one_line
from compute.models.patch_points import HEADS, patch_points
from compute.models.patch_points import MLP as MLPS
from compute.patching.sweep import Measure
from compute.text.tokenizer import Tokenizer

# Tokens of a pass, which several copies of the text share.
_TOKENS, _SLOW_TOKENS = 512, 256


class Sweeps:
    """Computes on an engine of its own over the same weights, so that the tensors on screen stay. Nothing here waits,
    except for values of edits in force that take a pass."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer) -> None:
        """engine: that of the window. Allocates nothing until the first sweep."""
        self._main, self._tokenizer = engine, tokenizer
        self._engine: Engine | None = None
        self._reader: ActivationReader | None = None
        self._pace = Pace()
        self._work: InBackground[MapResult | Steering] | None = None
        self.done = self.total = 0  # copies of the text

    @property
    def points(self) -> tuple[str, ...]:
        """The points of the residual stream, at which steering vectors can be measured."""
        return self._main.description.stream

    def start(self, job: Job, edits: Sequence[Edit]) -> None:
        """Begin; a sweep in progress ends. edits: in force throughout. Raises `AtlasError`s."""
        self.cancel()
        if isinstance(job, SteerJob):
            texts = [(name, self._tokenizer.encode(text)) for name, text in _named(job)]
            longest = max(len(tokens) for _, tokens in texts)
            self._prepare(longest)
            work = self._steer(job, texts, edits)
            self.done, self.total = 0, len(texts)
        else:
            self._prepare(len(job.tokens[0]))
            work = self._map(job, edits)
            self.done, self.total = 0, 1
        self._work = InBackground(self._main.device, work)

    def advance(self, seconds: float) -> MapResult | Steering | None:
        """Submit up to `seconds` of GPU time if the GPU is free; the result, once. Raises `AtlasError`s."""
        if self._work is None:
            return None
        self._pace.seconds = seconds
        try:
            if not self._work.advance():
                return None
        except BaseException:
            self.cancel()
            raise
        result, self._work = self._work.result, None
        self.done = self.total = 0
        return result

    def cancel(self) -> None:
        """End the sweep in progress, if there is one."""
        if self._work is not None:
            self._work.cancel()
        self._work = None
        self.done = self.total = 0

    def save(self, steering: Steering, path: Path) -> None:
        """Write a steering vector with where it comes from, to a new file. Raises `OutputError`, `UsageError`."""
        if path.exists():
            raise OutputExistsError(f"{one_line(str(path))}: exists already; give another name")
        job, engine = steering.job, self._main
        SteeringVector(
            steering.vector, job.at, job.position, engine.model_name, engine.dtype, job.texts_a, job.texts_b
        ).save(path)

    def _prepare(self, tokens: int) -> None:
        """Have an engine for texts of so many tokens. Raises `UsageError`, `MemoryBudgetError`."""
        positions = self._main.config.positions
        if tokens > positions:
            raise UsageError(f"the text has {tokens} tokens, the model has {positions} positions; shorten it")
        wanted = _SLOW_TOKENS if is_software(self._main.device.adapter) else _TOKENS
        engine = self._engine
        if engine is None or engine.context < min(positions, 2 * tokens):
            try:
                engine = self._main.beside(min(positions, max(wanted, 2 * tokens)))
            except MemoryBudgetError:
                engine = self._main.beside(min(positions, 2 * tokens))
            self._engine, self._reader, self._pace = engine, ActivationReader(engine), engine.pace()

    @property
    def _ready(self) -> tuple[Engine, ActivationReader]:
        assert self._engine is not None
        assert self._reader is not None
        return self._engine, self._reader

    def _count(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def _map(self, job: MapJob, edits: Sequence[Edit]) -> Sliced[MapResult | Steering]:
        engine, reader = self._ready
        patcher = Patcher(engine, WholePass(engine), lambda: reader, self._pace)
        start = time.perf_counter()
        names = [self._tokenizer.token_label(token) for token in (job.target, job.against) if token is not None]
        if job.section == PATCH:
            assert job.against is not None
            found = yield from patcher.patch(
                (list(job.tokens[0]), list(job.tokens[1])), (job.target, job.against), job.over, job.direction, edits,
                control=job.control, progress=self._count,
            )  # fmt: skip
            points = tuple((name,) * found.values.shape[1] for name in patch_points(engine.description, job.over))
            return MapResult(
                job=job,
                values=found.values,
                control=found.control,
                changed=found.changed,
                measured=(found.clean_difference, found.corrupt_difference),
                points=points,
                columns=self._columns(job, found.values.shape[1]),
                names=tuple(names),
                activations=tuple(found.activations.values()),
                error=found.error,
                checks=found.checks,
                edits=found.report.edits,
                warnings=tuple(found.report.warnings()),
                seconds=time.perf_counter() - start,
            )
        ablated = yield from patcher.ablate(
            list(job.tokens[0]), Measure(job.target, job.against), job.to, edits, self._count
        )
        heads = ablated.heads.shape[1]
        outs, mlps = (patch_points(engine.description, over) for over in (HEADS, MLPS))
        return MapResult(
            job=job,
            values=np.column_stack([ablated.heads, ablated.mlps]),
            control=None,
            changed=np.column_stack([ablated.heads_changed, ablated.mlps_changed]),
            measured=(ablated.logit,),
            points=tuple((out,) * heads + (mlp,) for out, mlp in zip(outs, mlps, strict=True)),
            columns=(*map(str, range(heads)), MLP),
            names=tuple(names),
            activations=(),
            error=ablated.error,
            checks=ablated.checks,
            edits=ablated.report.edits,
            warnings=tuple(ablated.report.warnings()),
            seconds=time.perf_counter() - start,
        )

    def _columns(self, job: MapJob, count: int) -> tuple[str, ...]:
        """The number of each head, or the token of each position, of both texts where they differ."""
        if job.over == HEADS:
            return tuple(map(str, range(count)))
        clean, corrupt = ([self._tokenizer.token_label(token) for token in tokens] for tokens in job.tokens)
        return tuple(one if one == other else f"{one}/{other}" for one, other in zip(clean, corrupt, strict=True))

    def _steer(
        self, job: SteerJob, texts: Sequence[tuple[str, list[int]]], edits: Sequence[Edit]
    ) -> Sliced[MapResult | Steering]:
        engine, reader = self._ready
        passes, name = WholePass(engine), engine.description.canonical(job.at)
        rows: dict[str, list[np.ndarray]] = {"A": [], "B": []}
        for number, (side, tokens) in enumerate(texts, start=1):
            with edited(engine, edits, tokens, len(tokens)):
                yield from passes.last_logits_sliced(tokens, pace=self._pace)
                arrays = yield from reader.sequences_sliced([name], len(tokens))
            rows[side].append(row_of(arrays[0][name], number, job.at, job.position))
            self._count(number, len(texts))
        vector = (np.mean(rows["A"], axis=0) - np.mean(rows["B"], axis=0)).astype(np.float32)
        lengths = [np.linalg.norm(row) for side in rows.values() for row in side]
        return Steering(job, vector, float(np.linalg.norm(vector)), float(np.mean(lengths)))


def _named(job: SteerJob) -> list[tuple[str, str]]:
    """Every text with the list that it is from."""
    return [("A", text) for text in job.texts_a] + [("B", text) for text in job.texts_b]
