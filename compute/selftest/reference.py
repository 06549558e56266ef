"""GPT-2 in NumPy and float64, with which the kernels and the sampler are compared. Short and plain, not fast.

Shapes: T tokens of the context, C channels, H heads, D = C / H, P positions, V padded vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import pi, sqrt

import numpy as np
import numpy.typing as npt

from compute.models.architectures import parameter_shapes
from compute.weights.checkpoint import ArrayModel, WeightSource

Array = npt.NDArray[np.float64]

EPSILON = 1e-5


def in_float64(source: WeightSource) -> ArrayModel:
    """A copy of `source` in float64, so that several calls of `forward` convert it only once."""
    arrays = {}
    for name in parameter_shapes(source.config):
        arrays[name] = source.tensor(name).astype(np.float64)
        source.release(name)
    return ArrayModel(source.name, source.config, arrays)


def embed(wte: Array, wpe: Array, tokens: Sequence[int], start: int) -> tuple[Array, Array, Array]:
    """Rows of wte [V, C] for the tokens, rows of wpe [P, C] for positions from `start`, and their sum; each [T, C]."""
    of_tokens = wte[list(tokens)]  # [V, C] at [T] -> [T, C]
    of_positions = wpe[start : start + len(tokens)]  # [P, C] -> [T, C]
    return of_tokens, of_positions, of_tokens + of_positions


def layer_norm(x: Array, weight: Array, bias: Array, eps: float = EPSILON) -> Array:
    """Every row of x [T, C] normalized to mean 0 and variance 1, then times weight [C] plus bias [C]."""
    mean = x.mean(axis=-1, keepdims=True)  # [T, 1]
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)  # [T, 1]
    out: Array = (x - mean) / np.sqrt(variance + eps) * weight + bias  # [T, C]
    return out


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiply x [T, in] by the transpose of weight [out, in], plus bias [out]; [T, out]."""
    out: Array = x @ weight.T  # [T, in] @ [in, out] -> [T, out]
    return out if bias is None else out + bias


def attention(qkv: Array, heads: int) -> tuple[Array, Array]:
    """Causal attention of qkv [T, 3 C]: (out [T, C], pattern [H, query, key]); rows of the pattern add up to 1."""
    tokens, size = qkv.shape[0], qkv.shape[1] // 3 // heads
    q, k, v = qkv.reshape(tokens, 3, heads, size).transpose(1, 2, 0, 3)  # [T, 3 C] -> 3 of [H, T, D]
    scores = q @ k.transpose(0, 2, 1) / sqrt(size)  # [H, T, D] @ [H, D, T] -> [H, T, T]
    later = np.triu(np.ones((tokens, tokens), bool), 1)  # [T, T], true where the key comes after the query
    pattern = softmax(np.where(later, -np.inf, scores))  # [H, T, T]
    out = (pattern @ v).transpose(1, 0, 2)  # [H, T, T] @ [H, T, D] -> [T, H, D]
    return out.reshape(tokens, heads * size), pattern  # [T, C], [H, T, T]


def gelu(x: Array) -> Array:
    """GELU in the tanh form that GPT-2 was trained with, elementwise."""
    out: Array = 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))
    return out


def head(x: Array, wte: Array) -> Array:
    """Logits of a row x [C] against the token embeddings wte [V, C]; [V]."""
    logits: Array = wte @ x  # [V, C] @ [C] -> [V]
    return logits


