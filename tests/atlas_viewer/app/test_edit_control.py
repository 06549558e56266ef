"""What the window computes again after a change of its edits, with a real model and without a window."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.app.run_controller import RunController
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import edit_list
from atlas_viewer.state.edit_list import OFF, SOLO
from atlas_viewer.state.requests import Continue, Generate, MeasureEdit, PatchFrom
from atlas_viewer.state.state import State
from compute.edits.grammar import parse_edit
from compute.errors import UsageError
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

from helpers.make_recordings import make_session

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time, there was a little"
HEAD = "h.3.attn.out = 0"
OPTIONS = GenerateOptions(max_new_tokens=6, context=64, temperature=0.0)


@pytest.fixture(scope="module")
def runner() -> Iterator[ModelRunner]:
    runner = ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64, measured=False))
    yield runner
    runner.close()


class Window:
    """A run controller, advanced until nothing is left to do."""

    def __init__(self, runner: ModelRunner) -> None:
        runner.set_edits(())
        self.runner, self.state = runner, State(PROMPT, OPTIONS)
        self.controller = RunController(runner, self.state)
        self.do(Generate(PROMPT, OPTIONS))

    def do(self, *requests: object) -> None:
        self.state.requests.extend(requests)  # type: ignore[arg-type]
        self.settle()

    def settle(self) -> None:
        while self.state.requests:
            self.controller.do(self.state.requests.popleft())
        while self.controller.pending:
            self.controller.advance(0.0, 1.0)

    @property
    def tokens(self) -> list[int]:
        assert self.state.run is not None
        return [step.token for step in self.state.run.steps]

    @property
    def in_engine(self) -> list[str]:
        return [str(edit) for edit in self.runner.engine.edits]

    def expected(self, *edits: str) -> list[int]:
        """The tokens of a run with these edits from its beginning."""
        self.runner.set_edits([parse_edit(text) for text in edits])
        generation = self.runner.start(PROMPT, OPTIONS)
        generation.run()
        self.controller._replayer.forget()  # the engine has other rows now
        return [step.token for step in generation.steps]


def test_an_edit_reruns_the_text_in_a_branch_and_off_shows_the_first_run_again(runner: ModelRunner) -> None:
    window = Window(runner)
    state, plain = window.state, window.tokens
    first = state.run
    edit_list.add(state, HEAD)
    window.settle()
    edited, branch = window.tokens, state.run
    assert edited != plain
    assert len(edited) == 6
    assert branch is not None
    assert first is not None
    assert (branch.parent, branch.edited, branch.name) == (first.number, True, "zero h.3.attn.out")
    assert [step.token for step in first.steps] == plain, "the previous run stays as it was"
    assert window.in_engine == [HEAD]
    edit_list.hold(state, OFF)
    window.settle()
    assert state.run is first
    assert window.in_engine == []
    edit_list.hold(state, "")
    window.settle()
    assert state.run is branch
    assert window.tokens == edited
    assert window.in_engine == [HEAD]
    assert len(state.runs.all) == 2
    assert window.expected(HEAD) == edited


def test_further_changes_rerun_the_same_branch(runner: ModelRunner) -> None:
    window = Window(runner)
    state = window.state
    entry = edit_list.add(state, HEAD)
    window.settle()
    for strength in (0.75, 0.5):
        edit_list.set_strength(state, entry.number, strength, gesture="drag")
    edit_list.add(state, "h.5.attn.out[head=1] = 0")
    window.settle()
    assert len(state.runs.all) == 2
    assert window.in_engine == ["h.3.attn.out *= 0.5", "h.5.attn.out[head=1] = 0"]
    tokens = window.tokens
    edit_list.hold(state, SOLO)
    window.settle()
    assert window.in_engine == ["h.5.attn.out[head=1] = 0"]
    assert tokens == window.expected("h.3.attn.out *= 0.5", "h.5.attn.out[head=1] = 0")


def test_an_edit_of_a_later_token_keeps_the_steps_before_it(runner: ModelRunner) -> None:
    window = Window(runner)
    state, plain = window.state, window.tokens
    assert state.run is not None
    prompt = len(state.run.prompt_tokens)
    edit_list.add(state, f"h.0.resid_post[pos={prompt + 2}] *= 0")
    window.settle()
    assert state.run is not None
    assert state.run.fork == 3
    assert window.tokens[:3] == plain[:3]
    assert len(window.tokens) == 6
    edit_list.clear(state)
    edit_list.add(state, f"logits[{prompt + 4}] *= -1")
    window.settle()
    assert window.tokens[:5] == plain[:5]
    assert window.tokens[5] != plain[5]
    runs = len(state.runs.all)
    edit_list.clear(state)
    edit_list.add(state, f"h.0.resid_post[pos={prompt + 40}] *= 0")
    window.settle()
    assert window.tokens == plain
    assert len(state.runs.all) == runs


def test_without_a_rerun_the_edits_apply_from_the_next_token_on(runner: ModelRunner) -> None:
    window = Window(runner)
    state, plain = window.state, window.tokens
    state.edits.reruns = False
    edit_list.add(state, HEAD)
    window.settle()
    assert window.tokens == plain
    assert window.in_engine == [], "the step on screen was computed without edits"
    window.do(Continue(2))
    assert state.run is not None
    assert window.tokens[:6] == plain
    assert window.in_engine == [HEAD]
    assert sorted(state.run.edits) == [0, 6]
    state.chosen = 3
    window.settle()
    assert window.in_engine == []
    state.chosen = 7
    window.settle()
    assert window.in_engine == [HEAD]


def test_what_does_not_fit_is_reported_and_the_run_stays(runner: ModelRunner) -> None:
    window = Window(runner)
    state, plain, run = window.state, window.tokens, window.state.run
    for text, message in (
        ("h.3.attn.uot = 0", "h.3.attn.uot: no tensor has this name; the nearest are h.3.attn.out (tokens x 192)"),
        ("h.3.attn.out[head=9] = 0", "there is no head 9; h.3.attn.out has 6 heads"),
        ("h.3.attn.out += no.npy", "no.npy: there is no such file"),
    ):
        entry = edit_list.add(state, text)
        window.settle()
        assert message in state.edits.problems[entry.number]
        assert message in state.messages[-1]
        assert "\n" not in state.messages[-1]
    assert state.run is run
    assert window.tokens == plain
    assert state.edits.active == ()
    edit_list.add(state, HEAD)
    window.settle()
    assert window.in_engine == [HEAD]


def test_the_list_begins_with_the_edits_of_the_model(runner: ModelRunner) -> None:
    runner.set_edits([parse_edit(HEAD)])
    state = State(PROMPT, OPTIONS)
    controller = RunController(runner, state)
    assert [entry.text for entry in state.edits.entries] == [HEAD]
    controller.do(Generate(PROMPT, OPTIONS))
    assert state.run is not None
    assert [str(edit) for edit in state.run.edits_at(0) or ()] == [HEAD]
    assert not state.edits.can_undo


def test_an_edit_is_measured_beside_its_control_and_rounding(runner: ModelRunner) -> None:
    window = Window(runner)
    state = window.state
    entry, other = edit_list.add(state, HEAD), edit_list.add(state, "h.5.mlp.gelu[:, 3] *= 1")
    window.settle()
    tokens = window.tokens
    state.chosen = 0
    window.settle()
    window.do(MeasureEdit(entry.number))
    found = state.edits.measures[entry.number]
    edit, control, noise = (float(number) for number in re.findall(r"up to ([-+.e\d]+)", found))
    assert edit > 0.5
    assert 0 < control < edit, "a random change of attention moves the prediction less"
    assert noise < 1e-3
    prompt = [token for token, _ in state.run.prompt_tokens] if state.run else []
    logits = []
    for edits in ([], [HEAD]):
        runner.set_edits([parse_edit(text) for text in edits])
        engine = runner.engine
        engine.set_edits(runner.edits_for(prompt, len(prompt)))
        logits.append(WholePass(engine).last_logits(prompt)[0, :50257])
    assert edit == pytest.approx(float(np.abs(logits[0] - logits[1]).max()), rel=0.06)
    assert window.tokens == tokens
    window.controller._replayer.forget()
    window.do(MeasureEdit(other.number))
    assert "step 1: KL 0, logits by up to 0\n" in state.edits.measures[other.number]
    assert window.in_engine == [HEAD, "h.5.mlp.gelu[:, 3] *= 1"], "the pass of the step is computed again"
    edit_list.switch(state, other.number)
    window.settle()
    assert state.edits.measures == {}
    with pytest.raises(UsageError, match="switch it on"):
        window.do(MeasureEdit(other.number))


def test_a_patch_from_the_run_without_edits_brings_back_its_text(runner: ModelRunner) -> None:
    window = Window(runner)
    state, plain = window.state, window.tokens
    assert state.run is not None
    first = state.run.number
    edit_list.add(state, HEAD)
    window.settle()
    assert window.tokens != plain
    window.do(PatchFrom("h.3.resid_mid", first, 5))
    patch = state.edits.entries[-1]
    assert patch.note == f"from run {first}, step 6"
    assert state.edits.problems == {}
    assert window.tokens == plain, "everything after the edit is that of the first run"
    window.do(PatchFrom("h.3.attn.pattern[head=2]", first, 5))
    assert window.tokens == plain
    with pytest.raises(UsageError, match="no weights"):
        window.do(PatchFrom("wte", first, 5))


def test_a_recording_continues_with_its_edits(runner: ModelRunner, tmp_path: Path) -> None:
    with Recording(make_session(tmp_path / "a.atlas", steps=3, edits=True)) as recording:
        state = State("", GenerateOptions())
        player = Player(recording, state)
        player.show()
        state.run = player.run
        player.frame(1.0)
        texts = [edit.text for edit in recording.run().edits]
        listed = [f"{entry.note}".removeprefix("as recorded: ") or entry.text for entry in state.edits.entries]
        assert listed == texts
