"""What the window computes again after a change of its edits, with a real model and without a window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atlas_viewer.app.run_controller import RunController
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import edit_list
from atlas_viewer.state.edit_list import OFF, SOLO
from atlas_viewer.state.requests import Continue, Generate
from atlas_viewer.state.state import State
from compute.edits.grammar import parse_edit
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

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
