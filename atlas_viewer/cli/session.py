"""`session`: record runs; show, verify, compare, export and recover recordings."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from atlas_viewer.recording.arrays import plain, summary
from atlas_viewer.recording.compare import TOLERANCE
from atlas_viewer.recording.diff import RunDiff, StepDiff, diff_runs
from atlas_viewer.recording.edit_records import edit_changes
from atlas_viewer.recording.playback import check_shape, longest_context
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.recorder import PROGRAM
from atlas_viewer.recording.recover import recover
from atlas_viewer.recording.verify import DIFFERENT, IDENTICAL, WITHIN, Verdict, reasons, verify_run
from atlas_viewer.state.quoting import quoted
from compute.api.opening import engine_of
from compute.errors import RecordingError, UsageError
from compute.weights.fingerprint import weights_sha256
from compute.weights.model_tokenizer import tokenizer_of

from .output_paths import check_target
from .session_source import recorded_source, recorded_weights
from .shared import load_options
from .streams import note

_PROMPT_CHARACTERS = 200  # how many characters of a prompt `info` shows


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from .session_export import export
    from .session_record import record
    from .session_replay import replay

    verbs: dict[str, Callable[[argparse.Namespace], int]] = {
        "record": record,
        "info": _info,
        "verify": _verify,
        "replay": replay,
        "export": export,
        "diff": _diff,
        "recover": _recover,
    }
    return verbs[arguments.verb](arguments)


def _info(arguments: argparse.Namespace) -> int:
    with Recording(arguments.file) as recording:
        if arguments.json:
            print(json.dumps(plain(summary(recording)), ensure_ascii=False, allow_nan=False))
            return 0
        # Build all lines before printing any, so that a damaged file gives an error instead of half an answer.
        lines = _info_lines(recording)
    print("\n".join(lines))
    return 0


def _info_lines(recording: Recording) -> list[str]:
    head = recording.head
    config = head.config
    lines = [
        f"session   {recording.shown}, {head.created}, {head.program}",
        f"model     {head.model}, {config.architecture}, {config.layers} layers, {config.heads} heads,"
        f" {config.channels} channels",
        f"weights   {head.weights}, sha256 {head.weights_sha256}",
        f"adapter   {head.adapter}, {head.kernels} kernels",
        f"versions  {', '.join(f'{name} {version}' for name, version in head.versions.items())}",
    ]
    for known in recording.runs():
        branch = f", branch of run {known.parent} at step {(known.fork_step or 0) + 1}" if known.parent else ""
        extras = f"logits {known.logits}, " + ("statistics" if known.statistics else "no statistics")
        lens = recording.lens_steps(known)
        if lens.steps:
            file = "" if lens.file is None else f", lens file {lens.file}"
            extras += f", lens of {lens.steps} steps (top {lens.top}{file})"
        if known.edits:
            extras += f", edits {'; '.join(edit.text for edit in known.edits)}"
        for step, edits in edit_changes(recording, known):
            extras += f", from step {step + 1} {'; '.join(edit.text for edit in edits) or 'no edits'}"
        end = known.stop_reason or "not ended"
        prompt = _shortened(known.prompt)
        lines.append(f"run {known.id}     {recording.count(known)} steps, {end}, {extras}{branch}: {prompt}")
    return [*lines, f"events    {len(recording.events())}, cameras {len(recording.cameras())}"]


def _shortened(prompt: str) -> str:
    more = len(prompt) - _PROMPT_CHARACTERS
    return quoted(prompt) if more <= 0 else f"{quoted(prompt[:_PROMPT_CHARACTERS])} and {more:,} more characters"


def _verify(arguments: argparse.Namespace) -> int:
    tolerance = TOLERANCE if arguments.tolerance is None else arguments.tolerance
    if not 0 <= tolerance < math.inf:
        raise UsageError(f"--tolerance {tolerance:g}: must be a number, 0 or more")
    with Recording(arguments.file) as recording:
        runs = [known for known in recording.runs() if recording.count(known)]
        if not runs:
            raise RecordingError(f"{recording.shown}: has no steps to verify; record some first")
        source = recorded_source(arguments, recording.head)
        check_shape(recording, source.name, source.config)
        sha256 = weights_sha256(source)
        tokenizer = tokenizer_of(source)
        tokenizer.check_fits(source.config.vocabulary)
        engine = engine_of(
            source,
            load_options(
                arguments,
                context=max(longest_context(recording.steps(known)) for known in runs),
                weights=recorded_weights(arguments, recording.head),
            ),
        )
        why = reasons(recording, engine, sha256, PROGRAM)
        verdicts: list[Verdict] = []
        for known in runs:
            for verdict in verify_run(recording, known, engine, tokenizer, tolerance=tolerance):
                verdicts.append(verdict)
                if not arguments.json:
                    print(_verdict_line(verdict))
        counts = {name: sum(v.verdict == name for v in verdicts) for name in (IDENTICAL, WITHIN, DIFFERENT)}
        # Even if all figures agree, weights that differ from the recorded ones are a failure.
        holds = not counts[DIFFERENT] and recording.head.weights_sha256 == sha256
        totals = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        if arguments.json:
            model = {"name": recording.head.model, "architecture": recording.head.config.architecture}
            steps = [asdict(verdict) for verdict in verdicts]
            result = {"model": model, "holds": holds, "counts": counts, "changed": why, "steps": steps}
            print(json.dumps(plain(result), ensure_ascii=False, allow_nan=False))
        else:
            print(f"model: {recording.head.model}, {recording.head.config.architecture}")
            print(f"{len(verdicts)} steps: {totals}")
            print(f"changed since: {'; '.join(why) or 'nothing'}")
        if not holds:
            cause = (
                "; ".join(why)
                or "nothing else has changed, so the file was altered or this adapter computes wrong results"
            )
            raise RecordingError(f"{recording.shown}: verification failed: {totals}; {cause}")
    return 0


def _verdict_line(verdict: Verdict) -> str:
    line = f"run {verdict.run} step {verdict.step + 1} {quoted(verdict.text)}: {verdict.verdict}"
    if verdict.verdict != IDENTICAL:
        line += f", {verdict.figure:.3g} ({verdict.what})" if math.isfinite(verdict.figure) else f" ({verdict.what})"
    return line if verdict.draw_repeats else line + ", sampling gives a different token"


def _diff(arguments: argparse.Namespace) -> int:
    with Recording(arguments.file) as one, Recording(arguments.other) as other:
        difference = diff_runs(one, one.run(arguments.run), other, other.run(arguments.other_run))
    if arguments.json:
        result = {
            "same": difference.same,
            "head": difference.head,
            "parted": difference.parted,
            "steps": [asdict(s) for s in difference.steps],
        }
        print(json.dumps(plain(result), ensure_ascii=False, allow_nan=False))
    else:
        _print_diff(difference)
    return 0 if difference.same else 1


def _print_diff(difference: RunDiff) -> None:
    for line in difference.head:
        print(line)
    for step in difference.steps:
        if not step.same:
            print(_diff_line(step))
    if difference.parted is not None:
        print(f"the tokens differ from step {difference.parted + 1} on")
    elif difference.same:
        print(f"the same: {len(difference.steps)} steps")
    else:
        print(f"the same tokens: {len(difference.steps)} steps")


def _diff_line(step: StepDiff) -> str:
    line = f"step {step.step + 1}:"
    if step.tokens[0] != step.tokens[1]:
        sides = [
            "-" if token is None else f"{quoted(text)} {token} ({probability:.4f})"
            for token, text, probability in zip(step.tokens, step.texts, step.probabilities, strict=True)
        ]
        line += f" {sides[0]} | {sides[1]},"
    if not step.figures.same:
        line += f" figures differ by {step.figures.largest:.3g} ({step.figures.what}),"
    if step.statistics is not None and not step.statistics.same:
        line += f" statistics by {step.statistics.largest:.3g} ({step.statistics.what}),"
    if step.lens is not None and not step.lens.same:
        line += f" lens by {step.lens.largest:.3g} ({step.lens.what}),"
    return line.rstrip(",")


def _recover(arguments: argparse.Namespace) -> int:
    target: Path = arguments.out
    check_target(target)
    recovered = recover(arguments.file, target)
    print(f"{recovered.steps} steps of {recovered.runs} runs saved")
    for line in recovered.lost:
        note(f"lost: {line}")
    return 0