def softmax(x: Array) -> Array:
    """Exponentials of x over their sum, along the last axis; -inf gives 0."""
    e: Array = np.exp(x - x.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def forward(source: WeightSource, tokens: Sequence[int], positions_start: int = 0) -> dict[str, Array]:
    """Every activation of one pass over `tokens` at absolute positions from `positions_start`, by its registry name.

    `h.N.attn.pattern` is [H, query, key], `logits` [V] of the last token, everything else [T, channels]. With T tokens,
    `positions_start` + T is at most the model's positions.
    """

    def w(name: str) -> Array:
        return source.tensor(name).astype(np.float64, copy=False)

    acts: dict[str, Array] = {}
    wte = w("wte")  # [V, C]
    acts["embed.tokens"], acts["embed.positions"], x = embed(wte, w("wpe"), tokens, positions_start)  # [T, C] each
    acts["embed.sum"] = x  # [T, C]
    for layer in range(source.config.layers):
        h = f"h.{layer}."

        def dense(name: str, x: Array, h: str = h) -> Array:
            return linear(x, w(f"{h}{name}.weight"), w(f"{h}{name}.bias"))

        acts[h + "resid_pre"] = x  # [T, C]
        acts[h + "ln_1"] = a = layer_norm(x, w(h + "ln_1.weight"), w(h + "ln_1.bias"))  # [T, C]
        acts[h + "attn.qkv"] = qkv = dense("attn.c_attn", a)  # [T, C] -> [T, 3 C]
        a, acts[h + "attn.pattern"] = attention(qkv, source.config.heads)  # [T, 3 C] -> [T, C], [H, T, T]
        acts[h + "attn.out"] = a  # [T, C]
        acts[h + "attn.c_proj"] = a = dense("attn.c_proj", a)  # [T, C]
        acts[h + "resid_mid"] = x = x + a  # [T, C]
        acts[h + "ln_2"] = m = layer_norm(x, w(h + "ln_2.weight"), w(h + "ln_2.bias"))  # [T, C]
        acts[h + "mlp.c_fc"] = m = dense("mlp.c_fc", m)  # [T, C] -> [T, 4 C]
        acts[h + "mlp.gelu"] = m = gelu(m)  # [T, 4 C]
        acts[h + "mlp.c_proj"] = m = dense("mlp.c_proj", m)  # [T, 4 C] -> [T, C]
        acts[h + "resid_post"] = x = x + m  # [T, C]
    acts["ln_f"] = x = layer_norm(x, w("ln_f.weight"), w("ln_f.bias"))  # [T, C]
    acts["logits"] = head(x[-1], wte)  # [C] -> [V]
    return acts


def penalized(logits: npt.ArrayLike, penalty: float, seen: Collection[int]) -> Array:
    """`logits` [V] with those of the tokens in `seen` reduced: divided by `penalty` above 0, multiplied below."""
    x = np.array(logits, np.float64)  # [V]
    at = np.array(sorted(set(seen)), int)  # [seen]
    x[at] = np.where(x[at] > 0, x[at] / penalty, x[at] * penalty)
    return x


def distribution(
    logits: npt.ArrayLike,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    seen: Collection[int] = (),
) -> Array:
    """The distribution of the next token: probabilities [vocabulary] from `logits` [vocabulary] (no padding rows).

    Repetition penalty on the tokens of `seen`, then temperature, top-k, top-p and min-p, each over the tokens that the
    previous one kept. At temperature 0 the largest logit has probability 1. Among equals the lowest id comes first. NaN
    and infinite logits are never drawn; without a finite logit every probability is 0.
    """
    x = penalized(logits, repetition_penalty, seen)  # [V]
    kept = np.isfinite(x)  # [V]
    if not kept.any():
        return np.zeros_like(x)
    x[~kept] = -np.inf
    order = np.argsort(-x, kind="stable")  # [V], most likely first, then by id
    if temperature == 0:
        one: Array = (np.arange(x.size) == order[0]).astype(np.float64)
        return one
    # Subtract the maximum first: logits divided by a tiny temperature could overflow.
    x = (x - x[order[0]]) / temperature
    if top_k:
        kept[order[top_k:]] = False
    p = _renormalized(x, kept)
    if top_p < 1:
        before = np.cumsum(p[order]) - p[order]  # [V], mass of the tokens that are more likely
        kept[order[1:][before[1:] >= top_p]] = False
        p = _renormalized(x, kept)
    kept &= p >= min_p * p.max()
    return _renormalized(x, kept)


def _renormalized(x: Array, kept: npt.NDArray[np.bool_]) -> Array:
    return softmax(np.where(kept, x, -np.inf))
