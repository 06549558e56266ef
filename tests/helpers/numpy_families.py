"""Models with rotary positions written by hand in NumPy and float64, which know neither descriptions nor the reference.

From the weights as Hugging Face files name them, and the values of `config.json`. T tokens, H heads, K key-value heads,
D channels of a head.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]
Config = Mapping[str, Any]


def logits(weights: Weights, config: Config, tokens: Sequence[int]) -> np.ndarray:
    """Logits after every token, [T, V]."""
    w = {name: values.astype(np.float64) for name, values in weights.items()}
    if config["model_type"] == "gpt_neox":
        return _gpt_neox(w, config, tokens)
    gemma = config["model_type"].startswith("gemma")
    table = w["model.embed_tokens.weight"]
    x = table[list(tokens)] * (math.sqrt(config["hidden_size"]) if gemma else 1)
    plus = 1 if gemma else 0
    for layer in range(config["num_hidden_layers"]):
        h = f"model.layers.{layer}."

        def norm(x: np.ndarray, name: str, h: str = h) -> np.ndarray:
            return _rms(x, w[f"{h}{name}.weight"] + plus, config["rms_norm_eps"])

        a = _attention(w, config, layer, norm(x, "input_layernorm"))
        x = x + (norm(a, "post_attention_layernorm") if gemma else a)
        m = norm(x, "pre_feedforward_layernorm" if gemma else "post_attention_layernorm")
        gate, up = _dense(w, h + "mlp.gate_proj", m), _dense(w, h + "mlp.up_proj", m)
        m = _dense(w, h + "mlp.down_proj", (_gelu_tanh(gate) if gemma else gate / (1 + np.exp(-gate))) * up)
        x = x + (norm(m, "post_feedforward_layernorm") if gemma else m)
    x = _rms(x, w["model.norm.weight"] + plus, config["rms_norm_eps"])
    out = x @ w.get("lm_head.weight", table).T
    cap = config.get("final_logit_softcapping")
    return cap * np.tanh(out / cap) if cap else out


def _attention(w: Weights, config: Config, layer: int, x: np.ndarray) -> np.ndarray:
    h, size = f"model.layers.{layer}.self_attn.", config["head_dim"]
    heads, kv_heads, count = config["num_attention_heads"], config["num_key_value_heads"], len(x)
    q = _dense(w, h + "q_proj", x).reshape(count, heads, size)
    k = _dense(w, h + "k_proj", x).reshape(count, kv_heads, size)
    v = _dense(w, h + "v_proj", x).reshape(count, kv_heads, size)
    if h + "q_norm.weight" in w:
        plus = 1 if config["model_type"] == "gemma3_text" else 0
        q = _rms(q, w[h + "q_norm.weight"] + plus, config["rms_norm_eps"])
        k = _rms(k, w[h + "k_norm.weight"] + plus, config["rms_norm_eps"])
    kinds = config.get("layer_types")
    local = kinds[layer] == "sliding_attention" if kinds else bool(config.get("sliding_window"))
    frequencies = _frequencies(config, size, local=local)
    q, k = (_rotated(part, frequencies) for part in (q, k))
    out = np.zeros((count, heads, size))
    for head in range(heads):
        shared = head // (heads // kv_heads)
        for t in range(count):
            first = max(0, t + 1 - config["sliding_window"]) if local else 0
            scale = config.get("query_pre_attn_scalar", size) ** -0.5
            scores = np.array([q[t, head] @ k[s, shared] * scale for s in range(first, t + 1)])
            cap = config.get("attn_logit_softcapping")
            scores = cap * np.tanh(scores / cap) if cap else scores
            p = np.exp(scores - scores.max())
            out[t, head] = (p / p.sum()) @ v[first : t + 1, shared]
    return _dense(w, h + "o_proj", out.reshape(count, heads * size))


def _frequencies(config: Config, size: int, *, local: bool) -> list[float]:
    own = local and "rope_local_base_freq" in config
    theta = config["rope_local_base_freq"] if own else config["rope_theta"]
    scaling = None if own else config.get("rope_scaling")
    found = []
    for i in range(size // 2):
        f = theta ** (-2 * i / size)
        if scaling and scaling["rope_type"] == "linear":
            f /= scaling["factor"]
        elif scaling:
            low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
            old, wavelength = scaling["original_max_position_embeddings"], 2 * math.pi / f
            if wavelength > old / low:
                f /= scaling["factor"]
            elif wavelength >= old / high:
                smooth = (old / wavelength - low) / (high - low)
                f = (1 - smooth) * f / scaling["factor"] + smooth * f
        found.append(f)
    return found


def _gpt_neox(w: Weights, config: Config, tokens: Sequence[int]) -> np.ndarray:
    heads, channels, count = config["num_attention_heads"], config["hidden_size"], len(tokens)
    size, eps = channels // heads, config["layer_norm_eps"]
    turned = int(size * config["rotary_pct"])
    frequencies = [config["rotary_emb_base"] ** (-2 * i / turned) for i in range(turned // 2)]
    x = w["gpt_neox.embed_in.weight"][list(tokens)]
    for layer in range(config["num_hidden_layers"]):
        h = f"gpt_neox.layers.{layer}."
        qkv = _dense(w, h + "attention.query_key_value", _layer_norm(w, h + "input_layernorm", x, eps))
        q, k, v = np.split(qkv.reshape(count, heads, 3 * size), 3, axis=2)
        q, k = (
            np.concatenate([_rotated(part[..., :turned], frequencies), part[..., turned:]], axis=2) for part in (q, k)
        )
        out = np.zeros((count, heads, size))
        for head in range(heads):
            for t in range(count):
                scores = k[: t + 1, head] @ q[t, head] / math.sqrt(size)
                p = np.exp(scores - scores.max())
                out[t, head] = (p / p.sum()) @ v[: t + 1, head]
        a = _dense(w, h + "attention.dense", out.reshape(count, channels))
        read = x if config["use_parallel_residual"] else x + a
        m = _dense(w, h + "mlp.dense_h_to_4h", _layer_norm(w, h + "post_attention_layernorm", read, eps))
        m = m * 0.5 * (1 + np.vectorize(math.erf)(m / math.sqrt(2)))
        x = x + a + _dense(w, h + "mlp.dense_4h_to_h", m)
    logits: np.ndarray = _layer_norm(w, "gpt_neox.final_layer_norm", x, eps) @ w["embed_out.weight"].T
    return logits


def _dense(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    out: np.ndarray = x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", np.zeros(1))
    return out


def _rms(x: np.ndarray, scale: np.ndarray, eps: float) -> np.ndarray:
    out: np.ndarray = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * scale
    return out


def _layer_norm(w: Weights, name: str, x: np.ndarray, eps: float) -> np.ndarray:
    centered = x - x.mean(-1, keepdims=True)
    out: np.ndarray = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + eps) * w[f"{name}.weight"]
    return out + w[f"{name}.bias"]


def _rotated(x: np.ndarray, frequencies: Sequence[float]) -> np.ndarray:
    """x [T, heads, 2 * frequencies]: row t turned by t times the frequencies, as complex numbers."""
    half = len(frequencies)
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * np.outer(np.arange(len(x)), frequencies))[:, None]
    return np.concatenate([turned.real, turned.imag], axis=-1)


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    out: np.ndarray = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return out
