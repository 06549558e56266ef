"""Checks of formulas: random elements of every activation, against float64 sums of what the GPU holds."""

from __future__ import annotations

import numpy as np

from compute.forward.engine import Engine
from compute.models.operations import (
    Activation,
    Add,
    Alias,
    Attention,
    Gated,
    Gather,
    Head,
    LayerNorm,
    Linear,
    RmsNorm,
    Rope,
    Scale,
    Weight,
)
from compute.models.readings import Form, readings
from compute.models.tensor_index import TensorIndex
from compute.views.formula import TOP, Formula
from compute.views.formula_pass import FormulaPass
from compute.views.formula_plans import formula_shape
from compute.weights.checkpoint import WeightSource
from compute.weights.weight_types import parameter

from . import reference
from .check import KERNEL, Check, Errors
from .gpu import read_tensor, run_pass
from .models import shape_of, some_tokens

_ROWS = 13  # rows of the context


class Exact:
    """Elements of the latest pass in float64, each computed from the activations that the GPU has.

    tokens: those of the context; source: the engine's weights.
    """

    def __init__(self, engine: Engine, source: WeightSource, tokens: list[int]) -> None:
        self._engine, self._source, self._tokens = engine, source, tokens
        self._known: dict[str, reference.Array] = {}

    def element(self, at: TensorIndex) -> tuple[float, reference.Array]:
        """The value at `at`, and the products whose sum it is, without constants; [] where that is not of interest."""
        description = self._engine.description
        if at.name == description.head.output:
            total, products = self._linear(description.head, (self._engine.registry.rows - 1, at.index[0]))
            cap = description.head.cap
            return (cap * float(np.tanh(total / cap)), np.empty(0)) if cap else (total, products)
        reading = readings(description)[at.name]
        operation, index = reading.operation, at.index
        if reading.heads is not None:
            index = (index[0], reading.heads.within(index[1]))
            operation = description.outputs[reading.source]
        none: reference.Array = np.empty(0)
        match operation:
            case Linear():
                return self._linear(operation, index)
            case Attention():
                return self._attention(operation, reading.name, reading.form, index)
            case Alias() | Add():
                products = np.array([self._values(name)[index] for name in operation.inputs])
                return float(products.sum()), products
            case Gather():
                position = self._engine.registry.first_position + index[0]
                entry = self._tokens[index[0]] if operation.by == "token" else position
                return float(self._weight(operation.table)[entry, index[1]]), none
            case LayerNorm(x=x, scale=scale, shift=shift):
                moved = None if shift is None else self._weight(shift)
                norm = reference.layer_norm(self._values(x)[index[0]], self._weight(scale), moved, operation.epsilon)
                return float(norm[index[1]]), none
            case RmsNorm(x=x, scale=scale):
                row = self._values(x)[index[0]][None]
                norm = reference.rms_norm(row, self._weight(scale), operation.epsilon, operation.offset)
                return float(norm[0, index[1]]), none
            case Activation(x=x):
                return float(reference.ACTIVATIONS[operation.function](self._values(x)[index])), none
            case Gated(x=x, up=up):
                gate = reference.ACTIVATIONS[operation.function](self._values(x)[index])
                return float(gate * self._values(up)[index]), none
            case Scale(x=x, factor=factor):
                return float(self._values(x)[index]) * factor, none
            case Rope(x=heads):
                rows = reference.by_head(self._values(heads.source)[index[0] : index[0] + 1], heads)
                position = self._engine.registry.first_position + index[0]
                rotated = reference.rope(rows, operation.frequencies, [position], interleaved=operation.interleaved)
                return float(rotated.reshape(-1)[index[1]]), none
        raise ValueError(f"{at}: unknown operation {operation.kind}")

    def _linear(self, operation: Linear | Head, index: tuple[int, ...]) -> tuple[float, reference.Array]:
        row, out = index
        products = self._values(operation.x)[row] * self._weight(operation.weight)[out]
        bias = 0.0 if operation.bias is None else float(self._weight(operation.bias)[out])
        return float(products.sum()) + bias, products

    def _attention(
        self, operation: Attention, name: str, form: Form, index: tuple[int, ...]
    ) -> tuple[float, reference.Array]:
        acts = {heads.source: self._values(heads.source) for _, heads in operation.parts}
        pattern = reference.attention_of(operation, acts)[1]
        if form is Form.SCORES:
            head, query, key = index
            if not operation.first_key(query) <= key <= query:
                return -np.inf, np.empty(0)
            q = reference.by_head(acts[operation.query.source], operation.query)[query, head]
            k = reference.by_head(acts[operation.key.source], operation.key)[key, head // operation.group]
            products = q * k * operation.score_scale
            total = float(products.sum())
            return (
                (total, products)
                if not operation.cap
                else (operation.cap * np.tanh(total / operation.cap), np.empty(0))
            )
        if name == operation.pattern:
            return float(pattern[index]), np.empty(0)
        query, column = index
        head, channel = divmod(column, operation.head_size)
        values = reference.by_head(acts[operation.value.source], operation.value)[:, head // operation.group, channel]
        products = (pattern[head, query] * values)[operation.first_key(query) : query + 1]
        return float(products.sum()), products

    def _values(self, name: str) -> reference.Array:
        name = self._engine.description.canonical(name)
        if name not in self._known:
            self._known[name] = read_tensor(self._engine, name).astype(np.float64)
        return self._known[name]

    def _weight(self, weight: Weight) -> reference.Array:
        if weight.name not in self._known:
            values = parameter(self._source, weight.name, self._engine.types)
            self._known[weight.name] = values.astype(np.float64)
        return self._known[weight.name]


def random_elements(engine: Engine, count: int, seed: int = 0) -> list[TensorIndex]:
    """`count` elements of the latest pass, in turn of every tensor that has formulas."""
    rng = np.random.default_rng(seed)
    names = [*readings(engine.description), engine.description.head.output]
    shapes = [formula_shape(engine, name) for name in names]
    picked = (number % len(names) for number in range(count))
    return [TensorIndex(names[i], tuple(int(rng.integers(size)) for size in shapes[i])) for i in picked]


def compare(found: Formula, exact: Exact, errors: Errors, at: TensorIndex) -> None:
    """Compare a formula with float64: its sum, its largest terms, and the value of the pass."""
    value, products = exact.element(at)
    scale = max(1.0, found.magnitude) if np.isfinite(found.magnitude) else 1.0
    errors.close(found.total / scale, value / scale, f"{at}: sum")
    errors.same(abs(found.difference) <= found.rounding or found.value == found.total, True, f"{at}: difference")
    parts = [number.value for number in found.constants] + [term.product for term in found.terms] + [found.remainder]
    errors.close(sum(parts) / scale, found.total / scale, f"{at}: parts")
    if products.size:
        largest = np.sort(np.abs(products))[::-1][:TOP]
        errors.close(np.abs([term.product for term in found.terms]), largest, f"{at}: largest terms")
        errors.same(found.count, products.size, f"{at}: number of terms")


def formulas(engine: Engine, source: WeightSource, count: int = 60) -> Check:
    """`count` random elements over all activations. source: the engine's weights."""
    tokens, errors = some_tokens(engine.config, _ROWS), Errors()
    run_pass(engine, tokens)
    exact, passes = Exact(engine, source, tokens), FormulaPass(engine)
    for at in random_elements(engine, count):
        compare(passes.explain(at), exact, errors, at)
    shapes = f"{count} elements of {shape_of(engine.config)}, {engine.dtype} in {engine.layout}s"
    return errors.check("formulas of elements", shapes, KERNEL)
