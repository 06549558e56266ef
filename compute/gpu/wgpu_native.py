"""The only file that uses private names of wgpu, for four things that its public API cannot do.

1. Waiting without blocking. `map_async` starts a thread that waits inside the library and meanwhile blocks every submit
   in the program (measured: 190 ms for a 200 ms dispatch). Here a callback is registered, and the device is polled
   without waiting.
2. Fast encoding. The public methods check each argument in Python, which takes 5 to 12 us per dispatch or draw; the
   raw functions take under 3 us.
3. Shaders without loop counters. The library adds a counter to every loop to stop endless ones, and no compiler unrolls
   such a loop. All loops of this program end; without the counters, they run up to twice as fast.
4. A check before a window's surface is configured. If the display has disappeared, the library ends the process there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from compute.errors import DeviceError

from .device import LOST  # before wgpu: it makes the backend parse its header faster

# isort: split
import wgpu
from wgpu.backends.wgpu_native import _api, _ffi

_lib: Any = _ffi.lib
_c: Any = _ffi.ffi

# The only remaining runtime check: an out-of-range index stays inside its buffer.
_CHECKS = _lib.WGPUShaderRuntimeChecks_BoundsChecks

IndexedDraw: TypeAlias = tuple[wgpu.GPUBindGroup, tuple[int, int, int, int], int, int, int]
"""A bind group, the area drawn to (x, y, width, height), and the number of indices, the first, and the base vertex."""

_keys = itertools.count(1)
_pending: dict[int, Fence] = {}


def create_shader(device: wgpu.GPUDevice, label: str, code: str) -> wgpu.GPUShaderModule:
    """A shader module from this program's own WGSL. Raises wgpu's `GPUValidationError` for invalid code."""
    text = [_c.new("char[]", part.encode()) for part in (label, code)]
    source = _c.new("WGPUShaderSourceWGSL *")
    source.chain.sType = _lib.WGPUSType_ShaderSourceWGSL
    source.code.data, source.code.length = text[1], len(text[1]) - 1
    descriptor = _c.new("WGPUShaderModuleDescriptor *")
    descriptor.nextInChain = _c.cast("WGPUChainedStruct *", source)
    descriptor.label.data, descriptor.label.length = text[0], len(text[0]) - 1
    create: Any = _api.libf.wgpuDeviceCreateShaderModuleTrusted
    module: wgpu.GPUShaderModule = _api.GPUShaderModule(label, create(device._internal, descriptor, _CHECKS), device)
    return module


def check_before_configuring(context: Any, check: Callable[[], object]) -> None:
    """Call `check` whenever wgpu is about to configure the surface of `context`, a window's `GPUCanvasContext`.

    That also happens within `get_current_texture`: after a resize, and when no texture could be acquired.
    """
    configure = context._configure_screen_real

    def checked() -> None:
        check()
        configure()

    context._configure_screen_real = checked


@dataclass(frozen=True)
class Dispatch:
    """A compute dispatch that is ready to encode, with an estimate of its work."""

    label: str
    pipeline: wgpu.GPUComputePipeline
    bind_group: wgpu.GPUBindGroup
    groups: tuple[int, int, int]
    cost: float  # in multiply-adds or elements read, for slicing a pass into frames

    def over(self, groups: tuple[int, int, int], cost: float | None = None) -> Dispatch:
        """The same with another grid of workgroups; cost: by default as before."""
        return Dispatch(self.label, self.pipeline, self.bind_group, groups, self.cost if cost is None else cost)


class Fence:
    """Becomes `done` when the GPU has finished the work before the fence, or `failed` if it never will."""

    def __init__(self, then: Callable[[], object] | None = None) -> None:
        """then: called by `poll` when the fence becomes done."""
        self.done = False
        self.failed = False
        self._then = then
        self._key = next(_keys)
        _pending[self._key] = self

    def _settle(self, ok: bool) -> None:
        self.done = ok
        self.failed = not ok
        then, self._then = self._then, None
        if ok and then is not None:
            then()


def _settle(userdata: Any, ok: bool) -> None:
    fence = _pending.pop(int(_c.cast("uintptr_t", userdata)), None)
    if fence is not None:
        fence._settle(ok)


def _mapped(status: int, _message: Any, userdata: Any, _unused: Any) -> None:
    _settle(userdata, status == _lib.WGPUMapAsyncStatus_Success)


def _work_done(status: int, _message: Any, userdata: Any, _unused: Any) -> None:
    _settle(userdata, status == _lib.WGPUQueueWorkDoneStatus_Success)


def _keep(_kind: Any, error: BaseException, _trace: Any) -> None:
    # cffi prints a callback's exception and continues, so a Ctrl+C during a callback would be lost.
    _raised.append(error)


_raised: list[BaseException] = []
_on_mapped: Any = _c.callback("void(WGPUMapAsyncStatus, WGPUStringView, void *, void *)", _mapped, onerror=_keep)
_on_work_done: Any = _c.callback(
    "void(WGPUQueueWorkDoneStatus, WGPUStringView, void *, void *)", _work_done, onerror=_keep
)


def poll(device: wgpu.GPUDevice, *, wait: bool = False) -> None:
    """Settle fences and readbacks whose work is finished.

    `wait` blocks until the GPU is idle, so never use it inside a frame.
    """
    _lib.wgpuDevicePoll(device._internal, wait, _c.NULL)
    if _raised:
        raise _raised.pop()


class Timer:
    """Measures one compute pass with the GPU's clock. The device needs the feature "timestamp-query"."""

    def __init__(self, device: wgpu.GPUDevice) -> None:
        self._device = device
        self.queries = device.create_query_set(type="timestamp", count=2)
        self.resolved = device.create_buffer(size=16, usage=wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC)
        self.writes = {
            "query_set": self.queries,
            "beginning_of_pass_write_index": 0,
            "end_of_pass_write_index": 1,
        }

    def seconds(self) -> float:
        """Duration of the latest resolved pass. Blocks."""
        first, last = memoryview(self._device.queue.read_buffer(self.resolved)).cast("B").cast("Q")
        period = _lib.wgpuQueueGetTimestampPeriod(self._device.queue._internal)  # nanoseconds per tick
        return float(last - first) * float(period) * 1e-9


