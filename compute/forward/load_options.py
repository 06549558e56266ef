"""How to load a model: everything that can be chosen besides the model itself."""

from __future__ import annotations

from dataclasses import dataclass

from compute.weights.checkpoint import WeightSource


@dataclass(frozen=True)
class LoadOptions:
    """Options of `Engine.load` and of everything else that loads an engine."""

    context: int | None = None  # the longest context, in tokens; None: the model's positions
    weights: str = "native"  # type of the weights on the GPU: "native" (as in the file), "f32", "f16" or "bf16"
    adapter: str | None = None  # text that the adapter's name contains; None: the first adapter
    program: str = "auto"  # "chain", "fused" or "rows"; "auto": the fastest that is correct on the adapter
    layout: str | None = None  # of matrices: "texture" or "buffer"; None: what is fastest on the adapter
    trace: bool = True  # keep every activation
    # Measure the speed of the programs. Without it loading is faster, but the engine cannot predict how long a pass
    # takes, so that only `Generation.step` works.
    measured: bool = True

    def context_for(self, source: WeightSource) -> int:
        """The longest context, in tokens, not yet checked against the model."""
        return source.config.positions if self.context is None else self.context

    def dtype_for(self, source: WeightSource) -> str:
        """The type of the matrices on the GPU: "f32", "f16" or "bf16"."""
        return source.dtype if self.weights == "native" else self.weights
