"""The draw of the next token on the GPU, and what it brings back: a few hundred bytes a step."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import wgpu

from .kernels import Kernels, Resource
from .native import Dispatch
from .options import GenerateOptions

_BLOCK = 16  # logits of a block, in step with the shaders
_SLICE = 1024  # logits of a workgroup of the scan
_HEADER = 16  # words before the candidates in the result block
MAX_TOP = 200
RING = 32  # result blocks


@dataclass(frozen=True)
class Draw:
    """What one draw reports. Logarithms are natural; `rank` counts from 1; candidates are best first."""

    step: int
    token: int
    logit: float
    highest: float
    log_total: float  # log-sum-exp of the logits
    scaled_log_total: float  # log-sum-exp of (logits - highest) / T
    rank: int
    nonfinite: int
    candidates: tuple[tuple[int, float], ...]
    any_finite: bool

    def model_probability(self, logit: float) -> float:
        """softmax(logits) of a token with this logit."""
        return math.exp(logit - self.log_total)

    def probability(self, token: int, logit: float, temperature: float) -> float:
        """What the draw used: softmax(logits / T); at T = 0 one for the argmax."""
        if temperature == 0:
            return float(token == self.token)
        return math.exp((logit - self.highest) / temperature - self.scaled_log_total)

    def scaled_delta(self, logit: float, temperature: float) -> float:
        """(logit - largest logit) / T; at T = 0 not divided."""
        return (logit - self.highest) / (temperature or 1.0)


class Sampler:
    """Dispatches that draw one token from `logits`, append it to `history` and move the state on.

    `run` draws; `report` adds rank and candidates. Result blocks go to a ring of RING in `result`, so that several
    tokens can be drawn before the host fetches them.
    """

    def __init__(
        self,
        kernels: Kernels,
        vocabulary: int,
        state: wgpu.GPUBuffer,
        logits: wgpu.GPUBuffer,
        history: wgpu.GPUBuffer,
    ) -> None:
        device = kernels.device
        self._device = device
        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
        self._blocks = -(-vocabulary // _BLOCK)
        slices = -(-vocabulary // _SLICE)
        self.stride = 4 * (_HEADER + 2 * _BLOCK * min(MAX_TOP, self._blocks))  # bytes
        self.result = device.create_buffer(label="draws", size=RING * self.stride, usage=usage)
        self._options = device.create_buffer(
            label="sampling", size=32, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        )
        block_keys = device.create_buffer(label="block keys", size=4 * self._blocks, usage=usage)
        bound: dict[str, Resource] = {
            "state": state,
            "sampling": self._options,
            "logits": logits,
            "slices": device.create_buffer(label="slices", size=32 * slices, usage=usage),
            "block_keys": block_keys,
            "history": history,
            "result": self.result,
        }

        def dispatch(name: str, groups: int, cost: float, names: str, **values: int) -> Dispatch:
            resources = {key: bound[key] for key in names.split()}
            return kernels.get(name, **values).dispatch((groups, 1, 1), resources, cost=cost)

        words = self.stride // 4
        self.run: list[Dispatch] = [
            dispatch(
                "sample_scan", slices, 40 * vocabulary, "state sampling logits slices block_keys", vocabulary=vocabulary
            ),
            dispatch(
                "sample_pick", 1, 1000 * slices, "state sampling logits slices history result",
                slices=slices, ring=RING, stride=words,
            ),
        ]  # fmt: skip
        self.report: list[Dispatch] = [
            dispatch(
                "sample_report", 1, 100 * self._blocks, "state sampling logits block_keys result",
                vocabulary=vocabulary, stride=words,
            )
        ]  # fmt: skip

    def set_options(self, options: GenerateOptions, end_of_text: int) -> None:
        """Use `options` for the draws submitted from now on; the token `end_of_text` ends a generation."""
        greedy = options.temperature == 0
        inverse = 1.0 if greedy else min(1.0 / options.temperature, 1e30)  # finite when multiplied
        self._device.queue.write_buffer(
            self._options, 0, struct.pack("<fIIII", inverse, greedy, options.seed, options.top, end_of_text)
        )

    def dispatches(self, top: int) -> list[Dispatch]:
        """What draws one token and reports `top` candidates."""
        return [*self.run, *self.report] if top else self.run

    def result_size(self, top: int) -> int:
        """Bytes of the part of a result block that holds `top` candidates."""
        return 4 * (_HEADER + 2 * _BLOCK * min(top, self._blocks))


def parse_draw(data: bytes, top: int) -> Draw:
    """Read a result block (see wgsl/sample_report.wgsl)."""
    words = np.frombuffer(data, np.uint32)
    floats = words.view(np.float32)
    blocks = int(words[9]) if top else 0
    pairs = words[_HEADER : _HEADER + 2 * _BLOCK * blocks].reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != 0xFFFFFFFF]
    logits = pairs[:, 1].view(np.float32)
    order = np.lexsort((pairs[:, 0], -logits.astype(np.float64)))[:top]
    return Draw(
        step=int(words[7]),
        token=int(words[0]),
        logit=float(floats[1]),
        highest=float(floats[2]),
        log_total=float(floats[3]),
        scaled_log_total=float(floats[4]),
        rank=int(words[8]),
        nonfinite=int(words[5]),
        candidates=tuple((int(pairs[i, 0]), float(logits[i])) for i in order),
        any_finite=bool(words[6]),
    )
