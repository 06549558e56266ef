"""The address of a value: a tensor's name and one number per dimension, as a Python value and as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compute.errors import UsageError
from compute.io.escape import one_line

_TEXT = re.compile(r"\s*(?P<name>[\w.]+)\s*(?:\[(?P<index>[\d\s,]*)\])?\s*")


@dataclass(frozen=True)
class TensorIndex:
    """One value of a tensor, a run of values, or the whole tensor.

    index: (row, column) of a matrix, (column,) of a vector, (head, query, key) of an attention pattern; empty for the
    whole tensor. It does not change when the context grows.
    count: the number of consecutive values in row-major order, starting at `index`.
    """

    name: str
    index: tuple[int, ...] = ()
    count: int = 1

    def __str__(self) -> str:
        """`name[row, column]` or `name`, which `parse_tensor_index` reads; a run also shows its length."""
        text = f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name
        return text if self.count == 1 else f"{text}, {self.count} values"

    @property
    def first(self) -> TensorIndex:
        """The first value of a run."""
        return TensorIndex(self.name, self.index)


def parse_tensor_index(text: str, shapes: Mapping[str, tuple[int, ...]]) -> TensorIndex:
    """The value or tensor that `text` names.

    shapes: the shape of every tensor, by name. Raises `UsageError` when there is no such tensor or value.
    """
    shown = one_line(text)
    match = _TEXT.fullmatch(text)
    if match is None:
        raise UsageError(f"{shown}: not a tensor index; write a tensor's name and an index, such as wte[12, 3]")
    name = match["name"]
    if name not in shapes:
        close = [known for known in shapes if name in known][:3]
        hint = f"; there are {', '.join(close)}" if close else ""
        raise UsageError(f"{shown}: no tensor has this name{hint}")
    if match["index"] is None:
        return TensorIndex(name)
    shape = shapes[name]
    size = " x ".join(map(str, shape))
    try:
        index = tuple(int(part) for part in match["index"].split(","))
    except ValueError:
        raise UsageError(f"{shown}: not an index; {name} is {size}") from None
    if not is_inside(index, shape):
        raise UsageError(f"{shown}: there is no such value; {name} is {size}")
    return TensorIndex(name, index)


def is_inside(index: Sequence[int], shape: Sequence[int]) -> bool:
    """True when a tensor of this shape has a value at `index`."""
    return len(index) == len(shape) and all(0 <= part < size for part, size in zip(index, shape, strict=True))


def multi_index(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The index of value number `flat` in row-major order. A number past the end gives an index outside the shape."""
    parts: list[int] = []
    for size in reversed(shape[1:]):
        flat, part = divmod(flat, size)
        parts.append(part)
    return (flat, *reversed(parts))


def flat_index(index: Sequence[int], shape: Sequence[int]) -> int:
    """The number of the value at `index` in row-major order."""
    flat = 0
    for part, size in zip(index, shape, strict=True):
        flat = flat * size + part
    return flat
