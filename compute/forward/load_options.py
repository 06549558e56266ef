"""How a model is loaded: everything that can be chosen besides the model itself."""

from __future__ import annotations

from dataclasses import dataclass

from compute.weights.checkpoint import WeightSource


@dataclass(frozen=True)
class LoadOptions:
    """Options of `Engine.load` and of everything that loads an engine."""

    context: int | None = None  # tokens that the engine can hold; None: the model's positions
    weights: str = "native"  # type of the weights on the GPU: "native" (as in the file), "f32", "f16" or "bf16"
    adapter: str | None = None  # text that the adapter's name contains; None: the first adapter
    program: str = "auto"  # "chain", "fused" or "rows"; "auto": the fastest that computes correctly on the adapter
    layout: str | None = None  # of matrices: "texture" or "buffer"; None: what is fastest on the adapter
    trace: bool = True  # keep every activation
    # Without it loading is faster, but the engine cannot predict how long a pass takes: only `Generation.step` works.
    measured: bool = True

    def context_for(self, source: WeightSource) -> int:
        """The context in tokens, which for a short model may be too long: see `Engine.load`."""
        return source.config.positions if self.context is None else self.context

    def dtype_for(self, source: WeightSource) -> str:
        """The type of the matrices on the GPU: "f32", "f16" or "bf16"."""
        return source.dtype if self.weights == "native" else self.weights
