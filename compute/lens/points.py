"""The points of the residual stream that a lens reads."""

from __future__ import annotations

from compute.errors import UsageError
from compute.models.description import Description


def lens_points(description: Description) -> tuple[str, ...]:
    """The embedding and what each block leaves, in order. Every later computation starts from one of them.

    Raises `UsageError` for a model whose head does not read the last of them, with or without a norm between.
    """
    stream = description.stream
    points = [stream[0]]
    for section in description.sections:
        if section.block is not None:
            outputs = {operation.output for operation in section.operations}
            points += [point for point in stream[1:] if point in outputs][-1:]
    norm = description.final_norm
    read = description.canonical(description.head.x if norm is None else norm.x)
    if read != points[-1]:
        raise UsageError(f"{description.architecture}: the head reads {read}, not {points[-1]}, so no lens is defined")
    return tuple(points)
