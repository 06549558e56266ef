"""`session record`: text to standard output, everything about it to a file."""

from __future__ import annotations

import argparse
import sys
import time

from atlas_viewer.recording.recorder import Recorder, open_recorder
from compute.forward.engine import Engine
from compute.generate.generator import Generation
from compute.generate.step_capture import StepCapturer
from compute.text.tokenizer import load_tokenizer
from compute.views.statistics import StatisticsPass
from compute.weights.checkpoint import open_model
from compute.weights.fingerprint import weights_sha256

from .generate import Stream
from .output_paths import check_target
from .shared import exit_status, model_spec, open_generation, report_nonfinite
from .streams import complain

_SLICE_S = 0.05  # seconds of GPU work submitted at once
_NAP_S = 0.0005


def record(arguments: argparse.Namespace) -> int:
    """Generate and record; 1 when not everything could be recorded, 130 when stopped by Ctrl+C."""
    check_target(arguments.out)
    statistics = not arguments.no_statistics
    source = open_model(model_spec(arguments))
    sha256 = weights_sha256(source)
    tokenizer = load_tokenizer()

    def tap(engine: Engine) -> StepCapturer:
        measure = StatisticsPass(engine, histograms=False) if statistics else None
        if measure is not None:
            measure.read()  # of the weights, which never change: before the run, not beside it
        return StepCapturer(
            engine, lambda *step: recorder.step(*step), logits=arguments.logits != "none", statistics=measure
        )

    generation = open_generation(arguments, source, tap)
    # Once nothing can fail any more but the run: without a run there is no recording.
    recorder = open_recorder(arguments.out, generation.engine, tokenizer, sha256)
    try:
        recorder.begin_run(
            generation.prompt,
            generation.prompt_tokens,
            generation.options,
            logits=arguments.logits,
            statistics=statistics,
        )
        stream = Stream(generation)
        told = _generate(generation, recorder, stream)
    finally:
        recorder.end_run(generation.stop_reason or "failed")
        recorder.close()
    stream.end()
    report_nonfinite(generation, "`session export --csv` has the steps")
    if recorder.trouble is not None:
        if recorder.trouble != told:
            complain(recorder.trouble)
        return 1
    return exit_status(generation)


def _generate(generation: Generation, recorder: Recorder, stream: Stream) -> str | None:
    """Run to the end or to Ctrl+C; returns the trouble of the recorder that was reported."""
    told = None
    try:
        while not generation.done:
            if generation.advance(_SLICE_S):
                stream.write()
            else:
                time.sleep(_NAP_S)
            if recorder.trouble != told:
                told = recorder.trouble
                print(file=sys.stderr)
                complain(told)
    except KeyboardInterrupt:
        generation.stop()
    return told
