"""Every architecture in NumPy and float64, with which kernels and sampler are compared. Short and plain, not fast.

`forward` interprets a description, with a function per kind of operation. Shapes: T tokens of the context, C channels,
H heads and K key-value heads of D channels, R rows of a table, V padded vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import erf, pi, sqrt

import numpy as np
import numpy.typing as npt

from compute.edits.resolved import ResolvedEdit
from compute.models.architectures import describe, parameter_shapes
from compute.models.operations import (
    Activation,
    Add,
    Alias,
    Attention,
    Gated,
    Gather,
    Head,
    Heads,
    LayerNorm,
    Linear,
    Operation,
    RmsNorm,
    Rope,
    Scale,
    Weight,
)
from compute.weights.checkpoint import ArrayModel, WeightSource

from .reference_edits import attention_hooks, edited_logits, edited_rows, edited_weight

Array = npt.NDArray[np.float64]

EPSILON = 1e-5


def in_float64(source: WeightSource) -> ArrayModel:
    """A copy of `source` in float64, so that several calls of `forward` convert it only once."""
    arrays = {}
    for name in parameter_shapes(source.config):
        arrays[name] = source.tensor(name).astype(np.float64)
        source.release(name)
    return ArrayModel(source.name, source.config, arrays)


def gather(table: Array, rows: Sequence[int]) -> Array:
    """The given rows of table [R, C]; [T, C]."""
    return table[list(rows)]  # [R, C] at [T] -> [T, C]


def add(*terms: Array) -> Array:
    """The sum of terms of one shape, added from the first to the last."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def layer_norm(x: Array, scale: Array, shift: Array | None = None, epsilon: float = EPSILON) -> Array:
    """Every row of x [T, C] normalized to mean 0 and variance 1, then times scale [C] plus shift [C]."""
    mean = x.mean(axis=-1, keepdims=True)  # [T, 1]
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)  # [T, 1]
    out: Array = (x - mean) / np.sqrt(variance + epsilon) * scale  # [T, C]
    return out if shift is None else out + shift


def rms_norm(x: Array, scale: Array, epsilon: float, offset: float = 0.0) -> Array:
    """Groups of S columns of x [T, C] over their root mean square, times scale [S] plus offset."""
    groups = x.reshape(len(x), -1, len(scale))  # [T, C / S, S]
    root = np.sqrt((groups**2).mean(axis=-1, keepdims=True) + epsilon)  # [T, C / S, 1]
    out: Array = (groups / root * (scale + offset)).reshape(x.shape)
    return out


def by_head(x: Array, heads: Heads) -> Array:
    """The columns of x [T, columns] that belong to heads, [T, H, D]."""
    firsts = [heads.column(head) for head in range(heads.heads)]
    return np.stack([x[:, first : first + heads.size] for first in firsts], axis=1)


def rope(x: Array, frequencies: Sequence[float], positions: Sequence[int], *, interleaved: bool = False) -> Array:
    """x [T, H, D] with the first channels of each head rotated in pairs by position times frequency; [T, H, D]."""
    pairs = len(frequencies)
    angles = np.outer(positions, frequencies)[:, None]  # [T, 1, pairs]
    first = slice(0, 2 * pairs, 2) if interleaved else slice(0, pairs)
    second = slice(1, 2 * pairs, 2) if interleaved else slice(pairs, 2 * pairs)
    out = x.copy()
    out[..., first] = x[..., first] * np.cos(angles) - x[..., second] * np.sin(angles)
    out[..., second] = x[..., second] * np.cos(angles) + x[..., first] * np.sin(angles)
    return out


