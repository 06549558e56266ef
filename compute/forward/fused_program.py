"""One token on a GPU with five dispatches per layer."""

from __future__ import annotations

from compute.gpu.wgpu_native import Dispatch

from .fused_layers import FusedLayers


class FusedProgram(FusedLayers):
    """A pass over one row. Matrices and caches are storage buffers; without subgroups, sums use shared memory."""

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        resid = self._buffer("resid", self._config.channels)
        self._layer_scratch()
        body = self._embed(self._embedding, resid, edits=True)
        for layer, block in enumerate(self._stretches):
            body += self._fused_layer(layer, block, resid)
        return body, self._gpu_head(resid, normed=True)
