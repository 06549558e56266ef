"""Other models in the window: fetched from a hub on loopback, loaded between frames, refused with a message."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imgui_bundle import imgui

from atlas_viewer.app.model_fetching import ModelFetching, known_models
from atlas_viewer.app.model_switch import ModelSwitch
from atlas_viewer.hub.catalogue import CATALOGUE
from atlas_viewer.state.model_choice import ModelChoice, ModelChoices
from atlas_viewer.state.requests import FetchModel, Generate, LookUpModel, OpenModel, StopFetch
from atlas_viewer.state.state import ModelSummary, State
from compute.errors import CheckpointError, MemoryBudgetError
from compute.gpu.device import shared_device
from compute.gpu.loading import Loading
from compute.sampling.options import GenerateOptions
from compute.weights.model_cache import fetched_model

from helpers.fake_generation import FakeRunner
from helpers.fetch_cases import ENTRY, KEY, WEIGHTS, empty_cache, small_hub
from helpers.hub_server import HubServer
from helpers.make_hugging_face import config_values
from helpers.patience import nap, wait_until
from helpers.screen import Screen, context
from helpers.viewer_loop import Loop

pytestmark = pytest.mark.gpu

__all__ = ["context"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    empty_cache(tmp_path / "cache", monkeypatch)
    monkeypatch.setitem(CATALOGUE, "gpt2", ENTRY)
    with small_hub(monkeypatch) as server:
        yield server


def until(done: Callable[[], bool], step: Callable[[], object]) -> None:
    wait_until(done, "it comes about", meanwhile=lambda: (step(), nap()))


def finish(fetching: ModelFetching) -> None:
    until(lambda: not fetching.pending, fetching.poll)


def here(name: str) -> bool:
    return next(choice.here for choice in known_models() if choice.name == name)


def test_a_model_is_looked_up_then_fetched(hub: HubServer) -> None:
    choices = ModelChoices()
    fetching = ModelFetching(choices)
    assert not here("gpt2")
    assert here("stories")
    fetching.look_up("gpt2")
    assert choices.busy
    fetching.look_up("gpt2-xl")  # ignored while another task runs
    finish(fetching)
    assert choices.offered == ("gpt2", 50_022, "MIT")
    assert (choices.busy, choices.error) == ("", "")
    fetching.fetch("gpt2")
    finish(fetching)
    assert (choices.done, choices.total, choices.error) == (50_022, 50_022, "")
    assert choices.offered is None
    assert fetched_model("gpt2").is_dir()
    assert next(choice.here for choice in choices.known if choice.name == "gpt2")


def test_failures_are_reported_and_stopping_keeps_fetched_files(hub: HubServer) -> None:
    choices = ModelChoices()
    fetching = ModelFetching(choices)
    del hub.files[KEY]
    fetching.look_up("gpt2")
    finish(fetching)
    assert "gpt2" in choices.error or "small" in choices.error
    assert choices.offered is None
    hub.files[KEY] = bytes(50_000)
    fetching.look_up("gpt2")
    finish(fetching)
    fetching.stop()
    fetching.fetch("gpt2")
    fetching.stop()
    finish(fetching)
    assert choices.error or here("gpt2")


class Other(FakeRunner):
    """A model with few positions."""

    summary = ModelSummary("other", 2, 2, 64, 128, 50257, 1_000_000, "f32", "no adapter at all", 1 << 20)


def test_another_model_replaces_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop(3)
    loop.finish()
    first, other = loop.runner, Other(shared_device())
    specs: list[str] = []

    def open_model(spec: str) -> Loading[FakeRunner]:
        specs.append(spec)
        if spec == "missing":
            raise CheckpointError("missing: there is no such file")
        return loading(spec)

    def loading(spec: str) -> Loading[FakeRunner]:
        yield "weights", 0.5
        if spec == "large":
            raise MemoryBudgetError("large: needs more memory than there is")
        yield "kernels", 1.0
        return other

    state = loop.state
    loop.viewer.switch = ModelSwitch(state, open_model)
    titles: list[str] = []
    monkeypatch.setattr(loop.canvas, "set_title", titles.append)
    for spec in ("missing", "large"):
        state.models.error = ""
        state.requests.append(OpenModel(spec))
        loop.draw(4)
        assert state.models.error.startswith(spec)
        assert (state.models.path, state.ui.dialog, state.messages) == (spec, "models", [])
        assert state.model is first.summary
        assert not state.loading
        state.ui.dialog = ""
        loop.draw(2)
        assert not state.models.error
    assert not titles
    state.requests.append(OpenModel("other"))
    loop.draw(2)
    assert state.loading == "loading other"
    loop.draw(6)
    loop.finish()
    assert (state.model, first.closed, other.closed) == (other.summary, True, False)
    assert len(state.runs.all) == 1
    assert state.options.context == 128
    state.ui.front = "Atlas"
    loop.draw(6)
    assert other.strip.painted
    assert specs == ["missing", "large", "other"]
    assert titles == ["Tensor Atlas - other"]


def test_runs_are_discarded_only_after_a_question() -> None:
    loop = Loop(3)
    loop.finish()
    state, other = loop.state, Other(shared_device())
    specs: list[str] = []

    def open_model(spec: str) -> Loading[FakeRunner]:
        specs.append(spec)
        if spec == "refused":
            raise CheckpointError("refused: there is no such file")
        return loading()

    def loading() -> Loading[FakeRunner]:
        yield "weights", 1.0
        return other

    loop.viewer.switch = ModelSwitch(state, open_model)
    state.requests.append(Generate("three", state.options))
    loop.finish()
    loop.finish()
    assert len(state.runs.all) == 2
    state.requests.append(OpenModel("other"))
    loop.draw(3)
    question = state.recording.question
    assert question is not None
    assert (state.ui.dialog, specs) == ("discard", [])
    assert question.text.startswith("2 runs that no file contains")
    assert (question.act, question.request) == ("Open other", OpenModel("other", discard=True))
    state.ui.dialog = ""
    loop.draw(4)
    assert (len(state.runs.all), specs) == (2, [])
    state.recording.saved = {number: len(run.steps) for number, run in state.runs.all.items()}
    state.requests.append(OpenModel("refused"))
    loop.draw(2)
    assert specs == ["refused"], "runs that a file contains are not lost"
    state.recording.saved, state.ui.dialog = {}, ""
    state.requests.append(OpenModel("other", discard=True))
    loop.draw(6)
    loop.finish()
    assert state.model is other.summary
    assert (state.ui.dialog, len(state.runs.all)) == ("", 1)


def test_the_dialog(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State("a", GenerateOptions(), model=Other.summary)
    state.models.known = [
        ModelChoice("stories", "embedded", "MIT", True),
        ModelChoice("gpt2", "124 million parameters", "MIT", False),
    ]
    screen = Screen(state, monkeypatch)
    state.ui.dialog = "models"
    screen.frame(3)
    screen.click("Fetch ...##gpt2")
    assert list(state.requests) == [LookUpModel("gpt2")]
    state.models.offered = ("gpt2", 548_000_000, "MIT")
    screen.frame(2)
    assert screen.shows("548 MB to download, license MIT")
    screen.click("548 MB: fetch##gpt2")
    assert list(state.requests)[1:] == [FetchModel("gpt2")]
    state.models.offered, state.models.busy = None, "fetching gpt2"
    state.models.done, state.models.total = 10_000_000, 548_000_000
    screen.frame(2)
    screen.click("Stop##fetch")
    assert list(state.requests)[2:] == [StopFetch()]
    state.models.busy, state.models.error = "", "gpt2: the hub cannot be reached"
    screen.frame(2)
    assert screen.shows("the hub cannot be reached")
    screen.click("Open##stories")
    assert list(state.requests)[3:] == [OpenModel("stories")]


def test_a_refused_path_stays_selected(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State("a", GenerateOptions(), model=Other.summary)
    screen = Screen(state, monkeypatch)
    state.ui.dialog = "models"
    screen.frame(3)
    state.models.path, state.models.refused, state.models.error = (
        "missing.bin",
        True,
        "missing.bin: there is no such file",
    )
    screen.frame(3)
    assert screen.shows("there is no such file")
    for letter in "other":
        screen.io.add_input_character(ord(letter))
    screen.frame(2)
    assert state.models.path == "other", "typing replaces the selected path"
    screen.press(imgui.Key.enter)
    assert list(state.requests) == [OpenModel("other")]


def test_the_path_field_has_the_focus_when_the_dialog_opens(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State("a", GenerateOptions(), model=Other.summary)
    screen = Screen(state, monkeypatch)
    screen.press(imgui.Key.o, ctrl=True)
    screen.frame(2)
    for letter in "random:gpt2":
        screen.io.add_input_character(ord(letter))
    screen.frame(2)
    screen.press(imgui.Key.enter)
    assert list(state.requests) == [OpenModel("random:gpt2")]


def test_a_repository_is_looked_up_and_fetched_by_its_name(hub: HubServer) -> None:
    config = json.dumps(config_values()).encode()
    hub.files = {"owner/small/config.json": config, "owner/small/model.safetensors": WEIGHTS}
    choices = ModelChoices()
    fetching = ModelFetching(choices)
    fetching.look_up("owner/small")
    finish(fetching)
    assert choices.error == ""
    assert choices.offered == ("owner/small", len(config) + len(WEIGHTS), "apache-2.0")
    assert choices.new
    fetching.fetch("owner/small")
    finish(fetching)
    assert choices.error == ""
    assert here("owner/small")
    choices.search = "SMALL owner"
    assert [one.name for one in choices.found] == ["owner/small"]


def test_the_dialog_asks_the_hub_about_a_repository(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State("one", GenerateOptions())
    state.ui.dialog, state.models.known = "models", [ModelChoice("stories", "small", "MIT", True)]
    state.models.path = "owner/small"
    screen = Screen(state, monkeypatch)
    screen.click("Open##path")
    assert list(state.requests) == [LookUpModel("owner/small")]
    state.models.offered = ("owner/small", 5_000_000, "MIT")
    screen.frame(2)
    screen.click("fetch new")
    assert state.requests[-1] == FetchModel("owner/small")
