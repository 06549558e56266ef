"""How to load a model: everything that can be chosen besides the model itself."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

from compute.errors import UsageError, option
from compute.io.escape import one_line
from compute.weights.block_types import BLOCK_TYPES
from compute.weights.checkpoint import WeightSource
from compute.weights.dtypes import DTYPES
from compute.weights.weight_types import NATIVE, weight_types

_CHOICES = {
    "weights": (NATIVE, *DTYPES, *BLOCK_TYPES),
    "program": ("auto", "chain", "fused", "rows"),
    "layout": (None, "texture", "buffer"),
}


@dataclass(frozen=True)
class LoadOptions:
    """How to load a model.

    context: the longest context, in tokens; None: the model's positions, at most 1024.
    weights: type of the weights on the GPU: "native" (as in the file), "f32", "f16" or "bf16"; or a quantized type, for
    a file whose weights are mostly of that type, which stay as they are.
    adapter: text that the adapter's name contains; None: the first adapter.
    program: "chain", "fused" or "rows"; "auto": the fastest that is correct on the adapter.
    layout: of matrices, "texture" or "buffer"; None: what is fastest on the adapter.
    trace: keep every activation. Without it a run has no arrays but the logits.
    measured: measure the speed of the programs. Without it loading is faster, but the engine cannot predict how
    long a pass takes, which the window needs.

    Raises `UsageError` for a value that is none of these.
    """

    context: int | None = None
    weights: str = "native"
    adapter: str | None = None
    program: str = "auto"
    layout: str | None = None
    trace: bool = True
    measured: bool = True

    def __post_init__(self) -> None:
        context: object = self.context
        if context is not None and (isinstance(context, bool) or not isinstance(context, numbers.Integral)):
            raise UsageError(f"{option('context', self.context)}: must be an integer")
        if self.adapter is not None and not isinstance(self.adapter, str):
            raise UsageError(f"{option('adapter', self.adapter)}: must be text that the adapter's name contains")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                known = ", ".join(choice for choice in choices if choice is not None)
                raise UsageError(f"{option(name, one_line(str(value)))}: must be one of {known}")

    def context_for(self, source: WeightSource) -> int:
        """The longest context, in tokens, not yet checked against the model."""
        return source.config.usual_context if self.context is None else self.context

    def dtype_for(self, source: WeightSource) -> str:
        """The type of most matrices on the GPU. Raises `UsageError` for a quantized type that is not the file's."""
        if self.weights in BLOCK_TYPES and self.weights != source.dtype:
            raise UsageError(
                f"{option('weights', self.weights)}: {one_line(source.name)} has {source.dtype} weights, and nothing is"
                f" quantized here; use {NATIVE}"
            )
        return source.dtype if self.weights == NATIVE else self.weights

    def types_for(self, source: WeightSource) -> dict[str, str]:
        """The type of each parameter by name, see `weight_types`."""
        return weight_types(source, NATIVE if self.dtype_for(source) in BLOCK_TYPES else self.weights)
