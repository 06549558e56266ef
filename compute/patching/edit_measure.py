"""How far an edit moves a prediction, compared with a random vector of the same length, and with rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compute.edits.grammar import Range
from compute.edits.resolved import ResolvedEdit
from compute.edits.targets import Kind, Target
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.loading import Loading

from .cells import edit_of_values, rounding, stream_targets

_SEED = 0


@dataclass(frozen=True)
class Moved:
    """How far a prediction is from another: KL divergence in nats, and the largest change of a logit."""

    kl: float
    logit: float

    @classmethod
    def between(cls, one: np.ndarray, other: np.ndarray) -> Moved:
        """From the prediction `one` to `other`, both logits."""
        p, q = _log_softmax(one), _log_softmax(other)
        return cls(max(float(np.sum(np.exp(p) * (p - q))), 0.0), float(np.max(np.abs(one - other))))

    def __str__(self) -> str:
        return f"KL {self.kl:.2g}, logits by up to {self.logit:.2g}"


@dataclass(frozen=True)
class EditMeasure:
    """The prediction without the edit, compared with the one that it makes.

    control: with a random vector instead, in each row as long as the change by the edit; None for edits of weights and
    attention. rounding: with each value of the residual stream rounded the other way, at random.
    """

    edit: Moved
    control: Moved | None
    rounding: Moved


def measuring(
    engine: Engine, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit], own: range
) -> Loading[EditMeasure]:
    """Measure the edits numbered `own` among `edits` in the pass over the last `context` of `tokens`, in steps.

    Nothing else may use the engine between the steps; afterwards it has other edits in force. Never blocks.
    """
    work = _Passes(engine, tokens, context)
    before, after = edits[: own.start], edits[own.stop :]
    target = edits[own.start].target
    rows = target if target.kind is Kind.ACTIVATION and engine.activations is not None else None
    without, there = yield from work.logits([*before, *after], rows)
    with_it, here = yield from work.logits(edits, rows)
    control: Moved | None = None
    if rows is not None and there is not None and here is not None:
        random = work.random_edit(rows, here.astype(np.float64) - there)
        other, _ = yield from work.logits([*before, random, *after], None)
        control = Moved.between(without, other)
    noise = rounding(stream_targets(engine.description), np.random.default_rng(_SEED), len(tokens))
    rounded, _ = yield from work.logits([*edits, *noise], None)
    return EditMeasure(Moved.between(without, with_it), control, Moved.between(with_it, rounded))


class _Passes:
    """Passes over one text with different edits."""

    def __init__(self, engine: Engine, tokens: Sequence[int], context: int) -> None:
        self._engine, self._passes = engine, WholePass(engine)
        self._start = max(0, len(tokens) - context)
        self._tokens, self._end = list(tokens[self._start :]), len(tokens)
        self._readback: AsyncReadback[bytes] = AsyncReadback(engine.device, "prediction with other edits")

    def logits(
        self, edits: Sequence[ResolvedEdit], target: Target | None
    ) -> Loading[tuple[np.ndarray, np.ndarray | None]]:
        """The logits of the last row, and what the target is: float32 [rows, columns], None without a target."""
        engine, rows = self._engine, len(self._tokens)
        engine.set_edits(edits)
        self._passes.run(self._tokens, min(self._start, engine.config.positions - rows), text_start=self._start)
        data = yield from self._read(engine.logits_buffer, 0, 4 * engine.config.vocabulary)
        logits = np.frombuffer(data, np.float32).copy()
        if target is None:
            return logits, None
        tensor = engine.registry[target.point]
        shard = tensor.storage.shards[0]
        data = yield from self._read(shard.resource, shard.offset, 4 * rows * tensor.columns)
        whole = np.frombuffer(data, np.float32).reshape(rows, tensor.columns)
        return logits, whole[:, target.base : target.base + target.columns].copy()

    def random_edit(self, target: Target, change: np.ndarray) -> ResolvedEdit:
        """An edit that adds, where there was a change, random numbers that are as long in each row."""
        vector = np.random.default_rng(_SEED).normal(size=change.shape) * (change != 0)
        length = np.linalg.norm(vector, axis=-1, keepdims=True)
        wanted = np.linalg.norm(change, axis=-1, keepdims=True)
        vector *= np.divide(wanted, length, out=np.zeros_like(wanted), where=length > 0)
        return edit_of_values(target, (Range(self._start, self._end),), "+=", vector.astype(np.float32), self._end)

    def _read(self, source: object, offset: int, size: int) -> Loading[bytes]:
        engine = self._engine

        def copy(staging: object) -> None:
            encoder = engine.device.create_command_encoder()
            encoder.copy_buffer_to_buffer(source, offset, staging, 0, size)
            engine.device.queue.submit([encoder.finish()])

        self._readback.request_copy(copy, size, bytes)
        while (data := self._readback.take()) is None:
            yield "measuring an edit", 0.0
        return data


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    exact = logits.astype(np.float64)
    exact -= exact.max()
    return np.asarray(exact - np.log(np.exp(exact).sum()))