_PIECE = 16  # dispatches of the first piece, which take about 0.1 ms to encode; each next one has twice as many


class ComputeEncoder:
    """Encodes dispatches into compute passes with the library's raw functions, then submits them."""

    def __init__(self, device: wgpu.GPUDevice) -> None:
        self._device = device
        self._encoder = device.create_command_encoder()

    def run(self, dispatches: Sequence[Dispatch], timer: Timer | None = None, *, early: bool = False) -> None:
        """Append `dispatches`. Each sees what the earlier ones wrote.

        timer: measures them, as one compute pass. early: the GPU may begin while the others are being encoded.
        """
        piece = _PIECE
        while early and len(dispatches) > piece:
            self._run(dispatches[:piece], None)
            self.submit()
            self._encoder = self._device.create_command_encoder()
            dispatches = dispatches[piece:]
            piece *= 2
        self._run(dispatches, timer)

    def _run(self, dispatches: Sequence[Dispatch], timer: Timer | None) -> None:
        if timer is None:
            begin = self._encoder.begin_compute_pass()
        else:
            begin = self._encoder.begin_compute_pass(timestamp_writes=timer.writes)
        handle = begin._internal
        set_pipeline = _lib.wgpuComputePassEncoderSetPipeline
        set_bind_group = _lib.wgpuComputePassEncoderSetBindGroup
        dispatch_groups = _lib.wgpuComputePassEncoderDispatchWorkgroups
        null = _c.NULL
        pipeline: wgpu.GPUComputePipeline | None = None
        for dispatch in dispatches:
            if dispatch.pipeline is not pipeline:
                pipeline = dispatch.pipeline
                set_pipeline(handle, pipeline._internal)
            set_bind_group(handle, 0, dispatch.bind_group._internal, 0, null)
            dispatch_groups(handle, *dispatch.groups)
        begin.end()

    def resolve(self, timer: Timer) -> None:
        """Append the copy of the timer's two timestamps."""
        self._encoder.resolve_query_set(timer.queries, 0, 2, timer.resolved, 0)

    def copy(
        self, source: wgpu.GPUBuffer, source_offset: int, target: wgpu.GPUBuffer, target_offset: int, size: int
    ) -> None:
        """Append a copy of `size` bytes (a multiple of 4) between two buffers."""
        self._encoder.copy_buffer_to_buffer(source, source_offset, target, target_offset, size)

    def submit(self) -> None:
        """Submit everything to the GPU. The encoder cannot be used again."""
        self._device.queue.submit([self._encoder.finish()])


