"""Checks of whole passes: prefill, cached tokens and sliding contexts, with every program that an adapter may use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from compute.forward.chain_program import ChainProgram
from compute.forward.engine import Engine
from compute.forward.fused_program import FusedProgram
from compute.forward.load_options import LoadOptions
from compute.forward.pass_plan import ONE_SEQUENCE, state_of
from compute.forward.program import Program
from compute.forward.rows_program import CHUNK, RowsProgram
from compute.forward.tiled_program import CHUNKS, TiledProgram
from compute.gpu.device import is_software
from compute.gpu.subgroups import NO_SUBGROUPS, team_size
from compute.models.config import ModelConfig
from compute.weights.checkpoint import ArrayModel, open_model

from . import reference
from .check import PASS, Check, Errors, Skipped
from .gpu import Gpu, read_tensor, run_pass, submit
from .models import SMALL, loud_model, rounded_model, shape_of, some_tokens

# In this order: heads of 12 channels, with a total that is not a multiple of 8; channels that fill the lanes of a
# subgroup one and a half times; more rows than any program's chunk, and more keys than a span of attention.
_NARROW = SMALL
_WIDE = ModelConfig(layers=2, heads=5, channels=320, positions=37, vocabulary=97, padded_vocabulary=100)
_LONG = ModelConfig(layers=1, heads=2, channels=128, positions=300, vocabulary=97, padded_vocabulary=100)
_NARROW_LONG = ModelConfig(layers=1, heads=3, channels=36, positions=300, vocabulary=97, padded_vocabulary=100)
_DECODED = 4  # tokens after a prefill
_STORIES_TOKENS = (7454, 2402, 257, 640, 11, 612, 373, 257)  # "Once upon a time, there was a"


@dataclass(frozen=True)
class ProgramPair:
    """A program for many rows and one for a single row, on weights in a texture or in buffers."""

    name: str
    layout: str
    prefill: type[Program]
    decode: type[Program]
    subgroups: bool = False


PROGRAM_PAIRS = (
    ProgramPair("rows, textures", "texture", RowsProgram, RowsProgram),
    ProgramPair("rows", "buffer", RowsProgram, RowsProgram),
    ProgramPair("tiled, fused", "buffer", TiledProgram, FusedProgram, subgroups=True),
    ProgramPair("tiled, fused without subgroups", "buffer", TiledProgram, FusedProgram),
    ProgramPair("tiled, chain", "buffer", TiledProgram, ChainProgram, subgroups=True),
)

# The pairs that engines choose; the others cover adapters on which these do not work.
_FAST = ("tiled, fused", "tiled, chain")
_SOFTWARE = ("rows, textures",)
# The model, the type of its weights, and the names of the pairs. Each type and shape needs its own kernels, and
# compiling them takes nearly all of the time: on software drivers the models share a shape where possible.
GPU_CASES = (
    (_NARROW, "f32", (*_FAST, "rows")),
    (_NARROW, "bf16", (*_FAST, "rows", "tiled, fused without subgroups")),
    (_NARROW, "f16", _FAST),
    (_WIDE, "bf16", _FAST),
    (_WIDE, "f16", _FAST),
    (_LONG, "f32", _FAST),
)
SOFTWARE_CASES = (
    (_NARROW, "bf16", (*_SOFTWARE, "rows", "tiled, fused", "tiled, fused without subgroups")),
    (_NARROW, "f16", _SOFTWARE),
    (_NARROW_LONG, "f32", _SOFTWARE),
)


def unsupported_reason(gpu: Gpu, pair: ProgramPair) -> str:
    """The reason why this adapter never runs `pair`; empty if it may run it."""
    software = is_software(gpu.device.adapter)
    if pair.layout == "texture" and not software:
        return "a GPU stores its weights in buffers"
    subgroups = team_size(gpu.kernels)[1]
    if pair.subgroups and not subgroups:
        return "no reliable subgroups"
    if pair.decode is ChainProgram:
        if software:
            return "a software driver does not start workgroups in order"
        if not ChainProgram.suits(gpu.device, subgroups):
            return "too few storage buffers for a kernel"
    return ""


class Runner:
    """Runs passes of a small engine with any of its programs and compares them with the float64 model."""

    def __init__(self, source: ArrayModel, layout: str, dtype: str) -> None:
        self.config = source.config
        self.engine = Engine.load(source, LoadOptions(context=source.config.positions, weights=dtype, layout=layout))
        self._exact = reference.in_float64(rounded_model(source, dtype))
        self._expected: dict[tuple[tuple[int, ...], int], dict[str, np.ndarray]] = {}

    def run(self, pair: ProgramPair) -> Errors:
        """Compare a prompt, the tokens after it one by one, a context that slid, a short prompt, and a batch."""
        engine, config = self.engine, self.config
        team = team_size(engine.kernels) if pair.subgroups else NO_SUBGROUPS
        chunk = CHUNK if pair.prefill is RowsProgram else min(CHUNKS[-1], -(-engine.context // CHUNK) * CHUNK)
        prefill, decode = engine.program(pair.prefill, chunk, team), engine.program(pair.decode, 1, team)
        text = some_tokens(config, config.positions + 9)
        errors = Errors()
        prompt = config.positions - _DECODED
        self._run(prefill, text[:prompt], 0, 0)
        self._compare(errors, text[:prompt], 0, "prefill")
        for total in range(prompt + 1, config.positions + 1):
            self._run(decode, text[:total], 0, total - 1)
            self._compare(errors, text[:total], 0, "cached token")
        # The text is now longer than the positions: recompute its end, then a context shorter than the positions.
        self._run(prefill, text[-config.positions :], 0, 0)
        self._compare(errors, text[-config.positions :], 0, "context that slid")
        short = text[3:10]
        start = config.positions - len(short)
        self._run(prefill, short, start, 0)
        self._compare(errors, short, start, "short context at the last positions")
        self._run(decode, text[:1], 0, 0)
        self._compare(errors, text[:1], 0, "single token")
        self._compare_batch(errors, prefill, [text[at : at + config.positions // 3] for at in (0, 5, 9)])
        if isinstance(decode, ChainProgram):
            errors.same(decode.stalled(), False, "a stage that waited too long")
        return errors

    def _run(
        self, program: Program, tokens: Sequence[int], position: int, first: int, sequence: int = ONE_SEQUENCE
    ) -> None:
        """Run rows `first` to the last of the context `tokens`, which starts at `position`, by `program`.

        sequence: the number of tokens of each sequence of a batch.
        """
        engine, total = self.engine, len(tokens)
        engine.write_history(tokens)
        while first < total:
            count = min(program.rows, total - first)
            engine.write_state(state_of(0, first, count, total - 1, position, total, 0, sequence=sequence))
            first += count
            submit(engine.device, [*program.body, *(program.head if first == total else ())])
        engine.registry.rows, engine.registry.first_position = total, position

    def _compare(self, errors: Errors, tokens: Sequence[int], position: int, what: str) -> None:
        compare(self.engine, self._forward(tokens, position), errors, what)

    def _compare_batch(self, errors: Errors, program: Program, texts: Sequence[Sequence[int]]) -> None:
        """Compare one pass over texts of the same length with a pass over each of them."""
        self._run(program, [token for text in texts for token in text], 0, 0, sequence=len(texts[0]))
        alone = [self._forward(text, 0) for text in texts]
        head = self.engine.registry.description.head.output
        expected = {name: np.concatenate([one[name] for one in alone]) for name in alone[0] if name != head}
        compare(self.engine, expected | {head: alone[-1][head]}, errors, "batch")

    def _forward(self, tokens: Sequence[int], position: int) -> dict[str, np.ndarray]:
        """The float64 model's tensors, computed once for each text."""
        key = (tuple(tokens), position)
        if key not in self._expected:
            self._expected[key] = reference.forward(self._exact, tokens, position)
        return self._expected[key]


