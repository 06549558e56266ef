"""Checks of the difference of two passes, a - b and relative, of activations, attention patterns and weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compute.edits.grammar import edits_of
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.edit_values import resolve_edits
from compute.gpu.device import is_software
from compute.gpu.wgpu_native import ComputeEncoder
from compute.models.operations import Linear
from compute.models.registry import Tensor
from compute.views.difference import DifferencePass
from compute.views.patterns import PatternStore, row_of_keys

from .check import KERNEL, Check, Errors
from .gpu import Gpu, read, read_tensor, run_pass
from .models import SMALL, layouts, loud_model, shape_of, some_tokens

_ROWS = 29
_TINY = np.float32(1.2e-38)


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for layout in layouts(is_software(gpu.device.adapter)):
        for relative in (False, True):
            yield differences(layout, relative=relative)


def differences(layout: str, *, relative: bool) -> Check:
    """Every activation, pattern and weight of two passes over other tokens, one of them with edits."""
    source = loud_model(SMALL)
    a = Engine.load(source, LoadOptions(SMALL.positions, layout=layout, program="rows", measured=False))
    b, errors = a.twin(), Errors()
    halved = a.description.attention[0].output
    matrix = [op.weight.name for op in a.description.operations() if isinstance(op, Linear)][-2]  # not the head
    tokens = some_tokens(SMALL, _ROWS + 1)
    b.set_edits(resolve_edits(b, edits_of((f"{halved}[head=1] *= 0.5", f"{matrix}[5] = 0")), tokens[1:], _ROWS))
    run_pass(a, tokens[:_ROWS])
    run_pass(b, tokens[1:])
    found = DifferencePass(a, b)
    found.run(relative=relative)
    for tensor in found.registry:
        if tensor.heads or tensor.kind in ("embedding", "activation"):
            expected = subtracted(read_tensor(a, tensor.name), read_tensor(b, tensor.name), relative)
            errors.close(values(found, tensor), expected, tensor.name)
    for name in a.description.weights:
        got, weight = values(found, found.registry[name]), source.tensor(name)
        weight = weight if weight.shape == got.shape else weight.T
        edited = weight.copy()
        if name == matrix:
            edited[5] = 0
        errors.close(got, subtracted(weight, edited, relative), name)
        errors.same(bool(got.any()), name == matrix, f"{name}: whether anything differs")
    name = "relative differences" if relative else "differences"
    return errors.check(f"{name} of two passes", f"{shape_of(SMALL)}, weights in {layout}s", KERNEL)


def subtracted(a: np.ndarray, b: np.ndarray, relative: bool) -> np.ndarray:
    """What the kernels compute: a - b, or that divided by the larger magnitude."""
    if not relative:
        return np.asarray(a - b)
    largest = np.maximum(np.maximum(np.abs(a), np.abs(b)), _TINY)
    return np.asarray(np.where(a == b, 0, a / largest - b / largest))


def values(found: DifferencePass, tensor: Tensor) -> np.ndarray:
    """A tensor of a difference, read back; patterns are [heads, rows, rows]."""
    registry = found.registry
    if tensor.heads:
        buffer, work = PatternStore(found, found.context, budget=0).all_rows(tensor)
        encoder = ComputeEncoder(found.device)
        encoder.run(work)
        encoder.submit()
        padded = read(found.device, buffer, (tensor.heads, found.context, row_of_keys(found.context)))
        return padded[:, : registry.rows, : registry.rows]
    shards = [found.device.queue.read_buffer(s.resource, s.offset, s.size) for s in tensor.storage.shards]
    flat = np.concatenate([np.frombuffer(data, np.float32) for data in shards])
    shape = registry.shape(tensor)
    return flat[: int(np.prod(shape))].reshape(shape)
