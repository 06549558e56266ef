"""A recording of the window whose edits change between steps: what is recorded, listed, played and verified."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from atlas_viewer.app.run_controller import RunController
from atlas_viewer.recording.diff import diff_runs
from atlas_viewer.recording.edit_records import edit_changes
from atlas_viewer.recording.live_recording import LiveRecording
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.verify import IDENTICAL, WITHIN, verify_run
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import edit_list
from atlas_viewer.state.requests import Continue, Generate, Record
from atlas_viewer.state.state import State
from compute.forward.load_options import LoadOptions
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import open_model

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time"
HEAD = "h.3.attn.out = 0"
OPTIONS = GenerateOptions(max_new_tokens=3, context=64, temperature=0.0)


def test_a_change_of_edits_is_recorded_with_its_step(tmp_path: Path) -> None:
    runner = ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=64, measured=False))
    state = State(PROMPT, OPTIONS, live=False)
    controller, live = RunController(runner, state), LiveRecording(state)

    def settle() -> None:
        while state.requests or controller.pending or live.pending:
            while state.requests:
                controller.do(state.requests.popleft())
            controller.advance(0.0, 1.0)
            live.frame(time.perf_counter())

    path = tmp_path / "a.atlas"
    live.start(runner, Record(str(path)))
    settle()
    state.requests.append(Generate(PROMPT, OPTIONS))
    settle()
    state.edits.reruns = False
    entry = edit_list.add(state, HEAD)
    state.requests.append(Continue(2))
    settle()
    edit_list.switch(state, entry.number)
    state.requests.append(Continue(1))
    settle()
    live.stop()
    settle()
    live.close()
    with Recording(path) as recording:
        run = recording.run()
        steps = recording.steps(run)
        assert [[edit.text for edit in step.edits] for step in steps] == [[], [], [], [HEAD], [HEAD], []]
        assert [(step, [edit.text for edit in edits]) for step, edits in edit_changes(recording, run)] == [
            (3, [HEAD]),
            (5, []),
        ]
        verdicts = [verdict.verdict for verdict in verify_run(recording, run, runner.engine, load_tokenizer())]
        assert set(verdicts) <= {IDENTICAL, WITHIN}
        assert diff_runs(recording, run, recording, run).same
        played = State("", GenerateOptions())
        player = Player(recording, played)
        assert [len(player.run.edits_at(step) or ()) for step in range(6)] == [0, 0, 0, 1, 1, 0]
        player.show()
        played.run = player.run
        for position, texts in ((4, [HEAD]), (6, []), (3, [])):
            player.playback.seek = position
            player.frame(float(position))
            assert [entry.text for entry in played.edits.entries] == texts
    runner.close()
