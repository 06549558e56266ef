"""The list of edits in a GPU buffer, and the counts of what they changed. wgsl/common/edits.wgsl reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Readback

from .resolved import ResolvedEdit
from .selection import Span
from .targets import Kind

_HEAD_WORDS = 4
_RECORD_WORDS = 17
_OPERATORS = {"=": 0, "+=": 1, "*=": 2}
_EVERY_SEQUENCE = 2**32 - 1
_SMALLEST = 4096  # words of a buffer
_TEXT_START = 0  # the word that contains it


@dataclass(frozen=True)
class Effects:
    """What edits have changed since they were set. changed: values per edit, counted once per pass.

    empty_rows: attention rows that were left without a key and became 0.
    """

    changed: tuple[int, ...]
    empty_rows: int


@dataclass(frozen=True, eq=False)
class PendingEffects:
    """Counts on their way to the host. edits: what was in force; slots: the index of each in the counts."""

    edits: tuple[ResolvedEdit, ...]
    readback: Readback
    slots: tuple[int, ...]

    def take(self) -> Effects | None:
        """The effects once they have arrived, None until then. Never blocks."""
        if not self.readback.ready:
            return None
        data = np.frombuffer(self.readback.read(), np.uint32)
        return Effects(tuple(int(data[1 + slot]) for slot in self.slots), int(data[0]))


class EditList:
    """The edits in force, for any number of points. Bind `bindings` again after `write` has returned True."""

    def __init__(self, device: wgpu.GPUDevice) -> None:
        self._device = device
        self._edits: tuple[ResolvedEdit, ...] = ()  # in the order of the counts
        self._text_start = 0
        self._list = self._buffer("edits", _SMALLEST)
        self._counts = self._buffer("values changed by edits", 64)

    @property
    def bindings(self) -> dict[str, Resource]:
        """The buffers by their names in shaders."""
        return {"edits": self._list, "counts": self._counts}

    def write(self, points: Sequence[str], edits: Sequence[ResolvedEdit], *, keep_counts: bool) -> bool:
        """Replace the list. Returns True when there are other buffers afterwards.

        points: the slots of the edits' targets; a kernel addresses them by their index. keep_counts: of all edits that
        stay; otherwise only those of weights are kept, which are not edited again.
        """
        ordered = tuple(edit for point in points for edit in edits if edit.target.slot == point)
        words = _packed(points, ordered)
        words[_TEXT_START] = self._text_start
        before = self._list, self._counts
        if words.nbytes > self._list.size:
            self._list = self._buffer("edits", 2 * len(words))
        if 4 * (1 + len(ordered)) > self._counts.size:
            self._counts = self._buffer("values changed by edits", 2 * (1 + len(ordered)))
        self._device.queue.write_buffer(self._list, 0, words)
        self._keep_counts(before[1], ordered, keep_counts)
        self._edits = ordered
        return (self._list, self._counts) != before

    def set_text_start(self, index: int) -> None:
        """Note the index in the text of the first token of the history, for passes that are submitted from now on."""
        if index != self._text_start:
            self._text_start = index
            self._device.queue.write_buffer(self._list, 4 * _TEXT_START, np.asarray([index], np.uint32))

    def effects(self, edits: Sequence[ResolvedEdit]) -> Effects:
        """What each of `edits`, which were written last, has changed. Blocks, so never call it inside a frame."""
        data = np.frombuffer(self._device.queue.read_buffer(self._counts), np.uint32)
        numbers = {id(edit): int(data[1 + index]) for index, edit in enumerate(self._edits)}
        return Effects(tuple(numbers[id(edit)] for edit in edits), int(data[0]))

    def request_effects(self, edits: Sequence[ResolvedEdit]) -> PendingEffects:
        """Fetch what each of `edits`, which were written last, has changed in the passes submitted so far.

        Does not wait.
        """
        readback = Readback(self._device, self._counts.size, "values changed by edits")
        encoder = self._device.create_command_encoder()
        encoder.copy_buffer_to_buffer(self._counts, 0, readback.buffer, 0, self._counts.size)
        self._device.queue.submit([encoder.finish()])
        readback.request()
        numbers = {id(edit): index for index, edit in enumerate(self._edits)}
        return PendingEffects(tuple(edits), readback, tuple(numbers[id(edit)] for edit in edits))

    def _keep_counts(self, counts: wgpu.GPUBuffer, edits: Sequence[ResolvedEdit], every: bool) -> None:
        """Bring the counts into the order of `edits`; those of other edits begin at 0."""
        encoder = self._device.create_command_encoder()
        kept = self._device.create_buffer(size=self._counts.size, usage=self._usage())  # zeros
        unused = [entry for entry in enumerate(self._edits) if every or entry[1].target.kind is Kind.WEIGHT]
        for index, edit in enumerate(edits):
            found = next((entry for entry in unused if entry[1].same(edit)), None)
            if found is not None:
                unused.remove(found)
                encoder.copy_buffer_to_buffer(counts, 4 * (1 + found[0]), kept, 4 * (1 + index), 4)
        if every and not unused and len(self._edits) == len(edits):
            encoder.copy_buffer_to_buffer(counts, 0, kept, 0, 4)  # the same list: rows without a key stay reported
        encoder.copy_buffer_to_buffer(kept, 0, self._counts, 0, self._counts.size)
        self._device.queue.submit([encoder.finish()])

    def _buffer(self, label: str, words: int) -> wgpu.GPUBuffer:
        return self._device.create_buffer(label=label, size=4 * words, usage=self._usage())

    @staticmethod
    def _usage() -> int:
        return int(wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC)


def _packed(points: Sequence[str], edits: Sequence[ResolvedEdit]) -> np.ndarray:
    """The words of the list. edits: in the order of the points."""
    records_at = _HEAD_WORDS + 2 * len(points)
    values_at = records_at + _RECORD_WORDS * len(edits)
    words = [0, records_at, values_at, 0]
    for point in points:
        numbers = [number for number, edit in enumerate(edits) if edit.target.slot == point]
        words += [numbers[0], numbers[-1] + 1] if numbers else [0, 0]
    offset = 0
    for edit in edits:
        words += _record(edit, offset)
        offset += edit.values.size
    values = [np.ascontiguousarray(edit.values, np.float32).reshape(-1).view(np.uint32) for edit in edits]
    return np.concatenate([np.asarray(words, np.uint32), *values])


def _record(edit: ResolvedEdit, offset: int) -> list[int]:
    selection, values = edit.selection, edit.values
    spans = [_bounded(span, size) for span, size in zip(selection.spans(), values.shape, strict=True)]
    _, outer, inner = values.shape
    strides = [stride if size > 1 else 0 for size, stride in zip(values.shape, (outer * inner, inner, 1), strict=True)]
    rows, parts, columns = ([span.first, span.end, span.step] for span in spans)
    head = [_OPERATORS[edit.edit.op], *rows, selection.base, selection.group]
    sequence = _EVERY_SEQUENCE if edit.sequence is None else edit.sequence
    return [*head, *parts, *columns, offset, *strides, sequence]


def _bounded(span: Span, size: int) -> Span:
    """The span without numbers for which there is no value."""
    return span if size == 1 else Span(span.first, min(span.end, span.first + size * span.step), span.step)
