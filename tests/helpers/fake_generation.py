"""A run without a model: the same attributes as the real one, with tokens that arrive by the clock of `advance`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import wgpu
import wgpu.utils

from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from compute.edits.grammar import Edit
from compute.edits.resolved import ResolvedEdit, place
from compute.edits.targets import Targets
from compute.errors import UsageError
from compute.generate.steps import Candidate, StepRecord
from compute.gpu.loading import Loading
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.registry import Registry
from compute.patching.edit_measure import EditMeasure, Moved
from compute.sampling.options import GenerateOptions
from compute.text.chat import ChatPrompt, Turn
from compute.views.strip_layout import Span, StripLayout

WORDS = (" little", " girl", " named", " Lily", ".", " She", " loved", " to", " play", " outside", "\n", " with")


def fake_step(index: int) -> StepRecord:
    """A step whose figures differ for every index."""
    top = tuple(
        Candidate(1000 * index + k, WORDS[(index + k) % len(WORDS)], 9.5 - k, -k / 0.8, 0.5 / (k + 1), 0.4 / (k + 1))
        for k in range(8)
    )
    best = top[0]
    return StepRecord(
        index, 0, 8 + index, best.token, best.text, best.logit, best.probability, best.model_probability, 1, 12.5, top
    )


class FakeGeneration:
    """Generates one token at every second `advance`."""

    def __init__(self, prompt: str, options: GenerateOptions, steps: Sequence[StepRecord] = ()) -> None:
        self.prompt = prompt
        self.options = options
        self.prompt_tokens = list(range(len(prompt.split())))
        self.edits: tuple[ResolvedEdit, ...] = ()
        self.steps = list(steps)
        self.done = len(steps) >= options.max_new_tokens
        self.stop_reason = "length" if self.done else None
        self.progress, self.pass_seconds = 0.0, 0.02
        self.pass_complete = True
        self.tokens_per_second = 21.5
        self.budgets: list[float] = []

    @property
    def continuation(self) -> str:
        return "".join(step.text for step in self.steps)

    def advance(self, budget_s: float) -> bool:
        self.budgets.append(budget_s)
        self.progress = 0.5 if len(self.budgets) % 2 else 0.0
        if self.progress:
            return False
        self.steps.append(fake_step(len(self.steps)))
        FakeRunner.registry.passes += 1
        if len(self.steps) == self.options.max_new_tokens:
            self.done, self.stop_reason = True, "length"
        return True

    def stop(self) -> None:
        if not self.done:
            self.done, self.stop_reason = True, "stopped"


class FakeReplay:
    """Reaches any step at the second `advance`."""

    pass_complete = True

    def __init__(self) -> None:
        self.at: int | None = None
        self._wanted = self._calls = 0

    def seek(self, step: int) -> None:
        self._wanted = step

    def advance(self, budget_s: float) -> bool:
        self._calls += 1
        if self._calls % 2:
            return False
        self.at = self._wanted
        FakeRunner.registry.passes += 1
        return True


class FakeTokenizer:
    """Every word is a token. A label has the token's id in braces; a search finds `found`, or a token of its words."""

    def __init__(self, label: str = " t{}", found: Sequence[tuple[int, str]] | None = None) -> None:
        self.label, self.found = label, found

    def encode(self, text: str) -> Sequence[int]:
        return list(range(len(text.split())))

    def encode_chat(self, turns: Sequence[Turn]) -> ChatPrompt:
        text = " ".join(f"<{turn.role}> {turn.content}" for turn in turns)
        return ChatPrompt(tuple(turns), text, list(self.encode(text)))

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(str(token) for token in ids)

    def token_label(self, id: int) -> str:
        return self.label.format(id)

    def check_fits(self, vocabulary: int) -> None:
        pass

    def find(self, words: str) -> Sequence[tuple[int, str]]:
        return [(17, words)] if self.found is None else self.found


