"""Configs as text in recordings."""

from __future__ import annotations

import msgspec
import pytest

from compute.models.architectures import known_shapes
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.models.config_text import architecture_name, architecture_text, parse_config
from compute.selftest.small_models import SMALL_MODELS


@pytest.mark.parametrize("config", [*SMALL_MODELS.values(), *known_shapes().values()], ids=str)
def test_every_config_is_read_as_it_was_written(config: ModelConfig) -> None:
    text = architecture_text(config)
    c = config
    sizes = (c.layers, c.heads, c.channels, c.positions, c.vocabulary, c.padded_vocabulary)
    assert parse_config(text, *sizes) == config
    assert architecture_name(text) == config.architecture
    assert "\n" not in text


def test_gpt_2_is_its_name_alone() -> None:
    assert {architecture_text(config) for config in GPT2_SIZES.values()} == {"gpt2"}


@pytest.mark.parametrize(
    "text",
    [
        "llama {",
        'llama {"layers": 3}',
        'llama {"own_head_size": -4}',
        'llama {"own_neurons": 100000000}',
        'llama {"function": "mish"}',
        'llama {"rope": {"theta": "x"}}',
        'llama {"window_blocks": [1]}',
        'llama {"nobody": 1}',
        "llama {" + "9" * 20000,
        'llama {"rope": ' + "[" * 4900,
        'llama {"epsilon": 1e400}',
        'llama {"logit_cap": -1.0}',
        'llama {"rope": {"theta": 0.0}}',
        'llama {"rope": {"linear": 0.0}}',
        'llama {"rope": {"local_theta": -1.0}}',
        'llama {"rope": {"channels": 1073741824}}',
        'llama {"rope": {"channels": 3}}',
        'llama {"rope": {"factors": [1.0, 0.0]}}',
        'llama {"rope": {"factors": [1.0]}}',
        'llama {"rope": {"llama3": {"factor": 0.0, "low": 1.0, "high": 4.0, "positions": 16}}}',
        'llama {"rope": {"llama3": {"factor": 8.0, "low": 1.0, "high": 1.0, "positions": 16}}}',
    ],
)
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        parse_config(text, 2, 4, 16, 32, 97, 97)
