"""Values of edits that take a pass of the model: means over a prompt, and tensors of recorded steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compute.edits.captured import as_given, bounded
from compute.edits.grammar import Edit
from compute.edits.recorded import RecordedPass, recorded_pass
from compute.edits.resolved import ResolvedEdit, place, with_aligned
from compute.edits.resolving import place_all, resolve
from compute.edits.targets import Kind, Target, Targets
from compute.edits.values import FromRun, Mean
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.whole_pass import WholePass
from compute.gpu.wgpu_native import ComputeEncoder
from compute.views.patterns import PatternStore, row_of_keys

_SAME_LOGIT = 0.1  # larger differences come from other weights, smaller ones from their precision


def resolve_edits(
    engine: Engine,
    edits: Sequence[Edit],
    prompt: Sequence[int],
    limit: int | None = None,
    before: Sequence[ResolvedEdit] = (),
) -> tuple[ResolvedEdit, ...]:
    """The edits for a text that begins with `prompt` and never has more than `limit` tokens.

    before: edits that apply before them, which are no part of the result.
    Blocks where values take a pass; the engine then has other edits in force. Raises `AtlasError`s.
    """
    if not edits:
        return ()
    return resolve(edits, engine.description, len(prompt), limit, PassValues(engine, prompt, before))


def check_edit(engine: Engine, edit: Edit, prompt: Sequence[int], limit: int | None = None) -> None:
    """Raise an `AtlasError` when the model cannot have the edit, or its values cannot be had or do not fit.

    See `resolve_edits`; here only values from a recorded run take a pass.
    """
    if isinstance(edit.value, Mean):
        place_all([edit], engine.description, len(prompt), limit)
    else:
        resolve_edits(engine, [edit], prompt, limit)


def captured(engine: Engine, edit: Edit, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit]) -> Edit:
    """`edit` with the values that its target has, with `edits`, in the pass over the last `context` of `tokens`.

    Without an index of positions it selects those of the pass. Blocks. Raises `AtlasError`s.
    """
    target = Targets(engine.description).find(edit.target)
    start = max(0, len(tokens) - context)
    edit = bounded(edit, target, start, len(tokens))
    engine.set_edits(edits)
    rows, start = PassValues(engine, tokens).rows(target, context)
    placed = place(edit, target, len(tokens), len(tokens))
    return as_given(with_aligned(placed, rows, start, "the pass"))


class PassValues:
    """A `ValueSource` that runs passes on an engine, which no generation may use at the same time."""

    def __init__(self, engine: Engine, prompt: Sequence[int], before: Sequence[ResolvedEdit] = ()) -> None:
        """prompt: the token ids of the text that is edited. before: edits of it that apply before all others."""
        self._engine, self._prompt, self._before = engine, prompt, before

    def prompt_rows(self, target: Target, edits: Sequence[ResolvedEdit]) -> np.ndarray:
        """See `ValueSource`. Of a prompt longer than the context the rows are those of its last context."""
        self._engine.set_edits([*self._before, *edits])
        return self._rows(target, self._prompt, self._engine.context)[0]

    def rows(self, target: Target, context: int) -> tuple[np.ndarray, int]:
        """The target in the pass over the last `context` tokens of the text, with the edits in force, and the position
        of the first of them. Shapes as in `recorded_rows`."""
        return self._rows(target, self._prompt, context)

    def recorded_rows(self, edit: Edit, value: FromRun, target: Target) -> tuple[np.ndarray, int]:
        """See `ValueSource`. Raises `UsageError` for a recording of another model."""
        engine, recorded = self._engine, recorded_pass(value.path, value.step)
        if target.kind is Kind.WEIGHT:
            raise UsageError(f"edit {edit.shown}: a run has no weights; give a number or array for {target.name}")
        if recorded.config != engine.config or recorded.context > engine.context:
            raise UsageError(f"edit {edit.shown}: {_unlike(recorded, engine)}")
        engine.set_edits(recorded.edits, fresh=True)
        rows, start = self._rows(target, recorded.tokens, recorded.context)
        logit = float(engine.read_logits()[recorded.token])
        if not abs(logit - recorded.logit) <= _SAME_LOGIT:
            raise UsageError(
                f"edit {edit.shown}: {recorded.shown} is a recording of other weights: step {value.step}"
                f" has logit {recorded.logit:.3f} there, {logit:.3f} here; use the model that it was made with"
            )
        return rows, start

    def _rows(self, target: Target, text: Sequence[int], context: int) -> tuple[np.ndarray, int]:
        """The target in the pass over the last `context` tokens of a text, and the index of the first of them."""
        engine, rows = self._engine, min(len(text), context)
        start = len(text) - rows
        position = min(start, engine.config.positions - rows)
        passes = WholePass(engine)
        if target.kind is Kind.LOGITS:
            return passes.all_logits(text[start:], position, text_start=start), start
        if engine.activations is None:
            raise UsageError(f"{target.name}: the model was loaded without activations; load it with trace=True")
        passes.run(text[start:], position, text_start=start)
        if target.kind.of_attention:
            return self._attention(target, rows), start
        tensor = engine.registry[target.point]
        data = engine.device.queue.read_buffer(tensor.storage.shards[0].resource, tensor.storage.shards[0].offset,
                                               4 * rows * tensor.columns)  # fmt: skip
        whole = np.frombuffer(data, np.float32).reshape(rows, tensor.columns)
        return target.taken(whole), start

    def _attention(self, target: Target, rows: int) -> np.ndarray:
        """A pattern of the latest pass, [heads, rows, rows]."""
        if target.kind is Kind.SCORES:
            raise UsageError(f"{target.name}: scores of a run cannot be patched; patch attn.pattern, attn.q or attn.k")
        engine, tensor = self._engine, self._engine.registry[target.point]
        buffer, work = PatternStore(engine, rows, budget=0).all_rows(tensor)
        encoder = ComputeEncoder(engine.device)
        encoder.run(work)
        encoder.submit()
        values = np.frombuffer(engine.device.queue.read_buffer(buffer), np.float32)
        return values.reshape(tensor.heads, rows, row_of_keys(engine.context))[:, :, :rows]


def _unlike(recorded: RecordedPass, engine: Engine) -> str:
    there, here = recorded.config, engine.config
    if there == here:
        return (
            f"{recorded.shown} was made with a context of {recorded.context} tokens, here it is {engine.context};"
            " use at least as many"
        )
    return (
        f"{recorded.shown} is of a model of {there.layers} layers, {there.heads} heads and {there.channels} channels,"
        f" {engine.model_name} has {here.layers}, {here.heads} and {here.channels}"
    )
