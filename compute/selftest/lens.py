"""Checks of the logit lens and of attribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path

import numpy as np

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.device import is_software
from compute.lens.attribution import LogitParts
from compute.lens.attribution_pass import AttributionPass
from compute.lens.lens_cells import LensCells
from compute.lens.lens_file import LensFile
from compute.lens.lens_matrices import LensMatrices
from compute.lens.lens_pass import LensPass
from compute.models.architectures import describe, parameter_shapes
from compute.models.config import ModelConfig
from compute.weights.checkpoint import ArrayModel, WeightSource

from . import lens_model, reference
from .check import PASS, Check, Errors
from .gpu import Gpu, run_pass
from .models import SMALL, layouts, loud_model, rounded_model, shape_of, some_tokens
from .reference import Array


class LensRunner:
    """Runs a text through an engine, and compares what lens and attribution make of it with float64."""

    def __init__(self, source: WeightSource, exact: WeightSource, tokens: Sequence[int], options: LoadOptions) -> None:
        """exact: the model in float64, its weights rounded as on the GPU."""
        self.engine = Engine.load(source, options)
        self._exact, self._tokens = exact, tokens
        self._acts: dict[str, Array] = reference.forward(exact, tokens)
        self.lens = LensPass(self.engine)
        run_pass(self.engine, tokens)

    def lens_errors(self, target: int, top: int, file: LensFile | None = None) -> Errors:
        """The lens at every point and position, and once more at the newest position alone."""
        self.lens.matrices = None if file is None else LensMatrices.upload(self.engine.device, file)
        errors = Errors()
        whole = self.lens.all(target, top)
        self._compare(errors, whole, target, file)
        self.lens.newest(target, top)
        newest = None
        while newest is None:
            newest = self.lens.take()
        errors.same(newest.top_tokens, whole.top_tokens[:, -1:], "newest position")
        errors.close(
            newest.target_logit, whole.target_logit[:, -1:] if whole.target_logit is not None else None, "newest"
        )
        return errors

    def attribution_errors(self, target: int, against: int | None, row: int) -> Errors:
        """Every part, source and neuron of a logit."""
        found = AttributionPass(self.engine).now(target, against, row)
        expected = lens_model.attribution(self._exact, self._acts, row, target, against)
        errors = Errors()
        errors.close(found.logit, expected.logit, "logit")
        errors.same([(part.name, part.head) for part in found.parts], list(expected.values), "names of parts")
        errors.close([part.value for part in found.parts], list(expected.values.values()), "parts")
        errors.close(found.sum, expected.logit, "sum")
        for part in found.parts:
            if part.head is not None:
                errors.close(part.sources, expected.sources[part.name, part.head], f"{part.name} {part.head} sources")
        _compare_neurons(errors, found, expected.neurons)
        return errors

    def _compare(self, errors: Errors, cells: LensCells, target: int, file: LensFile | None) -> None:
        entries = {} if file is None else file.entries
        last = self._acts[cells.points[-1]]
        before: Array | float = 0.0
        for index, point in enumerate(cells.points):
            stream = self._acts[point]
            logits = lens_model.lens_logits(self._exact, stream, *entries.get(point, ()))  # [T, V]
            largest = -np.sort(-logits, axis=1)[:, : cells.top_tokens.shape[2]]
            chosen = np.take_along_axis(logits, cells.top_tokens[index].astype(np.int64), axis=1)
            errors.close(chosen, largest, f"{point}: likeliest tokens")
            errors.close(cells.top_logits[index], largest, f"{point}: logits")
            order = np.lexsort((cells.top_tokens[index], -cells.top_logits[index]), axis=1)
            errors.same(order, np.broadcast_to(np.arange(order.shape[1]), order.shape), f"{point}: order of equals")
            distinct = [len(set(row)) for row in cells.top_tokens[index].tolist()]
            errors.same(distinct, [order.shape[1]] * len(distinct), f"{point}: tokens reported twice")
            errors.close(cells.entropy[index], lens_model.entropy(logits), f"{point}: entropy")
            wanted = logits[:, target]
            if cells.target_logit is not None and cells.target_rank is not None:
                errors.close(cells.target_logit[index], wanted, f"{point}: target")
                slack = PASS * max(1.0, float(np.abs(logits).max()))
                low = (logits > (wanted + slack)[:, None]).sum(axis=1)
                high = (logits > (wanted - slack)[:, None]).sum(axis=1)
                inside = (cells.target_rank[index] >= low) & (cells.target_rank[index] <= high)
                errors.same(inside, np.ones_like(inside), f"{point}: rank")
            length = np.linalg.norm(stream, axis=1)
            errors.close(cells.norm[index], length, f"{point}: norm")
            errors.close(cells.added[index], np.linalg.norm(stream - before, axis=1), f"{point}: added")
            cosine = (stream * last).sum(axis=1) / (length * np.linalg.norm(last, axis=1))
            errors.close(cells.cosine[index], cosine, f"{point}: cosine")
            before = stream


def small_runner(source: ArrayModel, dtype: str, layout: str | None = None, tokens: int = 11) -> LensRunner:
    """A runner of a small model with weights of type `dtype`."""
    options = LoadOptions(context=source.config.positions, weights=dtype, layout=layout, measured=False)
    exact = reference.in_float64(rounded_model(source, dtype))
    return LensRunner(source, exact, some_tokens(source.config, min(tokens, source.config.positions)), options)


def twins(config: ModelConfig) -> ArrayModel:
    """A model in which most tokens have a twin with the same logit, 50 ids higher."""
    model = loud_model(config)
    arrays = {name: model.tensor(name) for name in parameter_shapes(config)}
    table = arrays[describe(config).token_table.name]
    table[50:] = table[: len(table) - 50]
    return ArrayModel(model.name, config, arrays)


def random_lens(points: Sequence[str], channels: int) -> LensFile:
    """A lens file with an entry for each of `points`."""
    random = np.random.default_rng(3)
    entries = {}
    for point in points:
        weight = random.normal(size=(channels, channels)) / sqrt(channels)
        entries[point] = weight.astype(np.float32), random.normal(size=channels).astype(np.float32)
    return LensFile(Path("random.npz"), channels, entries)


def checks(gpu: Gpu) -> Iterator[Check]:
    """Lens, lens files and attribution of a small model in every layout, and with bf16 weights."""
    for number, layout in enumerate(layouts(is_software(gpu.device.adapter))):
        for dtype in ("bf16",) if number else ("f32", "bf16"):
            runner = small_runner(twins(SMALL), dtype, layout)
            shapes = f"{shape_of(SMALL)}, {dtype} weights, {layout}"
            yield runner.lens_errors(target=5, top=20).check("logit lens", shapes, PASS)
            file = random_lens(runner.lens.points[1:], SMALL.channels)
            yield runner.lens_errors(target=5, top=8, file=file).check("lens of a file", shapes, PASS)
            yield runner.attribution_errors(5, 9, 7).check("attribution", shapes, PASS)


def _compare_neurons(errors: Errors, found: LogitParts, expected: dict[str, Array]) -> None:
    flat = np.concatenate(list(expected.values())) if expected else np.zeros(0)
    largest = -np.sort(-np.abs(flat))[: len(found.neurons)]
    errors.close([abs(neuron.value) for neuron in found.neurons], largest, "largest neurons")
    errors.close(
        [neuron.value for neuron in found.neurons],
        [expected[neuron.name][neuron.index] for neuron in found.neurons],
        "neurons",
    )
