"""`session record`: prints the text and records everything about the run in a file."""

from __future__ import annotations

import argparse
import sys
import time

from atlas_viewer.recording.edit_records import recorded_edits, text_limit
from atlas_viewer.recording.recorder import Recorder, open_recorder
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.generate.generator import Generation
from compute.generate.step_capture import StepCapturer
from compute.lens.lens_capture import LensCapture
from compute.lens.lens_cells import DEFAULT_TOP, MAX_TOP
from compute.lens.lens_file import LensFile, read_lens_file
from compute.lens.lens_matrices import LensMatrices
from compute.models.architectures import describe
from compute.views.statistics import StatisticsPass
from compute.weights.checkpoint import open_model
from compute.weights.fingerprint import weights_sha256
from compute.weights.model_tokenizer import tokenizer_of

from .edits import report_edits
from .generate import Stream
from .output_paths import check_target
from .shared import TRACE_ADVICE, edit_report, exit_status, model_spec, open_generation, report_nonfinite
from .streams import complain

_SLICE_S = 0.05  # seconds of GPU work submitted at once
_NAP_S = 0.0005


def record(arguments: argparse.Namespace) -> int:
    """Generate and record; return 1 if the recording is incomplete, 130 if stopped by Ctrl+C."""
    check_target(arguments.out, () if arguments.lens_file is None else (arguments.lens_file,))
    statistics = not arguments.no_statistics
    top = _lens_top(arguments)
    source = open_model(model_spec(arguments))
    lens_file = None if arguments.lens_file is None else read_lens_file(arguments.lens_file, describe(source.config))
    sha256 = weights_sha256(source)
    tokenizer = tokenizer_of(source)

    def make_capturer(engine: Engine, rows: int) -> StepCapturer:
        measure = StatisticsPass(engine, histograms=False) if statistics else None
        if measure is not None:
            measure.read()  # the weights' statistics never change, so they are read once, before the run
        return StepCapturer(
            engine,
            lambda *step: recorder.step(*step),
            logits=arguments.logits != "none",
            statistics=measure,
            lens=_lens_capture(engine, top, rows, lens_file) if top else None,
        )

    generation = open_generation(arguments, source, make_capturer)
    # Opened last, when only the run itself can still fail, so that no recording is left without a run.
    recorder = open_recorder(arguments.out, generation.engine, tokenizer, sha256)
    try:
        prompt = len(generation.prompt_tokens)
        recorder.begin_run(
            generation.prompt,
            generation.prompt_tokens,
            generation.options,
            logits=arguments.logits,
            statistics=statistics,
            lens_top=top,
            lens_file=lens_file,
            edits=recorded_edits(generation.edits, prompt, text_limit(prompt, generation.options)),
        )
        stream = Stream(generation)
        reported = _generate(generation, recorder, stream)
    finally:
        recorder.end_run(generation.stop_reason or "failed")
        recorder.close()
    stream.end()
    report_edits(edit_report(generation))
    shown = "`session export --csv` lists the steps" if recorder.steps_written else TRACE_ADVICE
    report_nonfinite(generation, shown)
    if recorder.trouble is not None:
        if recorder.trouble != reported:
            complain(recorder.trouble)
        return 1
    return exit_status(generation)


def _generate(generation: Generation, recorder: Recorder, stream: Stream) -> str | None:
    """Run until the end or Ctrl+C; return the recorder's error if one was reported."""
    reported = None
    try:
        while not generation.done:
            if generation.advance(_SLICE_S):
                stream.write()
            else:
                time.sleep(_NAP_S)
            if recorder.trouble != reported:
                reported = recorder.trouble
                print(file=sys.stderr)
                complain(reported)
    except KeyboardInterrupt:
        generation.stop()
    return reported


def _lens_capture(engine: Engine, top: int, rows: int, file: LensFile | None) -> LensCapture:
    return LensCapture(engine, top, rows, None if file is None else LensMatrices.upload(engine.device, file))


def _lens_top(arguments: argparse.Namespace) -> int:
    """Tokens for each cell of the lens; 0 when it is not recorded. Raises `UsageError`."""
    top: int | None = arguments.lens_top
    if arguments.lens_file is not None and not arguments.with_lens:
        raise UsageError("--lens-file: needs --with-lens")
    if top is None:
        return DEFAULT_TOP if arguments.with_lens else 0
    if not arguments.with_lens:
        raise UsageError("--lens-top: needs --with-lens")
    if not 1 <= top <= MAX_TOP:
        raise UsageError(f"--lens-top {top}: must be from 1 to {MAX_TOP}")
    return top
