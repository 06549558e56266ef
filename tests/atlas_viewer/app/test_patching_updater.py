"""What connects the Patching panel to a source of maps: begin, wait for a run, stop, fail, save."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from atlas_viewer.app.patching_files import write_map
from atlas_viewer.app.patching_updater import PatchingUpdater
from atlas_viewer.state import edit_list
from atlas_viewer.state.patching_view import ABLATE, PATCH, STEER
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from compute.errors import OutputExistsError, UsageError
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer

from helpers.json_schemas import errors
from helpers.patching_results import FakeSweeps, map_job, map_result

TOKENIZER = load_tokenizer()
MODEL = ModelSummary("fake", 8, 6, 192, 64, 50257, 1, "bf16", "an adapter")


class Bench:
    """An updater with a fake source."""

    def __init__(self) -> None:
        self.state = State("One day, Tom had a ball", GenerateOptions(), model=MODEL)
        view = self.state.patching
        view.corrupt, view.target, view.against = "One day, Ben had a ball", " Tom", " Ben"
        self.state.ui.shown = {"Patching"}
        self.source = FakeSweeps()
        self.model = SimpleNamespace(sweeps=self.source, unavailable="", tokenizer=TOKENIZER)
        self.updater = PatchingUpdater(self.state)

    def frame(self, count: int = 1) -> None:
        for _ in range(count):
            self.updater.frame(self.model, 0.01)

    def waits(self) -> bool:
        """True while more frames must be drawn."""
        return self.updater.pending


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_sweep_begins_with_the_edits_in_force_and_its_map_stays(bench: Bench) -> None:
    state, view = bench.state, bench.state.patching
    edit_list.add(state, "h.0.attn.out = 0")
    bench.frame()
    assert view.job
    assert not bench.waits()
    view.start = True
    bench.frame()
    assert bench.source.jobs == [view.job]
    assert [str(edit) for edit in bench.source.edits[0]] == ["h.0.attn.out = 0"]
    assert (view.done, view.total, view.busy) == (1, 3, True)
    assert bench.waits()
    bench.frame(2)
    assert not bool(view.busy)
    assert not bench.waits()
    assert view.result is not None
    assert bool(view.current)
    view.control = True
    bench.frame()
    assert not bool(view.current)
    assert view.result is not None


def test_a_run_in_progress_goes_first(bench: Bench) -> None:
    state, view = bench.state, bench.state.patching
    bench.frame()
    view.start = True
    bench.frame()
    state.run = Run(state.prompt, state.options, [(1, "One")])
    bench.frame(10)
    assert bool(view.waiting)
    assert bool(view.busy)
    state.run.done = True
    bench.frame(3)
    assert view.result is not None


def test_stop_keeps_the_map_before(bench: Bench) -> None:
    view = bench.state.patching
    before = view.results[PATCH] = map_result()
    bench.frame()
    view.start = True
    bench.frame()
    view.cancel = True
    bench.frame(5)
    assert bench.source.cancelled == 1
    assert not bool(view.busy)
    assert view.result is before
    assert view.note == "stopped"


def test_a_failure_is_one_line_and_the_panel_goes_on(bench: Bench) -> None:
    view = bench.state.patching
    bench.frame()
    bench.source.fails = "h.9: no such tensor"
    view.start = True
    bench.frame(2)
    assert view.failure == "h.9: no such tensor"
    assert not bool(view.busy)
    bench.source.fails = ""
    view.start = True
    bench.frame(3)
    assert view.failure == ""
    assert view.result is not None


def test_another_model_has_other_maps(bench: Bench) -> None:
    view = bench.state.patching
    bench.frame()
    view.start = True
    bench.frame()
    bench.model.sweeps = FakeSweeps()
    bench.frame()
    assert bench.source.cancelled == 1
    assert not bool(view.busy)
    assert view.results == {}
    bench.model.sweeps, bench.model.unavailable = None, "only recorded"
    bench.frame()
    assert view.problem == "only recorded"


def test_a_steering_vector_is_kept_and_saved(bench: Bench, tmp_path: Path) -> None:
    view = bench.state.patching
    view.section, view.texts_a, view.texts_b = STEER, "glad", "sad"
    bench.frame()
    view.start = True
    bench.frame(3)
    assert view.steering is not None
    assert bool(view.current)
    view.save = str(tmp_path / "v.npz")
    bench.frame()
    assert bench.source.saved == [tmp_path / "v.npz"]
    assert view.note.startswith("saved ")


def test_a_map_is_saved_as_picture_arrays_and_json(bench: Bench, tmp_path: Path) -> None:
    view = bench.state.patching
    view.results[PATCH] = result = map_result(control=True)
    for suffix in (".png", ".svg", ".npz", ".json"):
        view.save = str(tmp_path / f"map{suffix}")
        bench.frame()
        assert view.failure == ""
        assert view.save == ""
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert "layer 7" in (tmp_path / "map.svg").read_text()
    with np.load(tmp_path / "map.npz") as arrays:
        assert np.array_equal(arrays["values"], result.values)
        assert result.control is not None
        assert np.array_equal(arrays["control"], result.control)
    data = json.loads((tmp_path / "map.json").read_text())
    assert errors("patch", data) == []
    assert data["values"][7][3] == result.values[7, 3]
    for name, message in (("map.png", "exists"), ("map.txt", "give a name that ends in .png, .svg, .npz or .json")):
        view.save = str(tmp_path / name)
        bench.frame()
        assert message in view.failure
        assert "\n" not in view.failure


def test_an_ablation_is_saved_with_its_mlps(tmp_path: Path) -> None:
    result = map_result(map_job(ABLATE))
    write_map(tmp_path / "a.npz", result, MODEL)
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["heads"].shape == (8, 6)
        assert np.array_equal(arrays["mlps"], result.values[:, 6])
    write_map(tmp_path / "a.json", result, MODEL)
    data = json.loads((tmp_path / "a.json").read_text())
    assert data["mlps"][7] == result.values[7, 6]
    with pytest.raises(OutputExistsError):
        write_map(tmp_path / "a.npz", result, MODEL)
    with pytest.raises(UsageError):
        write_map(tmp_path / "a", result, MODEL)
