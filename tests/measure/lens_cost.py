"""Measures logit lens and attribution: GPU time by timestamps, and the whole time until the result has arrived.

Usage: `PYTHONPATH=tests python -m measure.lens_cost [MODEL] [WEIGHTS]`, by default random:gpt2 with f16 weights.

A GPU that was idle runs at a low clock: each figure is the median of the last third of many rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.generate.generator import Generation
from compute.gpu.wgpu_native import ComputeEncoder, Dispatch, Timer, poll
from compute.lens.attribution_pass import AttributionPass
from compute.lens.lens_pass import LensPass
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

SECONDS = 3.0  # per figure


def settled(measure: Callable[[], float]) -> float:
    """The median of the last third of rounds over SECONDS."""
    found, end = [measure()], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        found.append(measure())
    return statistics.median(found[-max(1, len(found) // 3) :])


def gpu_us(engine: Engine, dispatches: Sequence[Dispatch]) -> float:
    """GPU time of dispatches, in microseconds."""
    timer = Timer(engine.device)

    def once() -> float:
        encoder = ComputeEncoder(engine.device)
        encoder.run(dispatches, timer)
        encoder.resolve(timer)
        encoder.submit()
        return 1e6 * timer.seconds()

    return settled(once)


def wall_ms(work: Callable[[], object]) -> float:
    """Elapsed time of a blocking call, in milliseconds."""

    def once() -> float:
        start = time.perf_counter()
        work()
        return 1e3 * (time.perf_counter() - start)

    return settled(once)


def live(engine: Engine, lens: LensPass, top: int) -> None:
    """Print the speed of decoding while the lens follows: every new position is read. top: 0 for no lens."""
    tokenizer, rows = load_tokenizer(), 0
    options = GenerateOptions(max_new_tokens=240, context=engine.context, top=0)
    generation = Generation(engine, tokenizer, "Once upon a time, there was a", options)
    read, positions, began = 0, 0, time.perf_counter()
    while not generation.done or (top and positions < rows):
        generation.advance(0.016)
        rows = engine.registry.rows if generation.pass_complete else rows
        arrived = lens.take() if top else None
        positions += len(arrived.positions) if arrived is not None else 0
        if top and read == positions < rows and generation.pass_complete:
            read = min(rows, read + 64)
            assert lens.request(range(positions, read), 11, top)
    speed = len(generation.steps) / (time.perf_counter() - began)
    print(f"decoding {'with the lens of every position' if top else 'alone'}: {speed:.0f} tok/s")


def main() -> int:
    """Print one line per figure."""
    model, weights = [*sys.argv[1:], *("random:gpt2", "f16")[len(sys.argv) - 1 :]][:2]
    source = open_model(model)
    engine = Engine.load(source, LoadOptions(context=min(512, source.config.positions), weights=weights))
    rows = min(256, engine.context)
    random = np.random.default_rng(0)
    WholePass(engine).run([int(token) for token in random.integers(engine.config.vocabulary, size=rows)])
    lens, attribution = LensPass(engine), AttributionPass(engine)

    def newest() -> None:
        lens.newest(11, 5)
        poll(engine.device, wait=True)
        lens.take()

    print(f"{engine.adapter_name}, {engine.model_name} {engine.dtype}, {rows} positions")
    print(f"lens of the newest position: {wall_ms(newest):.3f} ms")
    print(f"lens of all positions, top 5: {wall_ms(lambda: lens.all(11, 5)):.2f} ms")
    print(f"lens of all positions, top 100: {wall_ms(lambda: lens.all(11, 100)):.2f} ms")
    print(f"attribution: {wall_ms(lambda: attribution.now(11, 12)):.3f} ms")
    if "timestamp-query" in engine.device.features:
        for chunk in lens._chunks.values():
            chunk.aim(0, 11, 5)
            steps = [(one.label, round(gpu_us(engine, [one]), 1)) for one in chunk.dispatches()]
            print(f"GPU time of {chunk.positions} positions: {gpu_us(engine, chunk.dispatches()):.1f} us, {steps}")
        print(f"GPU time of an attribution: {gpu_us(engine, attribution._dispatches):.1f} us and its sources")
    live(engine, lens, 1)
    live(engine, lens, 1)
    live(engine, lens, 0)
    print(f"largest error of a logit: {lens.logits_error():.2g}; {attribution.now(11, 12).checks()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
