"""Verifies a recording: runs its tokens through the model again and compares every recorded number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from compute.forward.engine import Engine
from compute.generate.replay import Replay
from compute.generate.steps import step_record
from compute.lens.lens_matrices import LensMatrices
from compute.lens.lens_pass import LensPass
from compute.text.tokenizer import Tokenizer
from compute.views.statistics import StatisticsPass
from compute.views.statistics_table import read_table
from compute.weights.fingerprint import shaders_sha256, versions

from .compare import TOLERANCE, Difference, logits_difference, statistics_difference, steps_difference
from .compare_lens import lens_difference
from .edit_records import applied_edits
from .playback import known_text, steps_before
from .reader import Recording
from .recorder import draw_info
from .records import RecordedEdit, RecordedStep, RunInfo

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"


@dataclass(frozen=True)
class Verdict:
    """The verdict on a step. `figure` is the largest difference, in logits or relative to a tensor's largest value."""

    run: int
    step: int
    token: int
    text: str
    verdict: str
    figure: float
    what: str  # what differs most
    draw_repeats: bool  # whether the options and the seed give the same token here


def reasons(recording: Recording, engine: Engine, weights_sha256: str, program: str) -> list[str]:
    """What has changed since the recording was made, most important first."""
    head = recording.head
    changes = []
    if head.weights_sha256 != weights_sha256:
        changes.append(f"different weights (recorded {head.weights_sha256[:12]}, here {weights_sha256[:12]})")
    here = {
        "precision": (head.weights, engine.dtype),
        "adapter": (head.adapter, engine.adapter_name),
        "kernels": (head.kernels, engine.path),
        "version": (head.program, program),
    }
    changes += [f"different {what} (recorded {was}, here {now})" for what, (was, now) in here.items() if was != now]
    if head.shaders_sha256 != shaders_sha256():
        changes.append("different shaders")
    now = versions()
    changes += [
        f"different {name} (recorded {head.versions[name]}, here {now[name]})"
        for name in sorted(head.versions.keys() & now.keys())
        if head.versions[name] != now[name]
    ]
    return changes


def verify_run(
    recording: Recording, run: RunInfo, engine: Engine, tokenizer: Tokenizer, *, tolerance: float = TOLERANCE
) -> Iterator[Verdict]:
    """The verdict on each step, in order. `engine` must fit every step's context. Blocks. Raises `AtlasError`s."""
    steps = recording.steps(run)
    known, before = [step.record for step in steps], steps_before(recording.runs(), run)
    engine.mark_cached((), 0)  # recompute every row, in the same passes as during recording, to get the same bits
    replay: Replay | None = None
    edits: tuple[RecordedEdit, ...] = ()
    measure = StatisticsPass(engine, histograms=False) if run.statistics else None
    lens = _lens_pass(recording, run, engine)
    for step in steps:
        if replay is None or replay.text.options != step.options or edits is not step.edits:
            # Like a run that continues with different options, it reuses the rows of the previous steps.
            edits = step.edits
            text = known_text(run, known, step.options, before)
            replay = Replay(engine, text, recording.head.end_of_text, applied_edits(edits, engine.description))
        yield _verdict(recording, run, step, replay, tokenizer, measure, lens, tolerance)


def _lens_pass(recording: Recording, run: RunInfo, engine: Engine) -> LensPass | None:
    if not recording.lens_steps(run).steps:
        return None
    file = recording.lens_file(run)
    return LensPass(engine, None if file is None else LensMatrices.upload(engine.device, file))


def _verdict(
    recording: Recording,
    run: RunInfo,
    step: RecordedStep,
    replay: Replay,
    tokenizer: Tokenizer,
    measure: StatisticsPass | None,
    lens: LensPass | None,
    tolerance: float,
) -> Verdict:
    recorded, index = step.record, step.record.index
    draw = replay.go(index)
    engine, temperature = replay.engine, step.options.temperature
    rows = engine.registry.rows
    start = len(run.prompt_tokens) + index - rows
    found = step_record(draw, start, rows, temperature, tokenizer.token_text, recorded.forward_ms)
    found = replace(found, index=index)  # its number within the run
    logits = replay.logits()
    apart = steps_difference(recorded, found, logits)
    saved = recording.logits(run, index)
    if saved is not None:
        apart = apart.joined(logits_difference(saved, logits))
    table = recording.statistics(run, index)
    if table is not None and measure is not None:
        names = [tensor.name for tensor in recording.live]
        here = read_table(measure, [engine.registry[name] for name in names])
        apart = apart.joined(statistics_difference(names, table, here))
    seen = recording.lens(run, recorded)
    if seen is not None and lens is not None:
        apart = apart.joined(lens_difference(seen, lens.at(seen.positions, seen.target, seen.top_tokens.shape[2])))
    repeats = draw.token == recorded.token
    if recorded.text != tokenizer.token_text(recorded.token):
        apart = apart.joined(Difference(float("inf"), f"text of token {recorded.token}", same=False))
    if apart.same:
        # With the same logits, options and seed, everything else must be the same, too.
        what = _first_other(recorded, found) or _first_other(step.draw, draw_info(draw))
        if what:
            apart = Difference(float("inf"), what, same=False)
    verdict = IDENTICAL if apart.same else WITHIN if apart.within(tolerance) else DIFFERENT
    return Verdict(run.id, index, recorded.token, recorded.text, verdict, apart.largest, apart.what, repeats)


def _first_other(recorded: object, found: object) -> str | None:
    """The name of the first field that differs; None if all are the same, NaN included."""
    one, other = vars(recorded), vars(found)
    return next((name for name in one if repr(one[name]) != repr(other[name])), None)
