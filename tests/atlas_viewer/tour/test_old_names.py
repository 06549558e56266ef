"""Tours that name widgets by the labels of an earlier version find them."""

from __future__ import annotations

import pytest

from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import State
from atlas_viewer.tour import old_names
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.actions import ACTIONS
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import fake_step
from helpers.fake_tensor_reader import fake_tensors
from helpers.screen import Screen, context

__all__ = ["context"]

# Labels of the version before widgets had ids, where to find them, and the ids.
MENUS = (
    ("Run", "Take back a token", "run.undo"),
    ("Run", "One token more", "run.step"),
    ("File", "Open or fetch a model", "app.models"),
    ("View", "Colour tokens by something else", "tokens.colour"),
    ("View", "Go to Atlas", "focus.Atlas"),
    ("Atlas", "Pool or point sampling", "atlas.sampling"),
)
PANELS = (
    ("Generated tokens", "Play##play", "Play##play"),
    ("Generated tokens", "Step##step", "Step##step"),
    ("Generated tokens", "use", "use"),
    ("Runs", "Once upon a##run1", "run1"),
    ("Tensors", "  attn.c_attn.weight##h.0.attn.c_attn.weight", "h.0.attn.c_attn.weight"),
    ("Logits", "token id##head", "token##head"),
    ("Atlas", "auto", "auto"),
    ("Session", "of every tensor##session statistics", "session statistics"),
    ("Session", "Record the window##video", "Record the window##video"),
    ("Trace", "Trace", "Trace"),
)


@pytest.fixture
def screen(context: None, monkeypatch: pytest.MonkeyPatch) -> Screen:
    options = GenerateOptions(max_new_tokens=16)
    run = Run("Once upon a", options, [(1, "Once"), (2, " upon"), (3, " a")], [fake_step(i) for i in range(4)])
    state = State("Once upon a", options)
    run.done, run.stop_reason = True, "length"
    state.runs.add(run)
    state.run = run
    state.inspection.tensors, state.inspection.layout = fake_tensors()
    return Screen(state, monkeypatch)


@pytest.mark.parametrize(("menu", "label", "identity"), MENUS)
def test_entries_of_menus(screen: Screen, menu: str, label: str, identity: str) -> None:
    assert old_names.find(label) is None
    screen.click(f"{menu}##menu")
    screen.frame(2)
    assert old_names.find(label) == old_names.find(identity) == widget_tracking.rects[identity]


def test_entries_of_the_palette(screen: Screen) -> None:
    screen.state.ui.dialog = "palette"
    screen.frame(3)
    assert old_names.find("Take back a token##run.undo") == widget_tracking.rects["run.undo"]


@pytest.mark.parametrize(("panel", "label", "identity"), PANELS)
def test_widgets_of_panels(screen: Screen, panel: str, label: str, identity: str) -> None:
    screen.state.ui.front = panel
    screen.frame(4)
    assert old_names.find(f"tab:{panel}") is not None
    assert old_names.find(label) == widget_tracking.rects[identity]


def test_labels_of_all_actions_are_known() -> None:
    assert {old_names._IDS[label] for label in old_names._IDS if "##" not in label} <= {a.name for a in ACTIONS}
    assert old_names.find("no such label##no such id") is None
