"""What a model must be like to run here. Whoever opens, checks or runs a model asks this place."""

from __future__ import annotations

from compute.models.config import ModelConfig

VECTOR = 4
"""Elements of the vectors that the kernels work on: rows and heads consist of whole ones."""
MAX_HEAD_SIZE = 256
"""Elements of a head that a workgroup keeps."""


def why_it_cannot_run(config: ModelConfig) -> str | None:
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
