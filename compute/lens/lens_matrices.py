"""The matrices of a lens file on the GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import wgpu

from .lens_file import LensFile

LARGEST_PIECE = 1 << 30  # bytes


@dataclass(frozen=True)
class Piece:
    """The matrices of some points in one buffer: weight float32 [points, C, C], bias float32 [points, C]."""

    points: tuple[str, ...]
    weight: wgpu.GPUBuffer
    bias: wgpu.GPUBuffer


@dataclass(frozen=True, eq=False)
class LensMatrices:
    """A lens file on the GPU, in as few pieces as the binding limit allows."""

    file: LensFile
    pieces: tuple[Piece, ...]

    @classmethod
    def upload(cls, device: wgpu.GPUDevice, file: LensFile) -> LensMatrices:
        """Copy the matrices to the GPU."""
        points, channels = tuple(file.entries), file.channels
        limits = device.limits
        limit = min(limits["max-storage-buffer-binding-size"], limits["max-buffer-size"], LARGEST_PIECE)
        at_once = max(1, limit // (4 * channels * channels))
        pieces = []
        for first in range(0, len(points), at_once):
            part = points[first : first + at_once]
            pieces.append(
                Piece(
                    part,
                    _storage(device, np.stack([file.entries[point][0] for point in part])),
                    _storage(device, np.stack([file.entries[point][1] for point in part])),
                )
            )
        return cls(file, tuple(pieces))

    @staticmethod
    def nothing(device: wgpu.GPUDevice) -> Piece:
        """A piece without matrices."""
        return Piece((), _storage(device, np.zeros(4, np.float32)), _storage(device, np.zeros(4, np.float32)))


def _storage(device: wgpu.GPUDevice, values: np.ndarray) -> wgpu.GPUBuffer:
    return device.create_buffer_with_data(label="lens file", data=values, usage=wgpu.BufferUsage.STORAGE)
