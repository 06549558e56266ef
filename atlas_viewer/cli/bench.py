"""`bench`: measures the speed of prefill, decode, strip, map and frames on this adapter."""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from dataclasses import replace
from typing import Any

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.media.svg import svg
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import proof
from atlas_viewer.state.state import State
from compute.bench import engine_bench, llama_bench, torch_bench
from compute.bench.figures import read_result
from compute.bench.measuring import Budget, Figure
from compute.forward.engine import Engine
from compute.generate.generator import Generation
from compute.gpu.device import is_software
from compute.gpu.wgpu_native import poll
from compute.io.output_files import write_output
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import WeightSource, model_files, model_path, open_model
from compute.weights.model_tokenizer import tokenizer_of

from . import bench_map
from .bench_table import changes_json, table
from .bench_window import LiveWindow, check, settle
from .output_paths import check_target
from .parser import DEFAULT_PROMPT
from .shared import load_options, model_spec, rounded

_SHOWN_TOKENS = 16  # length of the run that the frames show
_FRAMES = 60
_TRACED_CONTEXT = 384  # context of the traced engine: the main context plus half a run


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the result and draw it. Raises `AtlasError`s."""
    # Everything that can fail at once does so before minutes are spent.
    before = None if arguments.before is None else read_result(arguments.before)
    if arguments.out is not None:
        reads = [*model_files(model_spec(arguments)), *([arguments.before] if arguments.before else [])]
        check_target(arguments.out, reads, ".svg")
    if arguments.compare == "torch":
        torch_bench.check_importable()
    elif arguments.compare == "llama":
        llama_bench.check_possible(model_path(model_spec(arguments)))
    result = measure(arguments)
    if before is not None:
        result["changes"] = changes_json(before, result)
    print(json.dumps(result, allow_nan=False) if arguments.json else table(result, before))
    if arguments.out is not None:
        from atlas_viewer.export.bench_picture import bench_picture

        write_output(arguments.out, svg(bench_picture(result, before)))
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The object that `--json` prints; None stands for numbers that could not be measured."""
    budget = engine_bench.QUICK if arguments.quick else Budget()
    source = open_model(model_spec(arguments))
    try:
        tokenizer = tokenizer_of(source)
        tokenizer.check_fits(source.config.vocabulary)
        context = source.config.usual_context if arguments.context is None else arguments.context
        _report_progress("loading the model")
        engine = Engine.load(source, replace(load_options(arguments, context), trace=False))
        result = _plain(engine, tokenizer, budget)
        software = is_software(engine.device.adapter)
        del engine
        gc.collect()  # before the next engine allocates its memory
        result |= _traced(source, tokenizer, budget, arguments, context, result["counts"])
    finally:
        source.close()
    result["peak_host_mb"] = rounded(engine_bench.peak_host_mb())  # before PyTorch is loaded
    gc.collect()
    if arguments.compare == "torch":
        _report_progress("PyTorch")
        main = min(engine_bench.MAIN_SIZE, context)
        result["torch"] = torch_bench.compare(source.config, result["weights"], main, budget, software=software)
        result["ratios"] = torch_bench.ratios(result["decode_tokens_per_second"], result["torch"])
    elif arguments.compare == "llama":
        _report_progress("llama.cpp")
        result["llama"] = _llama(arguments, result, software=software)
    return result


def _llama(arguments: argparse.Namespace, result: dict[str, Any], *, software: bool) -> dict[str, Any]:
    """The figures of llama.cpp for what this adapter has measured, and the ratios."""
    path = model_path(model_spec(arguments))
    assert path is not None  # checked before
    prefill = [int(n) for n, ms in result["prefill"].items() if ms is not None]
    decode = {int(n): result["counts"]["decode"][n] for n, rate in result["decode"].items() if rate is not None}
    llama = llama_bench.compare(path, prefill, decode, quick=arguments.quick, software=software)
    ratios = llama_bench.ratios(result["prefill"], result["decode"], llama)
    for figures in (llama["prefill"], llama["decode"], ratios["prefill"], ratios["decode"]):
        figures.update({n: rounded(value) for n, value in figures.items()})
    return llama | {"ratios": ratios}


