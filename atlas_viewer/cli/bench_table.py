"""The result of `bench` as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from atlas_viewer.state import proof
from compute.bench import torch_bench
from compute.bench.figures import changes
from compute.io.escape import one_line

from .shared import rounded


def table(result: dict[str, Any], before: Mapping[str, Any] | None = None) -> str:
    """The result as a human-readable table. before: an earlier result; a table of the differences follows."""
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
        ("  host", f"{_shown(result['frame_host_ms']):>9}  ms of the host while generating"),
        *_map_rows(result["map"], width, height),
        ("memory", f"{_shown(result['peak_host_mb']):>9}  MB of host memory at peak"),
        ("", f"{_shown(result['gpu_mb']):>9}  MB of GPU memory, untraced"),
    ]
    rows += [*torch_rows(result), *llama_rows(result)]
    lines = [f"{name:<14}{text}" for name, text in rows]
    if before is not None:
        lines += ["", *change_lines(before, result)]
    return "\n".join(lines)


def proof_text(proved: dict[str, Any] | None) -> str:
    """The latest self-test result as text; `proved` is as in the JSON."""
    return proof.Proved(**proved).text if proved else proof.NOT_PROVED


def torch_rows(result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The table's rows about PyTorch, if it was measured."""
    torch = result.get("torch")
    if torch is None:
        return
    versions = f"{torch['version']}, transformers {torch['transformers']}"
    yield "PyTorch", f"{versions} on {torch['device']}, greedy, at {torch['context']}; tokens/s:"
    ours = _shown(result["decode_tokens_per_second"])
    for precision in filter(torch.get, torch_bench.PRECISIONS):
        for kind, label in (("generate", "Hugging Face generate"), ("static", f"static cache, {torch['static_kind']}")):
            rate = _shown(torch[precision][f"{kind}_tokens_per_second"])
            ratio = result["ratios"].get(precision, {}).get(kind)
            compared = "" if ratio is None else f"; ours {ours}, {_shown(ratio)} times that"
            yield f"  {precision}", f"{rate:>9}  {label}{compared}"


def llama_rows(result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The table's rows about llama.cpp, if it was measured."""
    llama = result.get("llama")
    if llama is None:
        return
    yield "llama.cpp", f"{llama['version']} on {llama['device']}"
    for kind, what, unit in (("prefill", "tokens", "ms"), ("decode", "tokens of context", "tokens/s")):
        theirs, ratios = llama[kind], llama["ratios"][kind]
        yield f"  {kind}", "".join(f"{n:>9}" for n in theirs) + f"  {what}"
        yield "", "".join(f"{_shown(value):>9}" for value in theirs.values()) + f"  {unit}"
        yield "", "".join(f"{_shown(ratios.get(n)):>9}" for n in theirs) + "  times as fast: ours"


def change_lines(before: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    """Figures of both results side by side, with the change in percent."""
    yield f"before: {one_line(before['model'])}, {one_line(before['weights'])} on {one_line(before['adapter'])}"
    yield f"{'':<50}{'before':>10}{'now':>10}{'change':>9}"
    for change in changes(before, result):
        what = f"{change.group.title}, {change.figure.label}"
        numbers = f"{_shown(change.before):>10}{_shown(change.now):>10}{change.percent:>+8.1f}%"
        yield f"{what:<40}{change.group.unit:>10}{numbers}{f'  {change.verdict}' if change.verdict else ''}"


def changes_json(before: Mapping[str, Any], result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those differences as plain JSON values."""
    return [
        {
            "figure": change.figure.name,
            "unit": change.group.unit,
            "before": change.before,
            "now": change.now,
            "percent": rounded(change.percent),
        }
        for change in changes(before, result)
    ]


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