class FakeStrip:
    """Noise, painted at once."""

    layout = StripLayout(tuple(Span(f"noise.{n}", "embedding", 4096 * n, 4096, 4096) for n in range(56)), ())
    pending = False

    def __init__(self, device: wgpu.GPUDevice) -> None:
        usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
        self.texture = device.create_texture(size=(640, 360, 1), format="rgba8unorm", usage=usage)
        self.values = device.create_texture(size=(640, 360, 1), format="r32uint", usage=usage)
        self.cells = np.random.default_rng(1).integers(0, 256, (360, 640, 4), np.uint8)
        self.cells[..., 3] = 255
        self.painted = 0
        self._device = device

    def show_numbers(self, on: bool) -> None:
        """The texture of values is always complete."""

    def update(self) -> None:
        self.painted += 1
        layout = {"bytes_per_row": 4 * 640, "rows_per_image": 360}
        self._device.queue.write_texture({"texture": self.texture}, self.cells, layout, (640, 360, 1))


def paused_state(**values: Any) -> State:
    """A state with a paused run of five steps; values: further fields of the state."""
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, [(1, "Once")], [fake_step(i) for i in range(5)], changes={0: options})
    run.done, run.stop_reason = True, "paused"
    model = ModelSummary("fake", 2, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 0)
    state = State("Once upon a", options, model=model, run=run, **values)
    state.runs.add(run)
    return state


class FakeLogits:
    """Arrive at the second `take`."""

    def __init__(self) -> None:
        self._takes = 0

    def request(self) -> bool:
        self._takes = 2
        return True

    def take(self) -> np.ndarray | None:
        self._takes -= 1
        return np.linspace(5, -5, 50257, dtype=np.float32) if self._takes == 0 else None


class FakeRunner:
    """A fake model, whose strip is noise."""

    summary = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_200_000, "bf16", "no adapter at all", 12 << 20)
    unavailable = ""
    tensor_reader = tensor_files = None
    registry = Registry(
        describe(ModelConfig(positions=512, vocabulary=50257, padded_vocabulary=50304, layers=8, heads=6, channels=192))
    )

    def __init__(self, device: wgpu.GPUDevice) -> None:
        self.replays: list[int] = []
        self.max_context = 256
        self.closed = False
        self.generations = self.map_source = self
        self.edits: tuple[Edit, ...] = ()
        self.attention = self.attribution = self.lens = self.comparisons = self.sweeps = None
        self.tokenizer, self.strip, self.logits = FakeTokenizer(), FakeStrip(device), FakeLogits()

    def start(
        self,
        prompt: str,
        options: GenerateOptions,
        steps: Sequence[StepRecord] = (),
        tokens: Sequence[int] | None = None,
    ) -> FakeGeneration:
        return FakeGeneration(prompt, options, steps)

    def set_edits(self, edits: Sequence[Edit]) -> None:
        self.edits = tuple(edits)

    def check_edit(self, edit: Edit, prompt: Sequence[int], tokens: int) -> None:
        place(edit, Targets(self.registry.description).find(edit.target), len(prompt), tokens)

    def request_effects(self) -> None:
        return None

    def captured(self, edit: Edit, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit]) -> Edit:
        return edit

    def measuring(
        self, tokens: Sequence[int], context: int, edits: Sequence[ResolvedEdit], own: range
    ) -> Loading[EditMeasure]:
        yield "measuring an edit", 0.0
        return EditMeasure(Moved(1.0, 2.0), None, Moved(0.0, 1e-6))

    def edits_for(self, prompt: Sequence[int], tokens: int) -> tuple[ResolvedEdit, ...]:
        for edit in self.edits:
            self.check_edit(edit, prompt, tokens)
        return ()

    def close(self) -> None:
        self.closed = True

    def fits(self, options: GenerateOptions) -> bool:
        return options.context <= self.max_context

    def loading_map(self, glyphs: np.ndarray, window: int, *, tables: bool = True) -> Loading[Any]:
        raise UsageError("this model has no map")

    def grow_context(self, context: int) -> Loading[None]:
        for part in range(3):
            yield "weights", part / 2
        self.max_context = context

    def replay(
        self,
        prompt_tokens: Sequence[tuple[int, str]],
        steps: Sequence[StepRecord],
        options: GenerateOptions,
        edits: Sequence[ResolvedEdit] | None = None,
    ) -> FakeReplay:
        self.replays.append(len(steps))
        return FakeReplay()

    def paint(self) -> bool:
        self.strip.update()
        return self.strip.pending
