"""The Prompt panel: keys, history, and tokens with their tooltips."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.requests import Generate
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, PromptTokens, State
from atlas_viewer.ui import theme
from atlas_viewer.ui.panels.token_layout import color, flow, marked
from compute.sampling.options import GenerateOptions
from compute.text.chat import Turn
from compute.text.tokenizer import load_tokenizer

from helpers.screen import Screen, context

__all__ = ["context"]

MODEL = ModelSummary("fake", 8, 6, 192, 512, 50257, 13_306_944, "bf16", "an adapter", 12 << 20)
GPT2 = load_tokenizer()
KEY = imgui.Key
SHIFT, CTRL, ALT = (
    (KEY.mod_shift, KEY.left_shift),
    (KEY.mod_ctrl, KEY.left_ctrl),
    (KEY.mod_alt, KEY.left_alt),
)


@pytest.fixture
def state() -> State:
    made = State("Once upon a", GenerateOptions(max_new_tokens=16, context=256), model=MODEL)
    made.prompt_tokens = tokens_of("Once upon a")
    return made


@pytest.fixture
def screen(context: None, state: State, monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(state, monkeypatch)


def tokens_of(text: str) -> PromptTokens:
    """A token per word with the space before it; its id depends on its letters."""
    pieces = text.replace("\n", " \n ").split(" ")
    tokens = [
        (sum(map(ord, piece)), piece if piece == "\n" or not i else f" {piece}") for i, piece in enumerate(pieces)
    ]
    return PromptTokens(text, tokens)


def chord(screen: Screen, *keys: imgui.Key) -> None:
    for down in (True, False):
        for key in keys if down else reversed(keys):
            screen.io.add_key_event(key, down)
        screen.frame(2)


def write(screen: Screen, text: str) -> None:
    screen.io.add_input_characters_utf8(text)
    screen.frame(3)


def edit(screen: Screen) -> None:
    """Put the cursor at the end of the prompt."""
    screen.click("##prompt")
    chord(screen, *CTRL, KEY.end)


@pytest.mark.parametrize("keys", [(KEY.enter,), (*CTRL, KEY.enter)])
def test_enter_and_ctrl_enter_generate_what_was_typed(
    screen: Screen, state: State, keys: tuple[imgui.Key, ...]
) -> None:
    edit(screen)
    write(screen, " héro")
    chord(screen, *keys)
    assert list(state.requests) == [Generate("Once upon a héro", state.options)]
    assert state.prompt == "Once upon a héro"


@pytest.mark.parametrize("held", [SHIFT, ALT])
def test_shift_enter_and_alt_enter_start_a_new_line(screen: Screen, state: State, held: tuple[imgui.Key, ...]) -> None:
    edit(screen)
    chord(screen, *held, KEY.enter)
    write(screen, "time")
    assert state.prompt == "Once upon a\ntime"
    assert not state.requests


def test_up_and_down_go_through_the_history_and_keep_the_draft(screen: Screen, state: State) -> None:
    state.ui.prompts = ["first", "second"]
    edit(screen)
    write(screen, " b")
    seen = []
    for key in (KEY.up_arrow, KEY.up_arrow, KEY.up_arrow, KEY.down_arrow, KEY.down_arrow, KEY.down_arrow):
        chord(screen, key)
        screen.frame()
        seen.append(state.prompt)
    assert seen == ["second", "first", "first", "second", "Once upon a b", "Once upon a b"]
    write(screen, "!")
    assert state.prompt == "Once upon a b!"  # the cursor is at the end of the restored text


def test_up_between_lines_moves_the_cursor_only(screen: Screen, state: State) -> None:
    state.ui.prompts = ["first"]
    state.prompt = "one\ntwo"
    screen.frame(2)
    edit(screen)
    chord(screen, KEY.up_arrow)
    screen.frame()
    assert state.prompt == "one\ntwo"
    chord(screen, *CTRL, KEY.up_arrow)
    screen.frame()
    assert state.prompt == "first"


def test_buttons_go_through_the_history(screen: Screen, state: State) -> None:
    state.ui.prompts = ["first"]
    screen.frame()
    screen.click("##newer")
    assert state.prompt == "Once upon a"
    screen.click("##older")
    assert state.prompt == "first"
    screen.click("##newer")
    assert state.prompt == "Once upon a"


def test_a_prompt_set_elsewhere_reaches_the_focused_field(screen: Screen, state: State) -> None:
    edit(screen)
    state.prompt = "Another one"
    screen.frame(2)
    write(screen, "!")
    assert state.prompt == "Another one!"


def test_an_unlocked_seed_is_drawn_for_every_run(screen: Screen, state: State) -> None:
    screen.click("Generate")
    screen.click("New one at each run")
    for _ in range(2):
        screen.click("Generate")
    seeds = [request.options.seed for request in state.requests if isinstance(request, Generate)]
    assert seeds[0] == 0
    assert len(set(seeds)) == 3
    assert state.options.seed == seeds[-1]


def test_tokens_are_counted_against_the_context(screen: Screen, state: State) -> None:
    assert screen.shows("3 of 256 tokens")
    state.options = GenerateOptions(context=2)
    screen.frame()
    assert screen.shows("3 tokens, the last 2 used")
    screen.point(screen.centers["token0"])
    assert screen.shows('"Once"\ntoken 389, position 0\noutside the context')
    screen.point(screen.centers["token2"])
    assert screen.shows('" a"\ntoken 97, position 2')
    assert not screen.shows("outside the context")


def test_an_invalid_prompt_shows_an_error_instead_of_tokens(screen: Screen, state: State) -> None:
    state.prompt_tokens = PromptTokens(state.prompt, (), "prompt: character 1 is no valid text")
    screen.frame()
    assert screen.shows("prompt: character 1 is no valid text")


def test_marked_shows_line_ends_as_pilcrows() -> None:
    assert marked(' "a\\b"\n\n') == ' "a\\b"¶¶'
    assert marked("\t").isprintable()
    assert marked("\x07").isprintable()


def test_flow_has_every_token_once_and_breaks_at_line_ends(context: None) -> None:
    imgui.get_io().delta_time = 0.1
    imgui.new_frame()
    known = tokens_of("one two\nthree " + "x" * 200 + " four five six seven")
    laid = flow(known, 120.0, 15.0)
    imgui.render()
    lines = [laid.line(number) for number in range(len(laid.starts))]
    assert [index for line in lines for index in line] == list(range(len(known.tokens)))
    texts = ["".join(known.tokens[index][1] for index in line) for line in lines]
    assert texts[0] == "one two\n"
    assert f" {'x' * 200}" in texts
    for number, line in enumerate(lines):
        for index in line:
            left, right = laid.span(index)
            assert 0 <= left < right <= 120
            assert laid.at((left + right) / 2, number) == index
    assert laid.at(119.9, 0) is None
    assert laid.at(5, len(lines)) is None


@pytest.mark.parametrize("unit", [" ", "\n", "once ", "a"])
def test_a_prompt_of_a_million_characters(screen: Screen, state: State, unit: str) -> None:
    """Paste, show with tokens, run and continue it: no time grows faster than the length of a word or line."""
    text = unit * (1_200_000 // len(unit))
    began = time.thread_time()
    edit(screen)
    imgui.set_clipboard_text(text)
    chord(screen, *CTRL, KEY.v)
    assert state.prompt == "Once upon a" + text
    numbers = GPT2.encode(state.prompt)
    state.prompt_tokens = PromptTokens(state.prompt, [(number, GPT2.token_label(number)) for number in numbers])
    screen.frame(2)
    assert screen.shows(f"{len(numbers):,} tokens, the last 256")
    state.run = state.runs.add(Run(state.prompt, state.options, state.prompt_tokens.tokens, changes={}))
    for continuation in ("", " there", " there was"):
        state.run.continuation = continuation
        screen.frame()
    # Processor time: linear code takes a second or two, quadratic code takes minutes.
    assert time.thread_time() - began < 60


@pytest.mark.parametrize("text", ["", "a", "\n", "\n\n\n", "a\n", "a b\n\nc" * 50, "x" * 900 + "\n" + "y" * 900])
def test_flow_fills_each_line(context: None, text: str) -> None:
    imgui.new_frame()
    known = PromptTokens(text, [(ord(character), character) for character in text])
    laid = flow(known, 120.0, 15.0)
    imgui.render()
    assert laid.starts[0] == 0
    for number, following in enumerate(laid.starts[1:]):
        first = laid.starts[number]
        assert following > first
        breaks = [index for index in range(first, following) if text[index] == "\n"]
        before = laid.ends[first - 1] if first else 0.0
        assert breaks == [following - 1] or (not breaks and laid.ends[following] - before > 120)


def test_colors_are_stable_and_text_on_them_is_legible(context: None) -> None:
    for light, name in ((False, "dark"), (True, "light")):
        for number in range(0, 50257, 511):
            assert contrast(color(number, light), theme.THEMES[name].text) > 4.5
    assert len({tuple(color(number, False)) for number in range(200)}) == 200


def contrast(first: imgui.ImVec4, second: imgui.ImVec4) -> float:
    def luminance(color: imgui.ImVec4) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (color.x, color.y, color.z)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_a_hundred_thousand_characters_stay_fluid(screen: Screen, state: State) -> None:
    def least(frames: int) -> float:
        """Processor time of the cheapest frame, in seconds."""
        times = []
        for _ in range(frames):
            began = time.thread_time()
            screen.frame()
            times.append(time.thread_time() - began)
        return min(times)

    short = least(10)
    state.prompt = " ".join(f"word{number}" for number in range(14_000))[:100_000]
    state.prompt_tokens = tokens_of(state.prompt)
    screen.frame(2)
    assert len(state.prompt_tokens.tokens) > 10_000
    assert screen.centers["##prompt"]
    drawn = [label for label in screen.centers if label.startswith("token")]
    assert 0 < len(drawn) < 60
    laid_out = flow.cache_info().misses
    # With text ten thousand times as long, a frame costs about twice as much.
    assert least(10) < 10 * short
    edit(screen)
    write(screen, "!")
    assert state.prompt.endswith("!")
    assert least(10) < 10 * short
    assert flow.cache_info().misses == laid_out, "tokens are laid out in every frame, not only when they change"


@pytest.mark.parametrize("size", [(200, 150), (900, 600), (2560, 1440)])
def test_the_panel_draws_at_any_size(screen: Screen, state: State, size: tuple[int, int]) -> None:
    screen.io.display_size = ImVec2(*size)
    screen.frame(4)
    if screen.state.ui.folded:
        screen.press(imgui.Key._1)
        screen.frame(2)
    assert "##prompt" in screen.centers


def test_a_model_without_a_template_has_no_switch(screen: Screen) -> None:
    screen.frame(2)
    assert "Chat" not in screen.centers


def test_the_switch_sends_the_prompt_as_a_turn(screen: Screen, state: State) -> None:
    state.model = replace(MODEL, chat=True)
    screen.frame(2)
    screen.click("Chat")
    assert state.chat.on
    screen.frame(2)
    screen.click("As system")
    assert (state.prompt, state.chat.turns) == ("", [Turn("system", "Once upon a")])
    state.prompt = "hello"
    screen.click("Generate")
    request = state.requests.popleft()
    assert isinstance(request, Generate)
    assert request.turns == (Turn("system", "Once upon a"), Turn("user", "hello"))


def test_an_answer_becomes_a_turn_and_turns_can_be_removed(screen: Screen, state: State) -> None:
    state.model = replace(MODEL, chat=True)
    state.chat.on = True
    said = (Turn("user", "hello"),)
    state.run = Run("<user> hello", state.options, [], continuation=" hi \n", done=True, turns=said)
    screen.frame(2)
    screen.click("Keep answer")
    assert state.chat.turns == [Turn("user", "hello"), Turn("assistant", "hi")]
    screen.click("x")
    assert len(state.chat.turns) == 1
