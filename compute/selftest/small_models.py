"""Small models of every architecture with rotary positions: odd shapes, and every option that the architecture has."""

from __future__ import annotations

from dataclasses import replace

from compute.models.config import Llama3Scaling, ModelConfig, RopeConfig

_SIZES = ModelConfig(layers=2, heads=6, channels=40, positions=40, vocabulary=97, padded_vocabulary=100)

SMALL_MODELS: dict[str, ModelConfig] = {
    "llama": replace(
        _SIZES,
        architecture="llama",
        own_head_size=12,
        own_kv_heads=2,
        own_neurons=92,
        epsilon=1e-6,
        function="silu",
        tied=False,
        attention_bias=True,
        mlp_bias=True,
        rope=RopeConfig(theta=10000.0, llama3=Llama3Scaling(8.0, 1.0, 4.0, 16)),
        window=17,
    ),
    "qwen2": replace(
        _SIZES,
        architecture="qwen2",
        own_head_size=20,
        own_kv_heads=3,
        own_neurons=100,
        epsilon=1e-6,
        function="silu",
        rope=RopeConfig(theta=1e6, linear=2.0),
        window=9,
        window_blocks=(False, True),
    ),
    "qwen3": replace(
        _SIZES,
        architecture="qwen3",
        own_head_size=16,
        own_kv_heads=2,
        own_neurons=92,
        epsilon=1e-6,
        function="silu",
        tied=False,
        rope=RopeConfig(theta=1e6),
    ),
    "gpt_neox": replace(
        _SIZES,
        architecture="gpt_neox",
        channels=48,
        heads=3,
        own_neurons=92,
        function="gelu_exact",
        tied=False,
        attention_bias=True,
        parallel=True,
        rope=RopeConfig(channels=4),
    ),
    "gpt_neox, one after the other": replace(
        _SIZES,
        architecture="gpt_neox",
        channels=48,
        heads=3,
        own_neurons=92,
        function="gelu_exact",
        tied=False,
        attention_bias=True,
        rope=RopeConfig(channels=4),
    ),
    "gemma2": replace(
        _SIZES,
        architecture="gemma2",
        own_head_size=12,
        own_kv_heads=3,
        own_neurons=92,
        epsilon=1e-6,
        rope=RopeConfig(),
        window=9,
        window_blocks=(True, False),
        attention_scale=0.31,
        attention_cap=3.0,
        logit_cap=5.0,
    ),
    "gemma3": replace(
        _SIZES,
        architecture="gemma3",
        own_head_size=20,
        own_kv_heads=1,
        own_neurons=92,
        epsilon=1e-6,
        attention_bias=True,
        rope=RopeConfig(theta=1e6, local_theta=1e4, linear=8.0),
        window=9,
        window_blocks=(True, False),
    ),
}
