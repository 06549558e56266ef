"""The architectures there are, by name, and the description of a model of given sizes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from .config import ModelConfig
from .description import Description
from .gpt2 import gpt2
from .names import split_name

Describe = Callable[[ModelConfig], Description]

_ARCHITECTURES: dict[str, Describe] = {"gpt2": gpt2}


def register(name: str, describe: Describe) -> None:
    """Add an architecture; `ModelConfig.architecture` names it. ValueError when there is one of that name."""
    if name in _ARCHITECTURES:
        raise ValueError(f"there is an architecture {name} already")
    _ARCHITECTURES[name] = describe


@functools.lru_cache(maxsize=16)
def describe(config: ModelConfig) -> Description:
    """The description of a model. KeyError when nobody has registered its architecture."""
    return _ARCHITECTURES[config.architecture](config)


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every parameter by its Hugging Face name without prefix, in the order the model runs; matrices are [out, in]."""
    return {name: weight.shape for name, weight in describe(config).weights.items()}


def block_parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Names (without `h.N.`) and shapes of the parameters of a block."""
    weights = describe(replace(config, layers=1)).sections[1].weights
    return {split_name(weight.name)[1]: weight.shape for weight in weights}


def parameter_count(config: ModelConfig) -> int:
    """Number of parameters, padding rows of the vocabulary left out."""
    description = describe(config)
    padding = config.padded_vocabulary - config.vocabulary
    tables = {
        description.token_table.name: description.token_table,
        description.head.weight.name: description.head.weight,
    }
    padded = sum(padding * table.shape[1] for table in tables.values())
    return sum(weight.count for weight in description.weights.values()) - padded