def _plain(engine: Engine, tokenizer: Tokenizer, budget: Budget) -> dict[str, Any]:
    """The figures measured without tracing."""
    load_host_mb = engine_bench.peak_host_mb()
    main = min(engine_bench.MAIN_SIZE, engine.context)
    engine_bench.warm_up(engine, budget)
    proved = proof.known(engine.device.adapter)
    _report_progress("prefill")
    prefill = {
        n: engine_bench.prefill_ms(engine, n, budget)
        for n in engine_bench.sizes(engine_bench.PREFILL_SIZES, engine.context)
    }
    _report_progress("decode")
    gpu, host = engine_bench.gpu_us(engine, main), engine_bench.host_us(engine, main)
    contexts = engine_bench.sizes(engine_bench.DECODE_CONTEXTS, engine.context)
    decode = {n: engine_bench.decode_rate(engine, tokenizer, n, budget) for n in contexts}
    return {
        "adapter": engine.adapter_name,
        "proved": proved.as_json() if proved else None,
        "model": engine.model_name,
        "weights": engine.dtype,
        "path": engine.path,
        "layout": engine.layout,
        "context": engine.context,
        "prefill_tokens": main,
        "prefill_ms": rounded(prefill[main].value),
        "prefill": {str(n): rounded(figure.value) for n, figure in prefill.items()},
        "decode_tokens_per_second": rounded(decode[main].value),
        "decode": {str(n): rounded(figure.value) for n, figure in decode.items()},
        "decode_gpu_us_per_token": rounded(gpu.value),
        "decode_host_us_per_token": rounded(host.value),
        "load_host_mb": rounded(load_host_mb),
        "gpu_mb": rounded(engine.gpu_bytes / 1e6),
        "counts": {
            "prefill": {str(n): figure.counts for n, figure in prefill.items()},
            "decode": {str(n): figure.counts for n, figure in decode.items()},
            "decode_gpu": gpu.counts,
            "decode_host": host.counts,
        },
    }


def _traced(
    source: WeightSource,
    tokenizer: Tokenizer,
    budget: Budget,
    arguments: argparse.Namespace,
    context: int,
    counts: dict[str, Any],
) -> dict[str, Any]:
    """The figures measured while keeping every activation, as in the window. Adds to `counts`."""
    _report_progress("atlas")
    context = min(context, _TRACED_CONTEXT)
    endless = engine_bench.endless(tokenizer)  # no run ends before reaching its full length
    workbench = ModelRunner.load(source, endless, load_options(arguments, context))
    shown = workbench.start(DEFAULT_PROMPT, GenerateOptions(max_new_tokens=_SHOWN_TOKENS, context=context))
    engine = shown.engine
    engine_bench.warm_up(engine, budget)
    decode = engine_bench.decode_rate(engine, tokenizer, engine_bench.MAIN_SIZE, budget, workbench.paint)
    atlas = engine_bench.atlas_us(engine, workbench.paint, budget)
    _report_progress("statistics")
    measured = engine_bench.statistics_us(engine, budget)
    _report_progress("frame")
    shown = workbench.start(shown.prompt, shown.options)
    shown.run()
    frame = frame_ms(workbench, shown, arguments.size, budget)
    host = frame_host_ms(workbench, shown, arguments.size, budget)
    _report_progress("map")
    maps, map_counts = bench_map.measure(workbench, shown, arguments.size, budget)
    counts |= {
        "decode_with_atlas": decode.counts,
        "atlas": atlas.counts,
        "statistics": measured.counts,
        "frame": frame.counts,
        "frame_host": host.counts,
        "map": map_counts,
    }
    return {
        "decode_with_atlas_tokens_per_second": rounded(decode.value),
        "atlas_us": rounded(atlas.value),
        "statistics_us": rounded(measured.value),
        "frame_ms": rounded(frame.value),
        "frame_host_ms": rounded(host.value),
        "frame_size": list(arguments.size),
        "map": maps,
    }


def frame_ms(workbench: ModelRunner, shown: Generation, size: tuple[int, int], budget: Budget) -> Figure:
    """Milliseconds per frame while the camera moves, drawing scene and panels at `size` until the GPU is done. Blocks.

    The window's own code draws offscreen. The figure does not include reading the picture back to the host.
    """
    canvas = open_picture(size)
    state = State(shown.prompt, shown.options, live=False)
    viewer = Viewer(canvas, shown.engine.device, state, None)
    viewer.show(workbench, shown, shown.prompt)
    times: list[float] = []

    def timed() -> None:
        start = time.perf_counter()
        viewer.frame()
        poll(shown.engine.device, wait=True)
        times.append(time.perf_counter() - start)

    def frame() -> None:
        # The camera moves, because an unchanged view is not redrawn.
        state.camera.look_at(2.0, 320 + len(times), 180)
        canvas.draw()

    canvas.request_draw(timed)
    settle(viewer, frame)
    times.clear()
    while not times or (len(times) < _FRAMES and sum(times) < budget.seconds):
        frame()
        check(viewer)
    canvas.close()
    return Figure(1e3 * statistics.median(times), len(times), 1)


def frame_host_ms(workbench: ModelRunner, shown: Generation, size: tuple[int, int], budget: Budget) -> Figure:
    """Milliseconds that the host spends per frame while a run generates, 60 times per second. Blocks.

    shown: a generation that has ended. The window shows its default panels, and no frame waits for the GPU.
    """
    window = LiveWindow(workbench, shown, size)
    live = window.measure(budget, paced=True)
    window.close()
    return Figure(1e3 * statistics.median(live.host), live.frames, 1)


def _report_progress(what: str) -> None:
    """Show what is being measured, if standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"bench: {what} ...", file=sys.stderr)
