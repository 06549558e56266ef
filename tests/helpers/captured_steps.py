"""A generation run to its end, with everything that is captured of its steps."""

from __future__ import annotations

from typing import Any

from compute.forward.engine import Engine
from compute.generate.generator import Generation
from compute.generate.replay import KnownText
from compute.generate.step_capture import StepCapture, StepCapturer
from compute.generate.steps import StepRecord
from compute.sampling.options import GenerateOptions
from compute.sampling.sampler import SampleResult
from compute.views.statistics import StatisticsPass


class Tapped:
    """`draws` and `measured` have an entry for each step."""

    def __init__(self, engine: Engine, tokenizer: Any, prompt: str, options: GenerateOptions) -> None:
        self.records: list[StepRecord] = []
        self.draws: list[SampleResult] = []
        self.measured: list[StepCapture] = []
        self.capturer = StepCapturer(engine, self._take, logits=True, statistics=StatisticsPass(engine))
        self.generation = Generation(engine, tokenizer, prompt, options, capturer=self.capturer)
        self.generation.run()
        tokens = [record.token for record in self.records]
        self.text = KnownText(self.generation.prompt_tokens, tokens, options)

    def _take(self, record: StepRecord, draw: SampleResult, measured: StepCapture) -> None:
        self.records.append(record)
        self.draws.append(draw)
        self.measured.append(measured)
