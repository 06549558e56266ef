"""The Sampling panel: every option, its reset button and limits; presets."""

from __future__ import annotations

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import presets
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State
from compute.sampling.options import GenerateOptions

from helpers.screen import Screen, context

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 12 << 20)
REALS = ("temperature", "top_p", "min_p", "repetition_penalty")
KEY = imgui.Key


@pytest.fixture
def state() -> State:
    return State("Once upon a", GenerateOptions(), model=MODEL)


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(state, monkeypatch)


def type_into(screen: Screen, label: str, text: str) -> None:
    """Ctrl+click a slider or click a field, replace its text, press Enter."""
    screen.io.add_key_event(KEY.mod_ctrl, True)
    screen.io.add_key_event(KEY.left_ctrl, True)
    screen.frame()
    screen.click(label)
    screen.press(KEY.a)
    for key in (KEY.mod_ctrl, KEY.left_ctrl):
        screen.io.add_key_event(key, False)
    screen.frame()
    screen.io.add_input_characters_utf8(text)
    screen.frame(2)
    screen.press(KEY.enter)
    screen.frame(2)


def drag(screen: Screen, label: str, x: float) -> None:
    """Press the mouse on a widget, at `x` times its width from its center."""
    center = screen.centers[label]
    screen.point(ImVec2(center.x + x, center.y))
    for down in (True, False):
        screen.io.add_mouse_button_event(0, down)
        screen.frame()


def test_temperature_moves_in_steps_of_a_twentieth(screen: Screen, state: State) -> None:
    for x in range(-60, 61, 7):
        drag(screen, "##temperature", x)
        temperature = state.options.temperature
        assert 0 <= temperature <= 2
        assert temperature * 20 == pytest.approx(round(temperature * 20))
    assert state.options.temperature > 1.5


@pytest.mark.parametrize("name", [*REALS, "top_k"])
def test_every_slider_position_is_a_valid_option(screen: Screen, state: State, name: str) -> None:
    seen = set()
    for x in range(-74, 75, 8):
        drag(screen, f"##{name}", x)
        state.options.checked(512, 50257)
        seen.add(getattr(state.options, name))
    assert len(seen) > 6


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("temperature", "3.1234", 3.1234),
        ("temperature", "1e9", 100.0),
        ("temperature", "-1", 0.0),
        ("top_p", "0.95", 0.95),
        ("top_p", "7", 1.0),
        ("min_p", "0.0123", 0.0123),
        ("repetition_penalty", "0", 0.01),
        ("top_k", "40000", 40000),
        ("top_k", "60000", 50257),
        ("top_k", "-5", 0),
        ("max_new_tokens", "0", 1),
        ("max_new_tokens", "777", 777),
        ("context", "9999", 512),
        ("context", "100", 100),
        ("seed", "4294967296", 2**32 - 1),
        ("seed", "12345", 12345),
    ],
)
def test_a_typed_number_is_exact_within_its_limits(
    screen: Screen, state: State, name: str, text: str, expected: float
) -> None:
    type_into(screen, f"##{name}", text)
    assert getattr(state.options, name) == expected
    state.options.checked(512, 50257)


def test_a_changed_option_has_a_reset_button(screen: Screen, state: State) -> None:
    assert not [label for label in screen.centers if label.startswith("reset##")]
    state.options = GenerateOptions(
        max_new_tokens=5, context=9, temperature=1.5, top_k=4, top_p=0.5, min_p=0.1, repetition_penalty=1.2, seed=3
    )
    screen.frame(2)
    labels = [label for label in screen.centers if label.startswith("reset##")]
    assert len(labels) == 8
    for label in labels:
        screen.click(label)
    assert state.options == GenerateOptions()


