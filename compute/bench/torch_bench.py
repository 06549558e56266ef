"""Models of the same sizes in PyTorch, for comparison: Hugging Face `generate`, and a hand-written decode loop.

PyTorch and transformers are not dependencies; they are imported on demand.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

from compute.errors import AtlasError
from compute.io.system_errors import first_line
from compute.models.config import ModelConfig

from .measuring import Budget

PRECISIONS = {"fp16": "float16", "fp32": "float32"}
_NEEDED = ("torch", "transformers")
_REPEATS = 5
_TOKENS = 128
_LEAST_TOKENS = 4


def check_importable() -> None:
    """Raise `AtlasError` if PyTorch or transformers is not installed. Imports neither."""
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise _missing(name, "it is not installed")


def compare(config: ModelConfig, context: int, budget: Budget, *, software: bool) -> dict[str, Any]:
    """Decode speed of PyTorch around `context` with random weights, batch 1, greedy, in fp16 and fp32. Blocks.

    software: run on the CPU, as the engine did; otherwise on CUDA or Apple's GPU, if available.
    Returns "version", "transformers", "device", "threads", "context" and "static_kind", and for "fp16" and "fp32" each
    {"generate_tokens_per_second", "static_tokens_per_second", "counts"}. Raises `AtlasError`.
    """
    torch, transformers = (_imported(name) for name in _NEEDED)
    device = _device(torch, software)
    context = min(context, config.positions)
    result: dict[str, Any] = {
        "version": torch.__version__,
        "transformers": transformers.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "context": context,
        "static_kind": "torch.compile and CUDA graphs" if device == "cuda" else "eager",
    }
    for name, attribute in PRECISIONS.items():
        dtype = getattr(torch, attribute)
        generate, generate_counts = _generate(torch, transformers, config, context, device, dtype, budget)
        static, static_counts = _static(torch, config, context, device, dtype, budget)
        result[name] = {
            "generate_tokens_per_second": generate,
            "static_tokens_per_second": static,
            "counts": {"generate": generate_counts, "static": static_counts},
        }
    return result


def ratios(tokens_per_second: float | None, torch: dict[str, Any]) -> dict[str, dict[str, float]]:
    """`tokens_per_second` relative to the results of `compare`: {"fp16": {"generate", "static"}, "fp32": ...}."""
    if tokens_per_second is None:
        return {}
    return {
        name: {kind: tokens_per_second / torch[name][f"{kind}_tokens_per_second"] for kind in ("generate", "static")}
        for name in PRECISIONS
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
    times: list[float] = []
    while not times or (len(times) < _REPEATS and sum(times) < budget.seconds):
        times.append(run(tokens))
    return tokens / statistics.median(times), {"repeats": len(times), "tokens": tokens}


def _generate(
    torch: Any, transformers: Any, config: ModelConfig, context: int, device: str, dtype: Any, budget: Budget
) -> tuple[float, dict[str, int]]:
    """Hugging Face `generate`, greedy and with its cache, timed from the first logits to the end."""
    transformers.logging.set_verbosity_error()
    model_config = transformers.GPT2Config(
        vocab_size=config.padded_vocabulary,
        n_positions=config.positions,
        n_embd=config.channels,
        n_layer=config.layers,
        n_head=config.heads,
        bos_token_id=None,
        eos_token_id=None,  # generation must not stop early
    )
    with torch.device(device):
        model = transformers.GPT2LMHeadModel(model_config).to(dtype).eval()
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
    torch: Any, config: ModelConfig, context: int, device: str, dtype: Any, budget: Budget
) -> tuple[float, dict[str, int]]:
    """One-token passes over a cache of fixed length `context`, the unused part of which is masked; argmax."""
    model = _static_model(torch, config, context).to(device, dtype).eval()
    compiled = torch.compile(model, mode="reduce-overhead", fullgraph=True) if device == "cuda" else model
    positions = torch.arange(context, device=device)

    def run(tokens: int) -> float:
        first = context - tokens
        token = torch.zeros(1, 1, dtype=torch.long, device=device)
        _synchronize(torch, device)
        start = time.perf_counter()
        for position in range(first, context):
            # A copy, because the next run of the graph overwrites its output.
            token = compiled(token, positions[position : position + 1]).clone()
        _synchronize(torch, device)
        return time.perf_counter() - start

    with torch.no_grad():
        return _rate(run, budget, context)


def _static_model(torch: Any, config: ModelConfig, context: int) -> Any:
    """GPT-2 for one token, with a static cache: (token [1, 1], position [1]) -> next token [1, 1]."""
    nn, functional = torch.nn, torch.nn.functional
    c, heads, size = config.channels, config.heads, config.head_size

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # torch is imported at run time and has no types
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(c), nn.LayerNorm(c)
            self.c_attn, self.attn_proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
            self.c_fc, self.mlp_proj = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
            self.register_buffer("keys", torch.zeros(1, heads, context, size))
            self.register_buffer("values", torch.zeros(1, heads, context, size))

        def forward(self, x: Any, position: Any, mask: Any) -> Any:  # x [1, 1, c]
            parts = self.c_attn(self.ln_1(x)).split(c, -1)
            query, key, value = (part.view(1, 1, heads, size).transpose(1, 2) for part in parts)
            self.keys.index_copy_(2, position, key)
            self.values.index_copy_(2, position, value)
            mixed = functional.scaled_dot_product_attention(query, self.keys, self.values, attn_mask=mask)
            x = x + self.attn_proj(mixed.transpose(1, 2).reshape(1, 1, c))
            hidden = functional.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")
            return x + self.mlp_proj(hidden)

    class Decoder(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.wte = nn.Embedding(config.padded_vocabulary, c)
            self.wpe = nn.Embedding(config.positions, c)
            self.blocks = nn.ModuleList([Block() for _ in range(config.layers)])
            self.ln_f = nn.LayerNorm(c)
            self.register_buffer("rows", torch.arange(context))

        def forward(self, token: Any, position: Any) -> Any:
            x = self.wte(token) + self.wpe(position)[None]
            mask = (self.rows <= position)[None, None, None]  # [1, 1, 1, context]
            for block in self.blocks:
                x = block(x, position, mask)
            logits = functional.linear(self.ln_f(x), self.wte.weight)[:, -1]
            return logits.argmax(-1, keepdim=True)

    return Decoder()
