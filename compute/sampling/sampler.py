"""The draw of the next token on the GPU, and its result of a few hundred bytes per step."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import wgpu

from compute.gpu.device import is_software
from compute.gpu.kernels import Kernels, Resource
from compute.gpu.subgroups import subgroup_lanes
from compute.gpu.wgpu_native import Dispatch

from .options import GenerateOptions

_BLOCK = 16  # logits per block, as in the shaders
_SLICE = 1024  # logits per workgroup of the scan
_HEADER = 16  # words before the candidates in a result block
_DIGITS = 4  # digits of a sort key, 8 bits each
_HISTOGRAM = 2 * 256  # words: 256 counts of 64 bits
_LEVEL = 40  # bytes of a `Level` in the shaders
_SLOT = 256  # bytes from the parameters of one dispatch to those of the next
_OFF = 0xFFFFFFFF
_NO_TOKEN = 0xFFFFFFFF
_CUT, _PENALIZED = 1 << 31, 1 << 30  # flags on a reported token
MAX_TOP = 200
RING = 32  # result blocks in the ring


@dataclass(frozen=True)
class SampleResult:
    """The result of one draw. Logarithms are natural; candidates are in descending order.

    `rank` counts from 1; it is 0 for a draw that reports no candidates.

    Rank, candidates and the largest logit are the model's own, before the repetition penalty.
    """

    step: int
    token: int
    logit: float
    highest: float
    log_total: float  # log-sum-exp of the logits
    scaled_log_total: float  # log-sum-exp of (penalized logit - drawn_highest) / T over the tokens kept
    rank: int
    nonfinite: int
    candidates: tuple[tuple[int, float], ...]
    kept: int  # tokens that could be drawn; 0 if no logit was finite and nothing was drawn
    drawn_highest: float  # largest penalized logit
    penalized: Mapping[int, float]  # logits after the repetition penalty, for those of these tokens that it applies to
    cut: frozenset[int]  # candidates that a filter removed
    entropy: float  # of softmax(logits), in nats

    @property
    def any_finite(self) -> bool:
        """False if there was nothing to draw from."""
        return self.kept > 0

    def model_probability(self, logit: float) -> float:
        """The value of softmax(logits) for a token with this logit."""
        return math.exp(logit - self.log_total)

    def probability(self, token: int, logit: float, temperature: float) -> float:
        """Probability of the drawn token or a candidate in the draw: softmax(logits / T) after penalty and filters.

        At T = 0 it is 1 for the drawn token.
        """
        if temperature == 0:
            return float(token == self.token)
        if token in self.cut:
            return 0.0
        drawn = min(self.penalized.get(token, logit), self.drawn_highest)
        return math.exp((drawn - self.drawn_highest) / temperature - self.scaled_log_total)

    def scaled_delta(self, logit: float, temperature: float) -> float:
        """(logit - largest logit) / T; without the division at T = 0."""
        return (logit - self.highest) / (temperature or 1.0)


class Sampler:
    """Dispatches that draw one token from `logits`, append it to `history` and advance the state.

    `dispatches` depend on the options set last: a scan and a pick; with filters, four more for top-k, four for
    top-p and one for the race of the remaining tokens; with `top`, one for rank and candidates. The repetition penalty
    applies to the tokens of the context, in the prompt and the continuation. Result blocks are written to a ring of
    RING blocks in `result`, so that several tokens can be drawn before the host reads them.
    """

    def __init__(
        self,
        kernels: Kernels,
        vocabulary: int,
        state: wgpu.GPUBuffer,
        logits: wgpu.GPUBuffer,
        history: wgpu.GPUBuffer,
    ) -> None:
        self._kernels = kernels
        self._device = kernels.device
        self._vocabulary = vocabulary
        # GPUs run the threads of a large workgroup at the same time, software adapters one subgroup after another.
        self._lanes = subgroup_lanes(kernels) if is_software(self._device.adapter) else 0
        self._blocks = -(-vocabulary // _BLOCK)
        self._slices = -(-vocabulary // _SLICE)
        self.stride = 4 * (_HEADER + 2 * _BLOCK * min(MAX_TOP, self._blocks))  # bytes
        self.result = self._buffer("draws", RING * self.stride)
        self._options = self._buffer("sampling", 48, wgpu.BufferUsage.UNIFORM)
        self._bound: dict[str, Resource] = {
            "state": state,
            "sampling": self._options,
            "logits": logits,
            "slices": self._buffer("slices", 36 * self._slices),
            "block_keys": self._buffer("block keys", 4 * self._blocks),
            "history": history,
            "result": self.result,
        }
        self._variants: dict[tuple[bool, bool, bool, bool], tuple[list[Dispatch], list[Dispatch]]] = {}
        # Without penalty and filters.
        self.run, self.report = self._run, self._report = self._variant(
            keyed=False, count=False, mass=False, race=False
        )

    def set_options(self, options: GenerateOptions, end_of_text: int) -> None:
        """Use `options` for later draws; the token `end_of_text` ends a generation."""
        greedy = options.temperature == 0
        inverse = 1.0 if greedy else min(1.0 / options.temperature, 1e30)  # the product stays finite
        drop = min(-options.temperature * math.log(options.min_p), 3e38) if options.min_p else 0.0
        top_p = _OFF if options.top_p >= 1 else min(int(options.top_p * 2.0**32), _OFF - 1)
        words = struct.pack(
            "<fIIIIIIIff", inverse, greedy, options.seed, options.top, end_of_text, options.top_k, top_p,
            options.min_p > 0, drop, options.repetition_penalty,
        )  # fmt: skip
        self._device.queue.write_buffer(self._options, 0, words)
        # No filter removes the argmax.
        count, mass = options.top_k > 0 and not greedy, options.top_p < 1 and not greedy
        race = count or mass or (options.min_p > 0 and not greedy)
        self._run, self._report = self._variant(
            keyed=race or options.repetition_penalty != 1, count=count, mass=mass, race=race
        )

    def dispatches(self, top: int) -> list[Dispatch]:
        """Dispatches that draw one token with the options set last, and report `top` candidates."""
        return [*self._run, *self._report] if top else self._run

    def result_size(self, top: int) -> int:
        """Bytes of a result block with `top` candidates."""
        return 4 * (_HEADER + 2 * _BLOCK * min(top, self._blocks))

    # -- construction

    def _buffer(self, label: str, size: int, usage: int = 0) -> wgpu.GPUBuffer:
        usage |= wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
        return self._device.create_buffer(label=label, size=size, usage=usage)

    def _variant(self, *, keyed: bool, count: bool, mass: bool, race: bool) -> tuple[list[Dispatch], list[Dispatch]]:
        """The dispatches that draw and those that report, created once.

        keyed: with the penalty and sort keys. count, mass: with the levels of top-k and top-p. race: with any filter.
        """
        key = keyed, count, mass, race
        if key not in self._variants:
            self._variants[key] = self._make(*key)
        return self._variants[key]

    def _make(self, keyed: bool, count: bool, mass: bool, race: bool) -> tuple[list[Dispatch], list[Dispatch]]:
        vocabulary, slices, words = self._vocabulary, self._slices, self.stride // 4
        if keyed and "keys" not in self._bound:
            self._add_filter_buffers()
        with_keys, with_border = " keys" if keyed else "", " border" if race else ""
        run = [
            self._dispatch(
                "sample/scan", slices, 40 * vocabulary,
                "state sampling logits slices block_keys" + " history keys" * keyed + " histograms" * race,
                vocabulary=vocabulary, slices=slices, keyed=keyed, filtered=race,
                histogram_words=2 * _DIGITS * _HISTOGRAM, lanes=self._lanes,
            )
        ]  # fmt: skip
        levels = [*range(_DIGITS)] * count + [*range(_DIGITS, 2 * _DIGITS)] * mass
        for level in levels:
            run.append(self._select("sample/digit", level, level == levels[0], "slices"))
        if race:
            run.append(self._select("sample/race", levels[-1] + 1 if levels else 0, not levels, "slices border"))
        run.append(
            self._dispatch(
                "sample/pick", 1, 1000 * slices,
                "state sampling logits slices history result" + with_keys + with_border,
                slices=slices, ring=RING, stride=words, keyed=keyed, filtered=race,
            )
        )  # fmt: skip
        report = self._dispatch(
            "sample/report", 1, 100 * self._blocks, "state sampling logits block_keys result" + with_keys,
            vocabulary=vocabulary, stride=words, keyed=keyed,
        )  # fmt: skip
        return run, [report]

    def _add_filter_buffers(self) -> None:
        levels = 2 * _DIGITS
        self._bound |= {
            "keys": self._buffer("sort keys", 4 * self._vocabulary),
            "levels": self._buffer("levels", _LEVEL * levels),
            "histograms": self._buffer("histograms", 4 * levels * _HISTOGRAM),
            "border": self._buffer("border", 8),
        }
        # For every possible dispatch: its level, and whether it is the first.
        params = np.zeros((2 * (levels + 1), _SLOT // 4), np.uint32)
        params[:, 0] = np.arange(len(params)) // 2
        params[:, 1] = np.arange(len(params)) % 2
        self._params = self._buffer("levels' parameters", params.nbytes, wgpu.BufferUsage.UNIFORM)
        self._device.queue.write_buffer(self._params, 0, params.tobytes())

    def _select(self, name: str, level: int, start: bool, names: str) -> Dispatch:
        unit = float(1 << (32 - self._vocabulary.bit_length()))  # keeps the mass of all tokens below 2^64
        self._bound["params"] = (self._params, (2 * level + start) * _SLOT, 16)
        return self._dispatch(
            name, self._slices, 20 * self._vocabulary, "state sampling params keys levels histograms " + names,
            vocabulary=self._vocabulary, slices=self._slices, mass_unit=unit,
        )  # fmt: skip

    def _dispatch(self, name: str, groups: int, cost: float, names: str, **values: int | float) -> Dispatch:
        resources = {key: self._bound[key] for key in names.split()}
        return self._kernels.get(name, **values).dispatch((groups, 1, 1), resources, cost=cost)


def parse_draw(data: bytes, top: int) -> SampleResult:
    """Decode a result block (see wgsl/sample/report.wgsl)."""
    words = np.frombuffer(data, np.uint32)
    floats = words.view(np.float32)
    blocks = int(words[9]) if top else 0
    pairs = words[_HEADER : _HEADER + 2 * _BLOCK * blocks].reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != _NO_TOKEN]
    logits = pairs[:, 1].view(np.float32)
    tokens = pairs[:, 0] & (_PENALIZED - 1)
    order = np.lexsort((tokens, -logits.astype(np.float64)))[:top]
    candidates = tuple((int(tokens[i]), float(logits[i])) for i in order)
    flags = {int(tokens[i]): int(pairs[i, 0]) for i in order}
    token, penalty = int(words[0]), float(floats[14])
    penalized = {
        t: logit / penalty if logit > 0 else logit * penalty for t, logit in candidates if flags[t] & _PENALIZED
    }
    penalized[token] = float(floats[11])
    return SampleResult(
        step=int(words[7]),
        token=token,
        logit=float(floats[1]),
        highest=float(floats[2]),
        log_total=float(floats[3]),
        scaled_log_total=float(floats[4]),
        rank=int(words[8]) if top else 0,
        nonfinite=int(words[5]),
        candidates=candidates,
        kept=int(words[6]),
        drawn_highest=float(floats[10]),
        penalized=penalized,
        cut=frozenset(t for t, flag in flags.items() if flag & _CUT),
        entropy=float(floats[15]),
    )