def compare(engine: Engine, expected: dict[str, np.ndarray], errors: Errors, what: str) -> None:
    """Compare all kept activations, the logits and the greedy token of the engine's latest pass."""
    for tensor in engine.registry:
        if tensor.kind != "weight" and tensor.kept:
            errors.close(read_tensor(engine, tensor.name), expected[tensor.name], f"{what}: {tensor.name}")
    logits = expected[engine.registry.description.head.output][: engine.config.vocabulary]
    best, second = np.sort(logits)[::-1][:2] if logits.size > 1 else (1.0, 0.0)
    if best - second > 10 * PASS * max(1.0, float(np.abs(logits).max())):
        found = engine.read_logits()[: engine.config.vocabulary]
        errors.same(int(found.argmax()), int(logits.argmax()), f"{what}: the likeliest token")


def prove_pairs(config: ModelConfig, dtype: str, pairs: Sequence[ProgramPair]) -> Iterator[Check | Skipped]:
    """Check passes of a small model with each of `pairs`."""
    runners: dict[str, Runner] = {}
    for pair in pairs:
        if pair.layout not in runners:
            model = loud_model(config, scale=1.8 / sqrt(config.channels))
            runners[pair.layout] = Runner(model, pair.layout, dtype)
        runner, name = runners[pair.layout], f"passes: {pair.name}"
        if pair.decode is ChainProgram and runner.engine.path != "chain":
            yield Skipped(name, "it fails the check that every engine runs first")
        else:
            yield runner.run(pair).check(name, f"{shape_of(config)}, {dtype}", PASS)


def untraced() -> Check:
    """Check the logits of an engine that keeps no activations, whose kernels do not store them."""
    model = loud_model(_NARROW)
    tokens = some_tokens(_NARROW, 21)
    errors = Errors()
    engine = Engine.load(model, LoadOptions(context=_NARROW.positions, trace=False))
    for count, valid in ((20, 0), (21, 20)):
        run_pass(engine, tokens[:count], valid_rows=valid)
        expected = reference.forward(model, tokens[:count])
        errors.close(engine.read_logits(), expected[engine.registry.description.head.output])
    return errors.check(f"passes that keep nothing: {engine.path}", shape_of(_NARROW), PASS)


def embedded() -> Check:
    """A prompt and tokens after it, with the embedded model and the programs that the engine chooses here."""
    source = open_model("stories")
    engine = Engine.load(source, LoadOptions(context=64))
    exact = reference.in_float64(source)
    tokens, errors = list(_STORIES_TOKENS), Errors()
    for total in (6, 7, 8):
        run_pass(engine, tokens[:total], valid_rows=0 if total == 6 else total - 1)
        compare(engine, reference.forward(exact, tokens[:total]), errors, "prefill" if total == 6 else "cached token")
    return errors.check(f"the embedded model: {engine.path}", f"{shape_of(source.config)}, {engine.dtype}", PASS)


def checks(gpu: Gpu) -> Iterator[Check | Skipped]:
    """The checks of this group."""
    pairs = []
    for pair in PROGRAM_PAIRS:
        if reason := unsupported_reason(gpu, pair):
            yield Skipped(f"passes: {pair.name}", reason)
        else:
            pairs.append(pair)
    for config, dtype, names in SOFTWARE_CASES if is_software(gpu.device.adapter) else GPU_CASES:
        yield from prove_pairs(config, dtype, [pair for pair in pairs if pair.name in names])
    yield untraced()
    yield embedded()
