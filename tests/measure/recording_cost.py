"""Measures the cost of recording: the speed with and without it.

Usage: `PYTHONPATH=tests python -m measure.recording_cost [TOKENS] [ROUNDS]`.

Rounds alternate, and the ratios of neighbours are compared, so that a busy machine disturbs both alike. Of a software
adapter, whose work is the processor's too, the processor's time tells more than the clock.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from atlas_viewer.recording.recorder import Recorder
from atlas_viewer.recording.records import head_of, tensors_of
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.generate.step_capture import StepCapturer
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import Tokenizer, load_tokenizer
from compute.views.statistics import StatisticsPass
from compute.weights.checkpoint import open_model

# (what is recorded, logits, statistics)
WAYS = (("tokens", "none", False), ("logits", "f16", False), ("statistics", "none", True), ("everything", "f16", True))
PROMPT = "Once upon a time, there was a"


def run(generation: Generation) -> np.ndarray:
    """Wall-clock and processor seconds of the run: [2]."""
    start = np.array([time.perf_counter(), time.process_time()])
    generation.run()
    seconds: np.ndarray = np.array([time.perf_counter(), time.process_time()]) - start
    return seconds


def recorded(
    engine: Engine, tokenizer: Tokenizer, options: GenerateOptions, way: tuple[str, str, bool], measure: StatisticsPass
) -> np.ndarray:
    """The same run, recorded, including the writing that remains at the end."""
    with tempfile.TemporaryDirectory() as folder:
        head = head_of(engine, "0" * 64, "cost", tokenizer.end_of_text)
        recorder = Recorder(Path(folder) / "a.atlas", head, tensors_of(engine), tokenizer.token_bytes)
        capturer = StepCapturer(engine, recorder.step, logits=way[1] != "none", statistics=measure if way[2] else None)
        generation = Generation(engine, tokenizer, PROMPT, options, capturer=capturer)
        recorder.begin_run(PROMPT, generation.prompt_tokens, options, logits=way[1], statistics=way[2])
        start = np.array([time.perf_counter(), time.process_time()])
        run(generation)
        recorder.close()
        seconds: np.ndarray = np.array([time.perf_counter(), time.process_time()]) - start
        assert recorder.trouble is None, recorder.trouble
        assert recorder.steps_written == len(generation.steps)
        return seconds


def main() -> None:
    tokens, rounds = (int(value) for value in (sys.argv[1:] + ["60", "15"][len(sys.argv) - 1 :]))
    engine, tokenizer = Engine.load(open_model("stories"), LoadOptions(context=256)), load_tokenizer()
    options = GenerateOptions(max_new_tokens=tokens, temperature=0.0)
    measure = StatisticsPass(engine, histograms=False)  # weights are measured once, before the clock runs
    print(f"{engine.adapter_name}, {engine.path}, {tokens} tokens, {rounds} rounds")
    for way in WAYS:
        recorded(engine, tokenizer, options, way, measure)  # kernels are compiled here
        ratios, plain = [], []
        for _ in range(rounds):
            before = run(Generation(engine, tokenizer, PROMPT, options))
            with_it = recorded(engine, tokenizer, options, way, measure)
            after = run(Generation(engine, tokenizer, PROMPT, options))
            ratios.append(2 * with_it / (before + after) - 1)
            plain.append((before + after) / 2)
        cost = 100 * np.median(ratios, 0)
        clock, processor = 1e3 * np.median(plain, 0) / tokens
        print(
            f"{way[0]:<11} costs {cost[0]:5.1f} % of {clock:.1f} ms a token by the clock,"
            f" {cost[1]:5.1f} % of {processor:.1f} ms of the processor"
        )


if __name__ == "__main__":
    main()
