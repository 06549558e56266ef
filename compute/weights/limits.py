"""What a model must be like to run here. Whoever opens, checks or runs a model asks this place."""

from __future__ import annotations

from compute.errors import CheckpointError
from compute.models.config import ModelConfig

VECTOR = 4
"""Elements of the vectors that the kernels work on: rows and heads consist of whole ones."""
MAX_HEAD_SIZE = 256
"""Elements of a head that a workgroup keeps."""


def unsupported_reason(config: ModelConfig) -> str | None:
    """The reason why no program here runs a model of these sizes, None when one does."""
    size = f"head size {config.head_size} (channels / heads)"
    if config.channels % config.heads:
        return f"channels {config.channels} do not divide by heads {config.heads}"
    if config.channels % VECTOR:
        return f"channels {config.channels} are no multiple of {VECTOR}"
    if config.head_size % VECTOR:
        return f"{size} is no multiple of {VECTOR}"
    if config.head_size > MAX_HEAD_SIZE:
        return f"{size} is above {MAX_HEAD_SIZE}"
    return None


def check_sizes(config: ModelConfig, shown: str, said_by: str = "header") -> None:
    """Raise `CheckpointError` for sizes that no model can have, or that cannot run here, before anything else."""
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
            raise CheckpointError(
                f"{shown}: {said_by} says {label} {value}, must be at least 1; fetch or copy it again"
            )
    problem = unsupported_reason(c)
    if problem is None and c.padded_vocabulary < c.vocabulary:
        problem = f"padded vocabulary {c.padded_vocabulary} is below the vocabulary {c.vocabulary}"
    if problem:
        raise CheckpointError(f"{shown}: {said_by} says {problem}; such a model cannot run here, use another file")
