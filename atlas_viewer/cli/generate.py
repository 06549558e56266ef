"""`generate`: prints text as it is generated, or everything about the run as JSON."""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from dataclasses import asdict

import numpy as np

from compute.generate.generator import Generation
from compute.generate.steps import StepRecord
from compute.io.output_files import write_output
from compute.models.architectures import parameter_count

from .edits import report_edits
from .output_paths import check_target, generation_files
from .shared import TRACE_ADVICE, edit_report, exit_status, open_generation, report_nonfinite


def run(arguments: argparse.Namespace) -> int:
    """Generate text; return 130 if stopped by Ctrl+C, after printing what has been generated so far.

    Return 1 if no logit is finite, so that no token can be sampled. If only some logits are not finite, they are
    reported and the exit status stays 0.
    """
    if arguments.logits is not None:
        check_target(arguments.logits, generation_files(arguments), ".npy")
    # The timings in the JSON must come from a warm engine; text alone need not wait for the warm-up.
    generation = open_generation(arguments, measured=arguments.json)
    logits: list[np.ndarray] = []
    stream = None if arguments.json else Stream(generation)
    try:
        while not generation.done:
            generation.step()
            if arguments.logits is not None and len(generation.steps) > len(logits):
                logits.append(generation.engine.read_logits()[: generation.engine.config.vocabulary])
            if stream:
                stream.write()
    except KeyboardInterrupt:
        generation.stop()
    if stream:
        stream.end()
    else:
        print(json.dumps(as_json(generation), ensure_ascii=False, allow_nan=False))
    if arguments.logits is not None:
        shape = (len(logits), generation.engine.config.vocabulary)  # [steps, vocabulary]
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(logits, np.float32).reshape(shape))
        write_output(arguments.logits, buffer.getvalue())
    report_edits(edit_report(generation))
    report_nonfinite(generation, TRACE_ADVICE)
    return exit_status(generation)


class Stream:
    """Prints the text as it grows, and each character only once all its bytes are known."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._printed = ""
        self._put(generation.prompt)

    def _put(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def write(self) -> None:
        text = self._generation.continuation
        whole = text.rstrip("\ufffd")
        if len(whole) > len(self._printed) and whole.startswith(self._printed):
            self._put(whole[len(self._printed) :])
            self._printed = whole

    def end(self) -> None:
        self._put(self._generation.continuation[len(self._printed) :] + "\n")


def as_json(generation: Generation) -> dict[str, object]:
    """The object that `--json` prints; None stands for numbers that JSON cannot express."""
    engine, config = generation.engine, generation.engine.config
    return {
        "model": {
            "name": engine.model_name,
            "layers": config.layers,
            "heads": config.heads,
            "channels": config.channels,
            "positions": config.positions,
            "vocabulary": config.vocabulary,
            "parameters": parameter_count(config),
            "weights": engine.dtype,
        },
        "adapter": engine.adapter_name,
        "program": engine.path,
        "prompt": generation.prompt,
        "prompt_tokens": generation.prompt_tokens,
        "options": generation.options.as_json(),
        "edits": [str(edit) for edit in generation.edits],
        "steps": [_step(step) for step in generation.steps],
        "text": generation.text,
        "stop_reason": generation.stop_reason,
        "nonfinite_logits": generation.nonfinite_logits,
        "tokens_per_second": _number(generation.tokens_per_second),
    }


def _step(step: StepRecord) -> dict[str, object]:
    def plain(values: dict[str, object]) -> dict[str, object]:
        return {key: _number(value) if isinstance(value, float) else value for key, value in values.items()}

    record = plain(asdict(step))
    record["top"] = [plain(asdict(candidate)) for candidate in step.top]
    return record


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
