"""The sizes that a model must have to run here; used by all code that opens, checks or runs one."""

from __future__ import annotations

from compute.errors import CheckpointError
from compute.models.config import ModelConfig

VECTOR = 4
"""Elements of the vectors that the kernels work on; row and head sizes are multiples of it."""
MAX_HEAD_SIZE = 256
"""The most elements of a head that a workgroup can keep."""


def unsupported_reason(config: ModelConfig) -> str | None:
    """The reason why no program can run a model of these sizes, None if one can."""
    size = f"head size {config.head_size}" + ("" if config.own_head_size else " (channels / heads)")
    if not config.own_head_size and config.channels % config.heads:
        return f"channels {config.channels} are not divisible by heads {config.heads}"
    if config.channels % VECTOR:
        return f"channels {config.channels} are not a multiple of {VECTOR}"
    if config.neurons % VECTOR:
        return f"{config.neurons} hidden neurons are not a multiple of {VECTOR}"
    if config.kv_heads > config.heads or config.heads % config.kv_heads:
        return f"heads {config.heads} are not a multiple of key-value heads {config.kv_heads}"
    if config.head_size % VECTOR:
        return f"{size} is not a multiple of {VECTOR}"
    if config.head_size > MAX_HEAD_SIZE:
        return f"{size} is above {MAX_HEAD_SIZE}"
    return None


def check_sizes(config: ModelConfig, shown: str, source: str = "header") -> None:
    """Raise `CheckpointError` for sizes that are impossible or cannot run here. source: named in the message."""
    c = config
    for label, value in (
        ("positions", c.positions),
        ("vocabulary", c.vocabulary),
        ("layers", c.layers),
        ("heads", c.heads),
        ("channels", c.channels),
        ("padded vocabulary", c.padded_vocabulary),
    ):
        if value <= 0:
            raise CheckpointError(f"{shown}: {source} says {label} {value}, must be at least 1; fetch or copy it again")
    problem = unsupported_reason(c)
    if problem is None and c.padded_vocabulary < c.vocabulary:
        problem = f"padded vocabulary {c.padded_vocabulary} is below the vocabulary {c.vocabulary}"
    if problem:
        raise CheckpointError(f"{shown}: {source} says {problem}; such a model cannot run here, use another file")
