"""The draw of the next token on the GPU, and what it brings back: a few hundred bytes a step."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import wgpu

from .kernels import Kernels
from .native import Dispatch
from .options import GenerateOptions

_BLOCK = 16  # logits a thread scans, in step with the shaders
_THREADS = 64
_HEADER = 16  # words before the candidates in the result block
MAX_TOP = 200


@dataclass(frozen=True)
class Draw:
    """What one draw reports. Logarithms are natural; `rank` counts from 1; candidates are best first."""

    step: int
    token: int
    logit: float
    highest: float
    log_total: float  # log-sum-exp of the logits
    scaled_log_total: float  # log-sum-exp of logits / T
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
        return math.exp(logit / temperature - self.scaled_log_total)

    def scaled_delta(self, logit: float, temperature: float) -> float:
        """(logit - largest logit) / T; at T = 0 not divided."""
        return (logit - self.highest) / (temperature or 1.0)


class Sampler:
    """Dispatches that draw one token from `logits` and append it to `history`."""

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
        blocks = -(-vocabulary // _BLOCK)
        slices = -(-blocks // _THREADS)
        self.result = device.create_buffer(
            label="draw", size=4 * (_HEADER + 2 * _BLOCK * min(MAX_TOP, blocks)), usage=usage
        )
        self._blocks = blocks
        self._options = device.create_buffer(
            label="sampling", size=16, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST
        )
        slice_buffer = device.create_buffer(label="slices", size=32 * slices, usage=usage)
        block_keys = device.create_buffer(label="block keys", size=4 * blocks, usage=usage)
        self.run: list[Dispatch] = [
            kernels.get("sample_scan", vocabulary=vocabulary).dispatch(
                (slices, 1, 1),
                {
                    "state": state,
                    "sampling": self._options,
                    "logits": logits,
                    "slices": slice_buffer,
                    "block_keys": block_keys,
                },
                cost=40 * vocabulary,
            ),
            kernels.get("sample_pick", slices=slices).dispatch(
                (1, 1, 1),
                {"state": state, "slices": slice_buffer, "logits": logits, "history": history, "result": self.result},
                cost=1000 * slices,
            ),
            kernels.get("sample_report", vocabulary=vocabulary).dispatch(
                (1, 1, 1),
                {"sampling": self._options, "logits": logits, "block_keys": block_keys, "result": self.result},
                cost=100 * blocks,
            ),
        ]

    def set_options(self, options: GenerateOptions) -> None:
        """Use `options` for the draws submitted from now on."""
        greedy = options.temperature == 0
        inverse = 1.0 if greedy else 1.0 / options.temperature
        self._device.queue.write_buffer(
            self._options, 0, struct.pack("<fIII", inverse, greedy, options.seed, options.top)
        )

    def result_size(self, top: int) -> int:
        """Bytes of the result block with `top` candidates."""
        return 4 * (_HEADER + 2 * _BLOCK * min(top, self._blocks))


def parse_draw(data: bytes, top: int) -> Draw:
    """Read a result block (see wgsl/sample_report.wgsl)."""
    words = np.frombuffer(data, np.uint32)
    floats = words.view(np.float32)
    pairs = words[_HEADER : _HEADER + 2 * _BLOCK * int(words[9])].reshape(-1, 2)
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
