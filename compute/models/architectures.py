"""The registered architectures, by name, and the description of a model of given sizes."""

from __future__ import annotations

import functools
from dataclasses import replace

from .architecture import Architecture
from .config import ModelConfig
from .description import Description
from .gemma2 import GEMMA2
from .gemma3 import GEMMA3
from .gpt2 import GPT2
from .gpt_neox import GPT_NEOX
from .llama import LLAMA
from .names import split_name
from .qwen2 import QWEN2
from .qwen3 import QWEN3

_ARCHITECTURES: dict[str, Architecture] = {}


def register(architecture: Architecture) -> None:
    """Add an architecture. ValueError when there is one of that name, or for one of its model types."""
    for known in _ARCHITECTURES.values():
        if architecture.name == known.name or set(architecture.model_types) & set(known.model_types):
            raise ValueError(f"{architecture.name}: there is an architecture of that name or model type already")
    _ARCHITECTURES[architecture.name] = architecture


register(GPT2)
register(LLAMA)
register(QWEN2)
register(QWEN3)
register(GEMMA2)
register(GEMMA3)
register(GPT_NEOX)


def architectures() -> tuple[Architecture, ...]:
    """All registered architectures, in the order of their registration."""
    return tuple(_ARCHITECTURES.values())


def known_shapes() -> dict[str, ModelConfig]:
    """Sizes of known models by name, in the order of the registration of their architectures."""
    return {name: config for known in _ARCHITECTURES.values() for name, config in known.shapes.items()}


def architecture_of(config: ModelConfig) -> Architecture:
    """The architecture of a model. KeyError when nobody has registered it."""
    return _ARCHITECTURES[config.architecture]


@functools.lru_cache(maxsize=16)
def describe(config: ModelConfig) -> Description:
    """The description of a model. KeyError when nobody has registered its architecture."""
    return architecture_of(config).describe(config)


def one_block(config: ModelConfig) -> Description:
    """The description of the model cut to one block. Of sizes from a damaged file it is small, unlike that of all."""
    return describe(replace(config, layers=1))


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every parameter by its Hugging Face name without prefix, in the order the model runs; matrices are [out, in]."""
    return {name: weight.shape for name, weight in describe(config).weights.items()}


def block_parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Names (without `h.N.`) and shapes of the parameters of a block."""
    weights = one_block(config).sections[1].weights
    return {split_name(weight.name)[1]: weight.shape for weight in weights}


@functools.lru_cache(maxsize=16)
def parameter_count(config: ModelConfig) -> int:
    """Number of parameters, padding rows of the vocabulary left out."""
    description = describe(config)
    padding = config.padded_vocabulary - config.vocabulary
    padded = sum(padding * description.weights[name].shape[1] for name in description.token_tables)
    return sum(weight.count for weight in description.weights.values()) - padded