def draw_indexed(drawing: wgpu.GPURenderPassEncoder, group: int, draws: Iterable[IndexedDraw]) -> None:
    """Append `draws` to a render pass that has its buffers and its pipeline. group: the index of their bind groups."""
    handle, null = drawing._internal, _c.NULL
    set_bind_group = _lib.wgpuRenderPassEncoderSetBindGroup
    set_area = _lib.wgpuRenderPassEncoderSetScissorRect
    draw = _lib.wgpuRenderPassEncoderDrawIndexed
    used: tuple[object, object] = (None, None)
    for bind_group, area, count, first, base in draws:
        if bind_group is not used[0]:
            set_bind_group(handle, group, bind_group._internal, 0, null)
        if area != used[1]:
            set_area(handle, *area)
        used = bind_group, area
        draw(handle, count, 1, first, base, 0)


def work_done(device: wgpu.GPUDevice) -> Fence:
    """A fence for everything submitted so far."""
    fence = Fence()
    info = _c.new("WGPUQueueWorkDoneCallbackInfo *")
    info.mode = _lib.WGPUCallbackMode_AllowProcessEvents
    info.callback = _on_work_done
    info.userdata1 = _c.cast("void *", fence._key)
    _lib.wgpuQueueOnSubmittedWorkDone(device.queue._internal, info[0])
    return fence


class Readback:
    """A buffer of `size` bytes that brings a small result to the CPU.

    Copy into `buffer`, submit, `request`, and `read` when `ready`. To have several results in flight, use several
    readbacks.
    """

    def __init__(self, device: wgpu.GPUDevice, size: int, label: str = "readback") -> None:
        self.size = size
        usage = wgpu.BufferUsage.MAP_READ | wgpu.BufferUsage.COPY_DST
        self.buffer = device.create_buffer(label=label, size=size, usage=usage)
        self._fence: Fence | None = None
        self._data: bytes | None = None

    def request(self) -> None:
        """Request the contents after all work submitted so far."""
        if self._fence is not None:
            raise RuntimeError("this readback is already in flight")
        self._fence = Fence(self._take)
        info = _c.new("WGPUBufferMapCallbackInfo *")
        info.mode = _lib.WGPUCallbackMode_AllowProcessEvents
        info.callback = _on_mapped
        info.userdata1 = _c.cast("void *", self._fence._key)
        _lib.wgpuBufferMapAsync(self.buffer._internal, _lib.WGPUMapMode_Read, 0, self.size, info[0])

    @property
    def ready(self) -> bool:
        """True when `read` can be called. Call `poll` first. Raises `DeviceError` when the device was lost."""
        if self._fence is None:
            return False
        if self._fence.failed:
            raise DeviceError(LOST)
        return self._fence.done

    def read(self) -> bytes:
        """Return the contents. The readback can then be used again."""
        if not self.ready:
            raise RuntimeError("this readback is not ready")
        if self._data is None:  # Ctrl+C interrupted `_take`
            self._take()
        data, self._data, self._fence = self._data, None, None
        assert data is not None
        return data

    def _take(self) -> None:
        # Read immediately: a device that is lost later destroys its buffers, and the library ends a process that
        # reads a destroyed buffer.
        pointer = _lib.wgpuBufferGetConstMappedRange(self.buffer._internal, 0, self.size)
        self._data = bytes(_c.buffer(pointer, self.size))
        _lib.wgpuBufferUnmap(self.buffer._internal)
