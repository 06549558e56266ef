"""Results of the GPU without waiting: sizes, order, a request while another is in flight, a lost device."""

from __future__ import annotations

import time

import numpy as np
import pytest
import wgpu

from compute.errors import DeviceError
from compute.gpu import async_readback
from compute.gpu.async_readback import AsyncReadback
from compute.gpu.wgpu_native import poll

from helpers.gpu import Gpu
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu


def floats(data: bytes) -> np.ndarray:
    """float32 [bytes / 4]"""
    return np.frombuffer(data, np.float32)


def arrived(readback: AsyncReadback[np.ndarray]) -> np.ndarray:
    """The result of the request in flight."""
    end = time.monotonic() + PATIENCE_S
    while (result := readback.take()) is None:
        assert time.monotonic() < end, "the result does not arrive"
        time.sleep(0.001)
    return result


def test_one_readback_brings_results_of_any_size(gpu: Gpu) -> None:
    values = np.random.default_rng(0).normal(size=1001).astype(np.float32)
    source = gpu.buffer(values)
    readback: AsyncReadback[np.ndarray] = AsyncReadback(gpu.device, "test")
    for count in (1, 7, 3, 1001, 2, 77, 999):
        assert readback.request(source, 4 * count, floats)
        np.testing.assert_array_equal(arrived(readback), values[:count])


def test_a_result_is_taken_once(gpu: Gpu) -> None:
    readback: AsyncReadback[np.ndarray] = AsyncReadback(gpu.device, "test")
    assert readback.take() is None
    assert (readback.ready, readback.in_flight) == (False, False)
    readback.request(gpu.buffer([5.0]), 4, floats)
    poll(gpu.device, wait=True)
    assert (readback.ready, readback.in_flight) == (True, True)
    assert arrived(readback) == [5.0]
    assert readback.take() is None
    assert (readback.ready, readback.in_flight) == (False, False)


def test_a_request_while_one_is_in_flight_is_refused(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = gpu.buffer([1.0, 2.0, 3.0]), gpu.buffer([4.0, 5.0, 6.0, 7.0, 8.0])
    readback: AsyncReadback[np.ndarray] = AsyncReadback(gpu.device, "test")
    with monkeypatch.context() as patch:
        patch.setattr(async_readback, "poll", lambda device: None)  # so that nothing arrives yet
        assert readback.request(first, 12, floats)
        assert not readback.request(second, 20, lambda data: pytest.fail("the refused request was decoded"))
        assert not readback.request_copy(lambda staging: pytest.fail("a refused copy was encoded"), 20, floats)
        assert readback.take() is None
        assert (readback.ready, readback.in_flight) == (False, True)
    gpu.device.queue.write_buffer(first, 0, np.zeros(3, np.float32))  # after the copy: the result stays as requested
    np.testing.assert_array_equal(arrived(readback), [1, 2, 3])
    assert readback.request(second, 20, floats)
    np.testing.assert_array_equal(arrived(readback), [4, 5, 6, 7, 8])


def test_dispatches_run_before_the_copy(gpu: Gpu) -> None:
    found = gpu.empty(2)
    words = gpu.params(1, 4, 0, 0, 1)  # elements 1 to 3 of `values`; the extreme goes to slot 0
    resources = {"params": words, "values": gpu.buffer([9.0, 1.0, -3.0, 2.0]), "results": found}
    extreme = gpu.kernels.get("probe/range", storage="values").dispatch((1, 1, 1), resources)
    readback: AsyncReadback[np.ndarray] = AsyncReadback(gpu.device, "test")
    readback.request(found, 8, floats, [extreme])
    assert arrived(readback)[0] == -3


def test_a_copy_of_the_callers_own(gpu: Gpu) -> None:
    texture = gpu.device.create_texture(
        size=(5, 3, 1), format="r32float", usage=wgpu.TextureUsage.COPY_SRC | wgpu.TextureUsage.COPY_DST
    )
    values = np.arange(15, dtype=np.float32).reshape(3, 5)
    gpu.device.queue.write_texture({"texture": texture}, values, {"bytes_per_row": 20}, (5, 3, 1))

    def copy(staging: wgpu.GPUBuffer) -> None:
        encoder = gpu.device.create_command_encoder()
        encoder.copy_texture_to_buffer({"texture": texture}, {"buffer": staging, "bytes_per_row": 256}, (5, 3, 1))
        gpu.device.queue.submit([encoder.finish()])

    readback: AsyncReadback[np.ndarray] = AsyncReadback(gpu.device, "test")
    assert readback.request_copy(copy, 3 * 256, lambda data: floats(data).reshape(3, 64)[:, :5])
    np.testing.assert_array_equal(arrived(readback), values)


def test_a_failing_decode_leaves_the_readback_free(gpu: Gpu) -> None:
    source = gpu.buffer([1.0, 2.0])
    readback: AsyncReadback[np.ndarray] = AsyncReadback(gpu.device, "test")
    readback.request(source, 8, lambda data: floats(data).reshape(3, 3))
    poll(gpu.device, wait=True)
    with pytest.raises(ValueError, match="reshape"):
        readback.take()
    assert readback.request(source, 8, floats)
    np.testing.assert_array_equal(arrived(readback), [1, 2])


def test_a_lost_device_is_reported(gpu: Gpu) -> None:
    device = gpu.device.adapter.request_device_sync()
    readback: AsyncReadback[np.ndarray] = AsyncReadback(device, "test")
    readback.request_copy(lambda staging: device.destroy(), 8, floats)
    with pytest.raises(DeviceError, match="the GPU device was lost"):
        arrived(readback)
