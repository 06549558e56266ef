"""The mouse over ten kinds of elements, and what every view highlights for each of them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from imgui_bundle import ImVec2

from atlas_viewer.state.selecting import describe
from atlas_viewer.state.selection import NOTHING, Selection
from atlas_viewer.state.state import State
from compute.models.tensor_index import TensorIndex

from helpers.map_registry import STORIES
from helpers.screen import context
from helpers.selection_window import Window, index, point_on_map, state, window

__all__ = ["context", "state", "window"]

D = STORIES.head_size


@dataclass(frozen=True)
class Case:
    """An element to point at, and what must then be highlighted.

    at: an id of a widget, or a value on Map or Strip. marked, plain: ids that are and are not highlighted in text,
    chips, prompt tokens, logits and tensor list. lit, dark: values that are and are not highlighted on both pictures.
    """

    at: str | TensorIndex
    view: str = "Map"
    marked: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    lit: tuple[TensorIndex, ...] = ()
    dark: tuple[TensorIndex, ...] = ()


# The token at position 5 is that of step 2, the third chip, with id 2000; position 1 is the second of the prompt.
FIFTH = ("chip2", "text5")
FIFTH_ROWS = (index("h.0.ln_1", 5, 3), index("h.6.mlp.gelu", 5, 700), index("embed.sum", 5, 0))
OTHER_ROWS = (index("h.0.ln_1", 4, 3), index("h.6.mlp.gelu", 8, 700))
HEAD = (index("h.3.attn.qkv", 0, 2 * D + 1), index("h.3.attn.out", 9, 2 * D + 5))
CASES = {
    "a chip": Case("chip2", marked=FIFTH, plain=("chip3", "token1"), lit=FIFTH_ROWS, dark=OTHER_ROWS),
    "a prompt token": Case(
        "token1", marked=("token1", "text1"), plain=("chip1", "token0"), lit=(index("h.2.ln_2", 1, 9),),
        dark=(index("h.2.ln_2", 2, 9),),
    ),
    "a word of the output": Case("word", marked=FIFTH, plain=("chip1",), lit=FIFTH_ROWS, dark=OTHER_ROWS),
    "a row of the logits table": Case(
        "token 8000", marked=("token 8000", "chip8", "text11"), plain=("chip2", "token 8001"),
    ),
    "a tensor of the list": Case("h.3.attn.out", marked=("h.3.attn.out",), plain=("h.3.attn.qkv", "chip2")),
    "an activation on Map": Case(
        index("h.3.attn.out", 5, 2 * D + 5), marked=FIFTH, plain=("chip3",), lit=(*FIFTH_ROWS, *HEAD),
        dark=(*OTHER_ROWS, index("h.2.attn.out", 9, 2 * D + 5), index("h.3.attn.out", 9, 3 * D + 5)),
    ),
    "an activation on Strip": Case(
        index("h.1.resid_mid", 5, 17), view="Atlas", marked=FIFTH, plain=("chip3",), lit=FIFTH_ROWS, dark=OTHER_ROWS,
    ),
    "an attention weight": Case(
        index("h.3.attn.pattern", 2, 5, 1), marked=(*FIFTH, "token1", "text1"), plain=("chip3", "token0"),
        lit=(*FIFTH_ROWS, *HEAD), dark=OTHER_ROWS,
    ),
    "a weight of a head": Case(
        index("h.3.attn.c_attn.weight", 2 * D + 3, 40), plain=("chip2",), lit=HEAD,
        dark=(index("h.3.attn.out", 9, 3 * D + 5), index("h.4.attn.out", 9, 2 * D + 5)),
    ),
    "a hidden neuron": Case(
        index("h.4.mlp.gelu", 5, 300), marked=FIFTH, plain=("chip3",),
        lit=(index("h.4.mlp.c_fc", 9, 300), index("h.4.mlp.c_fc.bias", 300)), dark=(index("h.5.mlp.c_fc", 9, 300),),
    ),
    "a channel": Case(
        index("h.2.resid_mid", 5, 17), marked=FIFTH, plain=("chip3",),
        lit=(index("h.6.resid_post", 9, 17), index("wte", 30, 17), index("h.0.ln_1.weight", 17)),
        dark=(index("h.6.resid_post", 9, 19),),
    ),
    "a row of the token embedding": Case(
        index("wte", 2000, 17), marked=("chip2", "text5"), plain=("chip3",), lit=(index("logits", 2000),),
        dark=(index("logits", 2040),),
    ),
}  # fmt: skip


def point_at(window: Window, case: Case) -> None:
    """Move the mouse to the element of a case, after bringing its panel to the front."""
    if isinstance(case.at, TensorIndex) and case.view == "Map":
        point_on_map(window, case.at)
        return
    window.to_front(case.view)
    if isinstance(case.at, TensorIndex):
        where = window.on_strip(case.at)
        window.point(ImVec2(round(where.x), round(where.y)))
        return
    if case.at == "word":
        # The mark that a selection leaves shows where the word is.
        window.state.selected = Selection(position=5)
        window.frame(2)
        where = window.centers["marked text5"]
        window.state.selected = NOTHING
        window.point(where)
        return
    if case.at not in window.centers:
        window.to_front("Tensors")
        window.state.inspection.search = case.at
        window.frame(3)
    window.point(window.centers[case.at])


@pytest.mark.parametrize("name", CASES)
def test_pointing_at_an_element_highlights_it_in_all_views(window: Window, state: State, name: str) -> None:
    case = CASES[name]
    point_at(window, case)
    window.frame()  # the line is above the panels, and drawn before them
    assert state.hovered
    assert window.shows(describe(state, state.hovered))
    assert set(case.marked) <= window.marked
    assert not set(case.plain) & window.marked
    hovered = state.hovered
    # The pictures, one after the other, at a zoom that shows everything.
    window.point(ImVec2(1, 1))
    state.selected = hovered
    for view, place in (("Map", window.on_map), ("Atlas", window.on_strip)):
        window.to_front(view)
        state.map.fit()
        for lit, targets in ((True, case.lit), (False, case.dark)):
            for target in targets:
                if view == "Map":
                    state.map.go(target)
                elif target.name == "wte" or (not lit and state.inspection.tensors[target.name].count > 4000):
                    continue  # it is not on Strip, or a cell there also shows values beside it
                window.frame(3)
                assert window.covers(place(target)) == lit, f"{target} on {view}"
