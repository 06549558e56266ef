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
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import proof
from atlas_viewer.state.state import State
from compute.bench import engine_bench, torch_bench
from compute.bench.measuring import Budget, Figure
from compute.forward.engine import Engine
from compute.generate.generator import Generation
from compute.gpu.device import is_software
from compute.gpu.wgpu_native import poll
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import WeightSource, open_model
from compute.weights.model_tokenizer import tokenizer_of

from . import bench_map
from .parser import DEFAULT_PROMPT
from .shared import load_options, model_spec, rounded

_SHOWN_TOKENS = 16  # length of the run that the frames show
_FRAMES = 60
_SETTLING = 5  # frames until tables and panels have reached their final sizes
_TRACED_CONTEXT = 384  # context of the traced engine: the main context plus half a run


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the result. Raises `AtlasError`s."""
    if arguments.compare:
        torch_bench.check_importable()  # before minutes are spent on the rest
    result = measure(arguments)
    print(json.dumps(result, allow_nan=False) if arguments.json else table(result))
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
    if arguments.compare:
        _report_progress("PyTorch")
        main = min(engine_bench.MAIN_SIZE, context)
        result["torch"] = torch_bench.compare(source.config, main, budget, software=software)
        result["ratios"] = torch_bench.ratios(result["decode_tokens_per_second"], result["torch"])
    return result


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
    _report_progress("map")
    maps, map_counts = bench_map.measure(workbench, engine, shown.prompt, arguments.size, budget)
    counts |= {
        "decode_with_atlas": decode.counts,
        "atlas": atlas.counts,
        "statistics": measured.counts,
        "frame": frame.counts,
        "map": map_counts,
    }
    return {
        "decode_with_atlas_tokens_per_second": rounded(decode.value),
        "atlas_us": rounded(atlas.value),
        "statistics_us": rounded(measured.value),
        "frame_ms": rounded(frame.value),
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

    canvas.request_draw(timed)
    while len(times) <= _SETTLING or (len(times) < _SETTLING + _FRAMES and sum(times[_SETTLING:]) < budget.seconds):
        # The camera moves, because an unchanged view is not redrawn.
        state.camera.look_at(2.0, 320 + len(times), 180)
        canvas.draw()
        if viewer.failure is not None:
            raise viewer.failure
    canvas.close()
    kept = times[_SETTLING:]
    return Figure(1e3 * statistics.median(kept), len(kept), 1)


def table(result: dict[str, Any]) -> str:
    """The result as a human-readable table."""
    main, (width, height) = result["prefill_tokens"], result["frame_size"]
    rows = [
        ("adapter", result["adapter"]),
        ("self-test", proof_text(result["proved"])),
        ("model", f"{result['model']}, {result['weights']} as {result['layout']}, program {result['path']}"),
        ("prefill", "".join(f"{n:>9}" for n in result["prefill"]) + "  tokens"),
        ("", "".join(f"{_shown(ms):>9}" for ms in result["prefill"].values()) + "  ms"),
        ("decode", "".join(f"{n:>9}" for n in result["decode"]) + "  tokens of context"),
        ("", "".join(f"{_shown(rate):>9}" for rate in result["decode"].values()) + "  tokens/s"),
        ("  GPU", f"{_shown(result['decode_gpu_us_per_token']):>9}  us per token at {main}"),
        ("  host", f"{_shown(result['decode_host_us_per_token']):>9}  us per token"),
        ("  atlas live", f"{_shown(result['decode_with_atlas_tokens_per_second']):>9}  tokens/s at {main}, traced"),
        ("atlas", f"{_shown(result['atlas_us']):>9}  us"),
        ("statistics", f"{_shown(result['statistics_us']):>9}  us for a new row of every tensor"),
        ("frame", f"{_shown(result['frame_ms']):>9}  ms at {width} x {height}"),
        *_map_rows(result["map"], width, height),
        ("memory", f"{_shown(result['peak_host_mb']):>9}  MB of host memory at peak"),
        ("", f"{_shown(result['gpu_mb']):>9}  MB of GPU memory, untraced"),
    ]
    if torch := result.get("torch"):
        rows.append(("PyTorch", f"{torch['version']} on {torch['device']}, greedy, context {torch['context']}"))
        for precision in torch_bench.PRECISIONS:
            for kind, label in (("generate", "Hugging Face generate"), ("static", torch["static_kind"])):
                rate = torch[precision][f"{kind}_tokens_per_second"]
                ratio = result["ratios"].get(precision, {}).get(kind)
                rows.append((f"  {precision}", f"{_shown(rate):>9}  tokens/s {label}; ours {_shown(ratio)} times that"))
    return "\n".join(f"{name:<14}{text}" for name, text in rows)


def proof_text(proved: dict[str, Any] | None) -> str:
    """The latest self-test result as text; `proved` is as in the JSON."""
    return proof.Proved(**proved).text if proved else proof.NOT_PROVED


def _map_rows(maps: dict[str, Any], width: int, height: int) -> list[tuple[str, str]]:
    """The table's rows about the map."""
    return [
        ("map", "".join(f"{name:>9}" for name in maps["gpu_us"]) + f"  at {width} x {height}"),
        ("  GPU", "".join(f"{_shown(us):>9}" for us in maps["gpu_us"].values()) + "  us"),
        ("  new row", f"{_shown(maps['row_us']):>9}  us, one of {maps['window']} rows"),
        (
            "  opening",
            f"{_shown(maps['open_ms']):>9}{_shown(maps['weights_ms']):>9}  ms the first time, then on reopening",
        ),
        ("  live", f"{_shown(maps['live_frames_per_second']):>9}  frames/s with"),
        ("", f"{_shown(maps['live_tokens_per_second']):>9}  tokens/s"),
        ("  memory", f"{_shown(maps['mb']):>9}  MB of GPU memory"),
    ]


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _report_progress(what: str) -> None:
    """Show what is being measured, if standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"bench: {what} ...", file=sys.stderr)
