"""Run control on a canvas in memory: targets and the paused state survive every way to get there."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from atlas_viewer.state.requests import Branch, Continue, OpenModel, Pause, ResumeWith, ShowRun, Undo
from atlas_viewer.state.runs import Run
from compute.text.chat import Turn

from helpers.patience import PATIENCE_S
from helpers.viewer_loop import Loop

pytestmark = pytest.mark.gpu


def test_pause_step_continue_and_undo() -> None:
    loop = Loop(6)
    loop.draw(9)
    loop.state.requests.append(Pause())
    loop.draw(1)
    run = loop.state.run
    assert run is not None
    written = len(run.steps)
    assert (run.done, run.stop_reason, run.paused) == (True, "paused", True)
    assert 0 < written < 6
    loop.state.requests.append(Continue(1))
    loop.finish()
    assert (len(run.steps), run.stop_reason, run.options.max_new_tokens) == (written + 1, "paused", 6)
    loop.state.requests += [Undo(), Undo()]
    loop.draw(1)
    assert len(run.steps) == written - 1
    assert run.continuation == " ".join(str(step.token) for step in run.steps)
    loop.state.requests.append(Continue())
    loop.finish()
    assert (len(run.steps), run.stop_reason) == (6, "length")
    loop.state.requests.append(Continue())
    loop.finish()
    assert len(run.steps) == 12
    assert loop.state.runs.all == {1: run}


def test_a_branch_shares_the_earlier_steps_and_continues() -> None:
    loop = Loop(5)
    loop.finish()
    root = loop.state.run
    assert root is not None
    loop.state.requests.append(Branch(2, 2003))
    loop.draw(1)
    loop.finish()
    child = loop.state.run
    assert child is not None
    assert child is not root
    assert (child.parent, child.fork, len(child.steps)) == (root.number, 2, 5)
    assert child.steps[:2] == root.steps[:2]
    assert (child.steps[2].token, child.steps[2].rank) == (2003, 4)
    assert child.steps[2].logit == root.steps[2].top[3].logit
    assert loop.state.runs.order() == [root, child]
    loop.state.requests.append(Branch(0, 49000))  # not among the candidates: unknown values stay unknown
    loop.draw(1)
    other = loop.state.run
    assert other is not None
    assert (other.parent, other.steps[0].rank, other.steps[0].logit != other.steps[0].logit) == (child.number, 0, True)
    loop.state.requests.append(ShowRun(root.number))
    loop.draw(1)
    assert loop.state.run is root
    assert loop.state.runs.depth(other) == 2


def paused_at(steps: int, target: int) -> tuple[Loop, Run]:
    """A run of `target` tokens that is paused after `steps`."""
    loop = Loop(target)
    for _ in range(200):
        loop.draw(1)
        run = loop.state.run
        if run is not None and len(run.steps) >= steps:
            break
    loop.state.requests.append(Pause())
    loop.draw(1)
    assert run is not None
    loop.state.requests += [Undo()] * (len(run.steps) - steps)
    loop.draw(1)
    assert (len(run.steps), run.done, run.stop_reason) == (steps, True, "paused")
    return loop, run


def test_the_target_survives_pausing_stepping_and_undoing() -> None:
    loop, run = paused_at(23, 64)
    for request, steps in ((Continue(1), 24), (Continue(1), 25), (Undo(), 24), (Undo(), 23)):
        loop.state.requests.append(request)
        loop.draw(1)
        loop.finish()
        assert (len(run.steps), run.stop_reason, run.options.max_new_tokens) == (steps, "paused", 64)
    loop.state.options = replace(loop.state.options, max_new_tokens=30)  # New tokens
    loop.state.requests.append(Continue())
    loop.finish()
    assert (len(run.steps), run.stop_reason, run.options.max_new_tokens) == (30, "length", 30)
    loop.state.requests.append(Continue(1))
    loop.draw(1)
    loop.finish()
    assert (len(run.steps), run.stop_reason, run.options.max_new_tokens) == (31, "length", 31)


def test_an_extended_run_keeps_its_target() -> None:
    loop = Loop(4)
    loop.finish()
    run = loop.state.run
    assert run is not None
    loop.state.requests.append(Continue())
    loop.draw(1)
    loop.state.requests.append(Pause())
    loop.draw(1)
    loop.state.requests += [Undo()] * (len(run.steps) - 2)
    loop.draw(1)
    assert (len(run.steps), run.options.max_new_tokens) == (2, 8)
    loop.state.requests.append(Continue())
    loop.draw(1)
    loop.finish()
    assert (len(run.steps), run.stop_reason) == (8, "length")


def test_a_window_without_other_models_says_so() -> None:
    loop = Loop(2)
    loop.finish()
    loop.state.ui.dialog = "models"
    loop.state.requests.append(OpenModel("gpt2"))
    loop.draw(2)
    assert "only shows a recording" in loop.state.messages[-1]
    assert loop.state.ui.dialog == "", "the message is visible"


def test_a_step_in_progress_still_ends_after_new_options() -> None:
    loop, run = paused_at(3, 40)
    loop.state.requests.append(Continue(1))
    loop.draw(1)
    loop.state.requests += [Pause(), ResumeWith(run.options, run.until)]  # as a recording that starts now
    loop.draw(1)
    loop.finish()
    assert (len(run.steps), run.stop_reason, run.options.max_new_tokens) == (4, "paused", 40)


def test_a_branch_of_a_paused_run_is_paused_and_ends_where_new_tokens_says() -> None:
    loop, run = paused_at(9, 20)
    loop.state.requests += [Continue(1)]
    loop.draw(1)
    loop.finish()
    loop.state.requests.append(Branch(2, 2003))
    loop.draw(6)
    child = loop.state.run
    assert child is not None
    assert (child.parent, len(child.steps), child.steps[2].token) == (run.number, 3, 2003)
    assert (child.done, child.stop_reason, child.options.max_new_tokens) == (True, "paused", 20)
    loop.state.requests.append(Continue())
    loop.draw(1)
    loop.finish()
    assert (len(child.steps), child.stop_reason) == (20, "length")
    loop.state.options = replace(loop.state.options, max_new_tokens=7)
    loop.state.requests.append(Branch(3, 3004))  # of a finished run: it is generated at once
    loop.draw(1)
    loop.finish()
    other = loop.state.run
    assert other is not None
    assert (other.parent, len(other.steps), other.stop_reason) == (child.number, 7, "length")


def test_a_chat_runs_as_the_exact_text_and_stays_one_in_branches() -> None:
    loop = Loop(5)
    loop.finish()
    state = loop.state
    state.chat.on, state.prompt = True, "hello"
    state.chat.turns.append(Turn("system", "be brief"))
    state.generate()
    loop.finish()
    run, turns = state.run, (Turn("system", "be brief"), Turn("user", "hello"))
    assert run is not None
    assert (run.prompt, run.turns) == ("<system> be brief <user> hello", turns)
    assert state.ui.prompts[-1] == "hello"
    until = time.monotonic() + PATIENCE_S
    while state.prompt_tokens.turns != turns and time.monotonic() < until:
        loop.draw(1)  # a chat is tokenized on another thread when nothing is typed any more
    assert (state.prompt_tokens.text, state.prompt_tokens.turns) == ("hello", turns)
    assert len(state.prompt_tokens.tokens) == len(run.prompt_tokens) == 5
    assert state.prompt_counted
    loop.state.requests.append(Branch(2, 2003))
    loop.draw(1)
    assert state.run is not None
    assert state.run.turns == turns
    state.chat.on = False
    assert not state.prompt_counted