def soft_cap(x: Array, cap: float) -> Array:
    """cap * tanh(x / cap); x itself for a cap of 0."""
    return cap * np.tanh(x / cap) if cap else x


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Multiply x [T, in] by the transpose of weight [out, in], plus bias [out]; [T, out]."""
    out: Array = x @ weight.T  # [T, in] @ [in, out] -> [T, out]
    return out if bias is None else out + bias


def same(x: Array) -> Array:
    """`x` itself: what attention does with scores and pattern when nothing edits them."""
    return x


def attention(
    q: Array,
    k: Array,
    v: Array,
    edit_scores: Callable[[Array], Array] = same,
    edit_pattern: Callable[[Array], Array] = same,
    *,
    scale: float = 0.0,
    cap: float = 0.0,
    window: int = 0,
) -> tuple[Array, Array]:
    """Causal attention of q [T, H, D], k and v [T, K, D]: (out [T, H D], pattern [H, query, key]).

    Rows of the pattern add up to 1. Groups of H / K query heads share a key and a value head. scale: of scores, 0 for
    1 / sqrt(D); window: keys that a query sees, 0 for all. edit_scores, edit_pattern: called with [H, T, T] before the
    softmax and after it; the mask follows both. Rows without a key that has a score are 0.
    """
    tokens, heads, size = q.shape
    q, k, v = (np.repeat(x, heads // x.shape[1], axis=1).transpose(1, 0, 2) for x in (q, k, v))  # [H, T, D]
    scores = q @ k.transpose(0, 2, 1) * (scale or 1 / sqrt(size))  # [H, T, D] @ [H, D, T] -> [H, T, T]
    scores = edit_scores(soft_cap(scores, cap))
    hidden = np.triu(np.ones((tokens, tokens), bool), 1)  # [T, T], true where the key comes after the query
    if window:
        hidden |= np.tri(tokens, k=-window, dtype=bool)
    scores = np.where(hidden, -np.inf, scores)  # [H, T, T]
    left = scores.max(axis=-1, keepdims=True) > -np.inf  # [H, T, 1]
    pattern = edit_pattern(np.where(left, softmax(np.where(left, scores, 0)), 0))  # [H, T, T]
    pattern = np.where(hidden, 0, pattern)  # [H, T, T], no edit makes a query see hidden keys
    out = (pattern @ v).transpose(1, 0, 2)  # [H, T, T] @ [H, T, D] -> [T, H, D]
    return out.reshape(tokens, heads * size), pattern  # [T, H D], [H, T, T]


def attention_of(
    operation: Attention, acts: Mapping[str, Array], edit_scores: Callable[[Array], Array] = same,
    edit_pattern: Callable[[Array], Array] = same,
) -> tuple[Array, Array]:  # fmt: skip
    """`attention` as the operation says, of the activations `acts`."""
    q, k, v = (by_head(acts[heads.source], heads) for _, heads in operation.parts)
    values = {"scale": operation.scale, "cap": operation.cap}
    return attention(q, k, v, edit_scores, edit_pattern, window=operation.window, **values)


def gelu(x: Array) -> Array:
    """GELU in the tanh form that GPT-2 was trained with, elementwise."""
    out: Array = 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))
    return out


def relu(x: Array) -> Array:
    """The larger of x and 0, elementwise; NaN stays NaN."""
    out: Array = np.maximum(x, 0)
    return out


def gelu_exact(x: Array) -> Array:
    """GELU with the error function, elementwise."""
    out: Array = 0.5 * x * (1 + np.vectorize(erf, otypes=[np.float64])(x / sqrt(2)))
    return out


def silu(x: Array) -> Array:
    """SiLU: x times its logistic function, elementwise."""
    out: Array = x / (1 + np.exp(-x))
    return out


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "gelu": gelu, "gelu_exact": gelu_exact, "silu": silu, "relu": relu
}  # fmt: skip


def head(x: Array, matrix: Array, bias: Array | None = None) -> Array:
    """Logits of a row x [C]: its product with matrix [V, C], plus bias [V]; [V]."""
    logits: Array = matrix @ x  # [V, C] @ [C] -> [V]
    return logits if bias is None else logits + bias


def softmax(x: Array) -> Array:
    """Exponentials of x over their sum, along the last axis; -inf gives 0."""
    e: Array = np.exp(x - x.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def forward(
    source: WeightSource,
    tokens: Sequence[int],
    positions_start: int = 0,
    edits: Sequence[ResolvedEdit] = (),
    text_start: int = 0,
) -> dict[str, Array]:
    """Every activation of one pass over `tokens` at absolute positions from `positions_start`, by its registry name.

    Patterns are [H, query, key], the logits [V] of the last token, everything else [T, columns]. With T tokens,
    `positions_start` + T is at most the model's positions. text_start: index of the first token in the text, from which
    `edits` count positions.
    """

    def value(weight: Weight) -> Array:
        return edited_weight(edits, weight.name, source.tensor(weight.name).astype(np.float64, copy=False))

    def optional(weight: Weight | None) -> Array | None:
        return None if weight is None else value(weight)

    positions = range(positions_start, positions_start + len(tokens))
    acts: dict[str, Array] = {}
    for operation in describe(source.config).operations():
        name = operation.output
        match operation:
            case Alias():
                acts[name] = acts[operation.source]
                continue
            case Gather():
                out = gather(value(operation.table), tokens if operation.by == "token" else positions)
            case Rope(x=heads):
                turned = rope(
                    by_head(acts[heads.source], heads), operation.frequencies, positions,
                    interleaved=operation.interleaved,
                )  # fmt: skip
                out = turned.reshape(len(tokens), operation.columns)
            case Head(x=x):  # before Linear, which it is as well
                logits = head(acts[x][-1], value(operation.weight), optional(operation.bias))
                logits = soft_cap(logits, operation.cap)
                acts[name] = edited_logits(edits, name, logits, text_start + len(tokens) - 1)
                continue
            case Linear(x=x):
                out = linear(acts[x], value(operation.weight), optional(operation.bias))
            case LayerNorm(x=x):
                out = layer_norm(acts[x], value(operation.scale), optional(operation.shift), operation.epsilon)
            case RmsNorm(x=x):
                out = rms_norm(acts[x], value(operation.scale), operation.epsilon, operation.offset)
            case Attention():
                hooks = attention_hooks(edits, operation.pattern, text_start)
                out, acts[operation.pattern] = attention_of(operation, acts, *hooks)
            case _:
                out = elementwise(operation, acts)
        acts[name] = edited_rows(edits, name, out, text_start)
    return acts


def elementwise(operation: Operation, acts: Mapping[str, Array]) -> Array:
    """The result of an operation whose values depend on the same element of its inputs alone."""
    match operation:
        case Add():
            return add(*(acts[term] for term in operation.terms))
        case Scale(x=x):
            return acts[x] * operation.factor
        case Activation(x=x):
            return ACTIVATIONS[operation.function](acts[x])
        case Gated(x=x):
            return ACTIVATIONS[operation.function](acts[x]) * acts[operation.up]
    raise ValueError(f"{operation.output}: the reference does not know the operation {operation.kind}")


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