def test_options_from_the_command_line_have_no_reset_button(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    started = GenerateOptions(max_new_tokens=64, context=100, temperature=0.5)
    state = State("Once upon a", started, model=MODEL)
    screen = Screen(state, monkeypatch)
    assert not [label for label in screen.centers if label.startswith("reset##")]
    state.options = GenerateOptions()
    screen.frame(2)
    for name in ("max_new_tokens", "context", "temperature"):
        screen.click(f"reset##{name}")
    assert state.options == started


def test_a_reset_of_the_context_respects_the_model(screen: Screen, state: State) -> None:
    state.model = ModelSummary("fake", 1, 1, 8, 64, 100, 1000, "f32", "an adapter")
    state.options = GenerateOptions(context=10)
    screen.frame(2)
    screen.click("reset##context")
    assert state.options.context == 64
    screen.frame(2)
    assert "reset##context" not in screen.centers


def test_common_values_are_in_a_list(screen: Screen, state: State) -> None:
    screen.click("##usual context")
    screen.frame(2)
    assert "1,024##context" not in screen.centers  # more than the model's positions
    screen.click("512##context")
    assert state.options.context == 512
    screen.click("##usual max_new_tokens")
    screen.frame(2)
    screen.click("64##max_new_tokens")
    assert state.options.max_new_tokens == 64


def test_a_new_seed_differs_and_is_in_range(screen: Screen, state: State) -> None:
    screen.click("New##seed")
    assert state.options.seed != 0
    state.options.checked(512, 50257)


@pytest.mark.parametrize(
    ("widget", "part"),
    [
        ("##preset", "Sets temperature, filters and penalty"),
        ("##temperature", "Randomness: logits are divided"),
        ("##top_k", "Keeps this many of the likeliest"),
        ("##top_p", "probabilities add up to this value"),
        ("##min_p", "at least this fraction"),
        ("##repetition_penalty", "Repetition penalty"),
        ("##seed", "The same seed"),
        ("##max_new_tokens", "How many tokens a run writes"),
        ("##context", "1 to 512"),
    ],
)
def test_every_option_has_help(screen: Screen, widget: str, part: str) -> None:
    screen.io.add_mouse_pos_event(15, screen.centers[widget].y)
    screen.frame(8)
    assert [text for text in screen.texts if part in text.replace("\n", " ")]


def test_a_hint_says_when_changes_take_effect(screen: Screen, state: State) -> None:
    hint = "Changes take effect at the next token"
    assert not screen.shows(hint)
    state.run = Run("Once", state.options, [])
    screen.frame()
    assert screen.shows(hint)


@pytest.mark.parametrize("busy", [False, True])
def test_nothing_scrolls_in_the_default_window(screen: Screen, state: State, busy: bool) -> None:
    state.run = Run("Once", state.options, [], done=not busy)
    screen.frame(3)
    for title in ("Sampling", "Prompt"):
        window = imgui.internal.find_window_by_name(title)
        assert window is not None
        assert window.scroll_max.y == 0, title


def test_a_preset_is_named_while_the_options_match_it(screen: Screen, state: State) -> None:
    state.options = GenerateOptions(seed=7, max_new_tokens=99, context=100, top=20)
    screen.click("##preset")
    screen.frame(2)
    screen.click("wild##preset")
    assert state.options == GenerateOptions(
        seed=7, max_new_tokens=99, context=100, top=20, temperature=1.4, min_p=0.02, repetition_penalty=1.1
    )
    assert presets.name_of(state.options, {}) == "wild"


def test_presets_are_saved_renamed_and_deleted(screen: Screen, state: State) -> None:
    saved = state.ui.presets
    state.options = GenerateOptions(temperature=0.3, seed=5)
    screen.click("Edit##preset")
    screen.frame(2)
    type_into(screen, "##preset name", "mine")  # Enter saves
    assert saved == {"mine": GenerateOptions(temperature=0.3)}
    screen.click("Edit##preset")
    screen.frame(2)
    assert state.preset_name == "mine"
    type_into(screen, "##preset name", "calm")
    screen.click("Rename##preset")
    assert list(saved) == ["calm"]
    state.options = GenerateOptions(temperature=0.2)
    screen.click("Edit##preset")
    screen.frame(2)
    screen.io.add_input_characters_utf8("calm")  # the field has the focus
    screen.frame(2)
    screen.click("Save##preset")
    assert saved == {"calm": GenerateOptions(temperature=0.2)}
    screen.click("Edit##preset")
    screen.frame(2)
    screen.click("Delete##preset")
    assert not saved


def test_a_preset_of_a_larger_model_fits_this_one(screen: Screen, state: State) -> None:
    state.ui.presets["large"] = GenerateOptions(top_k=100_000)
    screen.click("##preset")
    screen.frame(2)
    screen.click("large##preset")
    assert state.options.top_k == 50257
