"""Checks of recomputed attention patterns and of probes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compute.forward.engine import Engine
from compute.gpu.wgpu_native import poll
from compute.models.tensor_index import TensorIndex, flat_index, multi_index
from compute.views.probe import MOST, ProbePass
from compute.weights.checkpoint import WeightSource
from compute.weights.weight_types import parameter

from . import reference
from .check import PASS, Check, Errors
from .gpu import read_tensor, run_pass
from .map_model import keys
from .models import shape_of, some_tokens

_ROWS = 11  # rows of the context


def patterns(engine: Engine, source: WeightSource) -> Check:
    """Patterns against the reference. Rows add up to 1, with zeros above the diagonal. source: the engine's weights."""
    tokens = some_tokens(engine.config, _ROWS)
    run_pass(engine, tokens)
    expected = reference.forward(source, tokens)
    later = np.triu_indices(_ROWS, 1)
    errors = Errors()
    for tensor in engine.registry:
        if tensor.heads:
            found, name = read_tensor(engine, tensor.name), tensor.name
            errors.close(found, expected[name], name)
            errors.close(found.sum(-1), np.ones(found.shape[:2]), f"{name}: sums of rows")
            above = found[:, later[0], later[1]]
            errors.same(above, np.zeros_like(above), f"{name}: later keys")
    return errors.check("forward/attention_pattern", f"{shape_of(engine.config)}, {_ROWS} rows, {engine.dtype}", PASS)


def probes(engine: Engine, source: WeightSource) -> Check:
    """A random value and the extreme of a random range of every tensor (a value only for patterns), exactly.

    The extreme is the first NaN, otherwise the first value with the largest magnitude, positive before negative.
    """
    run_pass(engine, some_tokens(engine.config, _ROWS))
    errors = Errors()
    rng = np.random.default_rng(0)
    wanted = []
    for tensor in engine.registry:
        own = _ROWS if tensor.rows is None else tensor.rows
        if tensor.heads:
            head, query, key = int(rng.integers(tensor.heads)), int(rng.integers(own)), int(rng.integers(own))
            wanted.append(TensorIndex(tensor.name, (head, query, key)))
            continue
        count = own * tensor.columns
        first = int(rng.integers(count))
        value = TensorIndex(tensor.name, multi_index(first, engine.registry.shape(tensor)))
        wanted += [value, replace(value, count=int(rng.integers(1, count - first + 1)))]
    passes = ProbePass(engine)
    for start in range(0, len(wanted), MOST):
        watched = wanted[start : start + MOST]
        passes.watch(watched)
        passes.update()
        poll(engine.device, wait=True)
        passes.poll()
        for probe in watched:
            known = passes.values.get(probe)
            extreme, index = _extreme(engine, source, probe)
            found = (known.value, *known.index, known.step) if known else (0.0, *(-1 for _ in index), -1)
            errors.same(np.array(found), np.array((extreme, *index, _ROWS - 1)), str(probe))
    shapes = f"{len(wanted)} ranges of {shape_of(engine.config)}, {engine.dtype} in {engine.layout}s"
    return errors.check("probe/range", shapes, 0.0)


def _extreme(engine: Engine, source: WeightSource, probe: TensorIndex) -> tuple[float, tuple[int, ...]]:
    """The value and index according to NumPy."""
    tensor = engine.registry[probe.name]
    if tensor.heads:
        return float(read_tensor(engine, probe.name)[probe.index]), probe.index
    weight = tensor.kind == "weight"
    values = parameter(source, probe.name, engine.types) if weight else read_tensor(engine, probe.name)
    shape = engine.registry.shape(tensor)
    first = flat_index(probe.index, shape)
    part = values.ravel()[first : first + probe.count].astype(np.float32)
    extreme = int(keys(part).argmax())
    return float(part[extreme]), multi_index(first + extreme, shape)
