"""GPT-2 written by hand in NumPy and float64, which knows neither descriptions nor the reference that reads them.

Shapes: T tokens, C channels, H heads, D = C / H.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt

import numpy as np

Weights = Callable[[str], np.ndarray]  # a parameter by its Hugging Face name without prefix


def numpy_gpt2(weights: Weights, layers: int, heads: int, tokens: Sequence[int], start: int) -> dict[str, np.ndarray]:
    """Every activation of one pass over `tokens`, the first of which is at the absolute position `start`."""

    def w(name: str) -> np.ndarray:
        return weights(name).astype(np.float64)

    acts: dict[str, np.ndarray] = {}
    acts["embed.tokens"] = w("wte")[list(tokens)]  # [T, C]
    acts["embed.positions"] = w("wpe")[start : start + len(tokens)]  # [T, C]
    acts["embed.sum"] = x = acts["embed.tokens"] + acts["embed.positions"]  # [T, C]
    for layer in range(layers):
        h = f"h.{layer}."

        def dense(module: str, x: np.ndarray, h: str = h) -> np.ndarray:
            out: np.ndarray = x @ w(f"{h}{module}.weight").T + w(f"{h}{module}.bias")
            return out

        acts[h + "resid_pre"] = x  # [T, C]
        acts[h + "ln_1"] = a = _layer_norm(x, w(h + "ln_1.weight"), w(h + "ln_1.bias"))  # [T, C]
        acts[h + "attn.qkv"] = qkv = dense("attn.c_attn", a)  # [T, C] -> [T, 3 C]
        acts[h + "attn.out"], acts[h + "attn.pattern"] = _attention(qkv, heads)  # [T, C], [H, T, T]
        acts[h + "attn.c_proj"] = a = dense("attn.c_proj", acts[h + "attn.out"])  # [T, C]
        acts[h + "resid_mid"] = x = x + a  # [T, C]
        acts[h + "ln_2"] = m = _layer_norm(x, w(h + "ln_2.weight"), w(h + "ln_2.bias"))  # [T, C]
        acts[h + "mlp.c_fc"] = m = dense("mlp.c_fc", m)  # [T, C] -> [T, 4 C]
        acts[h + "mlp.gelu"] = m = 0.5 * m * (1 + np.tanh(sqrt(2 / pi) * (m + 0.044715 * m**3)))  # [T, 4 C]
        acts[h + "mlp.c_proj"] = m = dense("mlp.c_proj", m)  # [T, 4 C] -> [T, C]
        acts[h + "resid_post"] = x = x + m  # [T, C]
    acts["ln_f"] = x = _layer_norm(x, w("ln_f.weight"), w("ln_f.bias"))  # [T, C]
    acts["logits"] = w("wte") @ x[-1]  # [V, C] @ [C] -> [V]
    return acts


def _layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centered = x - x.mean(axis=-1, keepdims=True)  # [T, C]
    out: np.ndarray = centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + bias
    return out


def _attention(qkv: np.ndarray, heads: int) -> tuple[np.ndarray, np.ndarray]:
    """Attention of qkv [T, 3 C], head by head and query by query: [T, C], and the weights [H, T, T]."""
    count, size = len(qkv), qkv.shape[1] // 3 // heads
    queries, keys, values = np.split(qkv, 3, axis=1)  # [T, C] each
    out, pattern = np.zeros((count, heads * size)), np.zeros((heads, count, count))
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        for query in range(count):
            past = slice(0, query + 1)
            scores = np.exp(keys[past, own] @ queries[query, own] / sqrt(size))  # [query + 1]
            pattern[head, query, past] = scores / scores.sum()
            out[query, own] = pattern[head, query, past] @ values[past, own]  # [query + 1] @ [query + 1, D] -> [D]
    return out, pattern
