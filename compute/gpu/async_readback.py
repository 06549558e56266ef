"""Reading small results back from the GPU without waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import wgpu

from .wgpu_native import ComputeEncoder, Dispatch, Readback, poll

T = TypeVar("T")


class AsyncReadback(Generic[T]):
    """Reads back one result after another: `request` it, then call `take` once per frame. Never blocks."""

    def __init__(self, device: wgpu.GPUDevice, label: str) -> None:
        """label: names the staging buffer in the GPU library's messages."""
        self._device = device
        self._label = label
        self._staging: Readback | None = None  # kept between requests, replaced when one needs more bytes
        self._size = 0  # bytes of the request in flight
        self._decode: Callable[[bytes], T] | None = None

    @property
    def in_flight(self) -> bool:
        """True from a request until its result has been taken."""
        return self._decode is not None

    def request(
        self, source: wgpu.GPUBuffer, size: int, decode: Callable[[bytes], T], dispatches: Sequence[Dispatch] = ()
    ) -> bool:
        """Run `dispatches`, then fetch the first `size` bytes (a multiple of 4) of `source`.

        decode: converts the bytes to the result; called by `take`.
        Returns False and submits nothing while an earlier result is in flight.
        """

        def copy(staging: wgpu.GPUBuffer) -> None:
            encoder = ComputeEncoder(self._device)
            if dispatches:
                encoder.run(dispatches)
            encoder.copy(source, 0, staging, 0, size)
            encoder.submit()

        return self.request_copy(copy, size, decode)

    def request_copy(self, copy: Callable[[wgpu.GPUBuffer], object], size: int, decode: Callable[[bytes], T]) -> bool:
        """Like `request`, for any source: `copy` submits commands that write `size` bytes to the buffer it is given."""
        if self.in_flight:
            return False
        if self._staging is None or self._staging.size < size:
            # Doubled, so that sizes that grow gradually rarely replace it.
            grown = 0 if self._staging is None else 2 * self._staging.size
            self._staging = Readback(self._device, max(size, grown), self._label)
        copy(self._staging.buffer)
        self._staging.request()
        self._size, self._decode = size, decode
        return True

    @property
    def ready(self) -> bool:
        """True when `take` has a result. Raises `DeviceError` when the device was lost before it arrived."""
        if self._staging is None or self._decode is None:
            return False
        poll(self._device)
        return self._staging.ready

    def take(self) -> T | None:
        """Return the result once after it has arrived, otherwise None. Raises `DeviceError` like `ready`."""
        if not self.ready:
            return None
        assert self._staging is not None
        assert self._decode is not None
        data, decode, self._decode = self._staging.read(), self._decode, None
        return decode(data[: self._size])
