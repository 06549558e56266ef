"""Which tiles of a picture of Map are painted: all of them, or those that a new pass can change."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import wgpu

from compute.gpu.kernels import Kernel, Resource
from compute.gpu.wgpu_native import Dispatch

from .map_axes import Axes
from .map_placement import Placement

TILE = 8  # width and height in pixels
_MOST = 1 << 15  # workgroups of a dispatch in one direction


class TilePainter:
    """The dispatches of wgsl/map/paint.wgsl for pictures of one size."""

    def __init__(
        self, device: wgpu.GPUDevice, kernel: Kernel, bound: dict[str, Resource], size: tuple[int, int]
    ) -> None:
        """bound: everything that the kernel needs besides its tiles; size: width and height in pixels."""
        self._device, self._kernel, self._bound = device, kernel, bound
        self._shape = -(-size[1] // TILE), -(-size[0] // TILE)
        self.all = self._dispatch(np.ones(self._shape, bool))

    def of(self, tensors: Iterable[Placement], axes: Axes, block: int) -> Dispatch | None:
        """The tiles that show a part of the tensors in a view; None if there are none. block: as given to `axes`."""
        boxes = np.array([(t.x, t.y, t.x + t.width, t.y + t.height) for t in tensors], np.int64).reshape(-1, 4)
        pixels = axes.block_pixels(boxes, block)
        first, end = pixels[:, :2] // TILE, -(-pixels[:, 2:] // TILE)
        shown = np.zeros(self._shape, bool)
        for (left, top), (right, bottom) in zip(first.tolist(), end.tolist(), strict=True):
            shown[top:bottom, left:right] = True
        return self._dispatch(shown) if shown.any() else None

    def _dispatch(self, shown: np.ndarray) -> Dispatch:
        """Paints the tiles that are True in bool [rows of tiles, columns of tiles]."""
        rows, columns = np.nonzero(shown)
        words = (rows << 16 | columns).astype(np.uint32)
        tiles = self._device.create_buffer_with_data(label="map tiles", data=words, usage=wgpu.BufferUsage.STORAGE)
        across = min(len(words), _MOST)
        return self._kernel.dispatch((across, -(-len(words) // across), 1), {**self._bound, "tiles": tiles})
