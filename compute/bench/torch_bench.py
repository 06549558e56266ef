"""The speed of models of the same sizes in PyTorch: Hugging Face `generate`, and a decode loop over a static cache.

PyTorch and transformers are not dependencies; they are imported on demand.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from compute.errors import AtlasError
from compute.io.system_errors import first_line
from compute.models.config import ModelConfig

from . import torch_models
from .measuring import Budget

PRECISIONS = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
KINDS = ("generate", "static")
_NEEDED = ("torch", "transformers")
_REPEATS = 5
_TOKENS = 128
_LEAST_TOKENS = 4
_EAGER, _GRAPHS, _NO_GRAPHS = "eager", "torch.compile and CUDA graphs", "torch.compile without CUDA graphs"


def check_importable() -> None:
    """Raise `AtlasError` if PyTorch or transformers is not installed. Imports neither."""
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise _missing(name, "it is not installed")


def compare(config: ModelConfig, weights: str, context: int, budget: Budget, *, software: bool) -> dict[str, Any]:
    """Decode speed of PyTorch around `context` with random weights, batch 1, greedy, in fp16 and fp32. Blocks.

    weights: type of the engine's; bf16 is measured too if it is "bf16".
    software: run on the CPU, as the engine did; otherwise on CUDA or Apple's GPU, if available.
    Returns "version", "transformers", "device", "threads", "context" and "static_kind", and for each precision
    {"generate_tokens_per_second", "static_tokens_per_second", "counts"}. Raises `AtlasError`.
    """
    torch, transformers = (_imported(name) for name in _NEEDED)
    device = _device(torch, software)
    context = min(context, config.positions)
    transformers.logging.set_verbosity_error()
    result: dict[str, Any] = {
        "version": torch.__version__,
        "transformers": transformers.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "context": context,
        "static_kind": _EAGER,
    }
    for name, attribute in PRECISIONS.items():
        if name == "bf16" and weights != "bf16":
            continue
        try:
            result[name] = _measured(torch, transformers, config, context, device, getattr(torch, attribute), budget)
        except AtlasError:
            raise
        except Exception as error:  # PyTorch and its compiler can raise anything
            raise AtlasError(
                f"--compare torch: {name} cannot be measured ({first_line(error)}); use another version of"
                f" {' or '.join(_NEEDED)}, or a smaller model"
            ) from error
    if device == "cuda":
        result["static_kind"] = _GRAPHS if _all_graphs() else _NO_GRAPHS
    return result


def ratios(tokens_per_second: float | None, torch: dict[str, Any]) -> dict[str, dict[str, float]]:
    """`tokens_per_second` relative to the results of `compare`: {"fp16": {"generate", "static"}, "fp32": ...}."""
    if tokens_per_second is None:
        return {}
    return {
        name: {kind: tokens_per_second / torch[name][f"{kind}_tokens_per_second"] for kind in KINDS}
        for name in PRECISIONS
        if name in torch
    }


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a broken installation can raise anything
        raise _missing(name, first_line(error)) from error


def _missing(name: str, reason: str) -> AtlasError:
    return AtlasError(f"--compare torch: {name} cannot be imported ({reason}); pip install {' '.join(_NEEDED)}")


def _device(torch: Any, software: bool) -> str:
    if not software and torch.cuda.is_available():
        return "cuda"
    if not software and torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def _synchronize(torch: Any, device: str) -> None:
    if device != "cpu":
        getattr(torch, device).synchronize()


def _rate(run: Callable[[int], float], budget: Budget, limit: int) -> tuple[float, dict[str, int]]:
    """Median tokens per second of `run(tokens) -> seconds` after a warm-up, with the numbers of repeats and tokens."""
    limit = max(1, limit)
    tokens = min(_LEAST_TOKENS, limit)
    run(tokens)  # compiles
    began, seconds = time.perf_counter(), run(tokens)
    while time.perf_counter() - began < budget.warm_up:
        seconds = run(tokens)
    tokens = max(tokens, min(_TOKENS, limit, int(budget.seconds / _REPEATS * tokens / seconds)))
    run(tokens)  # what more tokens need is compiled, too
    times: list[float] = []
    while not times or (len(times) < _REPEATS and sum(times) < budget.seconds):
        times.append(run(tokens))
    return tokens / statistics.median(times), {"repeats": len(times), "tokens": tokens}


def _measured(
    torch: Any, transformers: Any, config: ModelConfig, context: int, device: str, dtype: Any, budget: Budget
) -> dict[str, Any]:
    """Both figures of one precision, with the counts behind them."""
    model = torch_models.transformers_model(torch, transformers, config, device, dtype)
    with torch.no_grad():
        generate, generate_counts = _generate(torch, transformers, model, config, context, device, budget)

        def compiled(function: Any) -> Any:
            return torch.compile(function, mode="reduce-overhead", fullgraph=True) if device == "cuda" else function

        decoder: torch_models.Decoder
        if config.architecture == "gpt2":
            del model  # its memory
            decoder = torch_models.HandWrittenGpt2(torch, config, context, device, dtype, compiled)
        else:
            decoder = torch_models.StaticDecoder(torch, transformers, model, context, compiled)
        static, static_counts = _static(torch, decoder, context, device, budget)
    return {
        "generate_tokens_per_second": generate,
        "static_tokens_per_second": static,
        "counts": {"generate": generate_counts, "static": static_counts},
    }


def _generate(
    torch: Any, transformers: Any, model: Any, config: ModelConfig, context: int, device: str, budget: Budget
) -> tuple[float, dict[str, int]]:
    """Hugging Face `generate`, greedy and with its cache, timed from the first logits to the end."""
    started: list[float] = []

    def first_logits(_tokens: Any, scores: Any) -> Any:
        if not started:
            _synchronize(torch, device)
            started.append(time.perf_counter())
        return scores

    def run(tokens: int) -> float:
        first = max(1, min(context - tokens // 2, config.positions - tokens - 1))
        prompt = torch.zeros((1, first), dtype=torch.long, device=device)
        started.clear()
        text = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=tokens + 1,
            do_sample=False,
            use_cache=True,
            pad_token_id=0,
            logits_processor=transformers.LogitsProcessorList([first_logits]),
        )
        _synchronize(torch, device)
        if text.shape[1] != first + tokens + 1:
            raise AtlasError("--compare torch: `generate` stopped early; use another version of transformers")
        return time.perf_counter() - started[0]

    return _rate(run, budget, config.positions - 2)


def _static(
    torch: Any, decoder: torch_models.Decoder, context: int, device: str, budget: Budget
) -> tuple[float, dict[str, int]]:
    """One-token passes of `decoder`, whose cache has `context` tokens, up to its end; no token is fetched."""
    positions = torch.arange(context, device=device)

    def run(tokens: int) -> float:
        first = context - tokens
        decoder.begin(first)
        token = torch.zeros(1, 1, dtype=torch.long, device=device)
        _synchronize(torch, device)
        start = time.perf_counter()
        for position in range(first, context):
            # A copy, because the next run of the graph overwrites its output.
            token = decoder.step(token, positions[position : position + 1]).clone()
        _synchronize(torch, device)
        return time.perf_counter() - start

    return _rate(run, budget, context - 1)


def _all_graphs() -> bool:
    """False if PyTorch ran something that it compiled for CUDA graphs without one."""
    counters = sys.modules["torch._dynamo.utils"].counters  # loaded with the compiler
    return not counters["inductor"]["cudagraph_skips"]
