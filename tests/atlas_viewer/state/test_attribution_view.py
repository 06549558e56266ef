"""The state of the Attribution panel: what is split, and how its parts are arranged."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from atlas_viewer.state import selecting
from atlas_viewer.state.attribution_links import of_part, of_source
from atlas_viewer.state.attribution_view import (
    PARTS,
    SECTIONS,
    Aim,
    AttributionView,
    Shown,
    aim_at,
    marked,
    sources,
    title,
)
from atlas_viewer.state.selection import NOTHING, Selection
from compute.errors import UsageError
from compute.lens.attribution import LogitPart

from helpers.attributions import shown_parts
from helpers.fake_generation import paused_state

IDS = {" Lily": 20037, " Tim": 5045}


def token_id(text: str, name: str) -> int:
    """The id of a known text."""
    if text not in IDS:
        raise UsageError(f'{name}="{text}": is 2 tokens')
    return IDS[text]


def aim(target: str = "", against: str = "", position: str = "") -> Aim:
    return aim_at(
        AttributionView(target, against, position), step_token=7, predicted=21, start=4, rows=18, token_id=token_id
    )


def test_without_input_the_token_of_the_step_is_explained_where_it_was_predicted() -> None:
    assert aim() == Aim(7, None, 21, 17)


def test_typed_tokens_and_positions() -> None:
    assert aim(target=" Lily", against=" Tim") == Aim(20037, 5045, 21, 17)
    assert aim(position="4") == Aim(7, None, 4, 0)
    assert aim(position=" -1 ") == Aim(7, None, 21, 17)
    assert aim(position="-18") == Aim(7, None, 4, 0)


@pytest.mark.parametrize("text", ["3", "22", "-19", "1.5", "last", "\N{SUPERSCRIPT TWO}"])
def test_a_position_that_the_pass_does_not_see(text: str) -> None:
    with pytest.raises(UsageError, match="this pass sees") as raised:
        aim(position=text)
    assert "4 to 21" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("field", ["target", "against"])
def test_a_text_of_several_tokens_names_the_field(field: str) -> None:
    with pytest.raises(UsageError, match=field):
        aim(**{field: "Elara"})


def test_parts_are_ranked_by_magnitude_and_broken_ones_come_first() -> None:
    shown = shown_parts()
    assert [title(part) for part in shown.ranked[:3]] == ["layer 1 head 2", "layer 0 MLP", "layer 0 head 1"]
    assert shown.largest == 3.0
    assert shown.largest_head is shown.ranked[0]
    broken = dataclasses.replace(shown.parts.parts[0], value=math.nan)
    parts = dataclasses.replace(shown.parts, parts=(*shown.parts.parts[1:], broken))
    assert Shown(shown.aim, parts).ranked[0] is broken
    assert Shown(shown.aim, parts).largest == 3.0


def test_the_map_has_a_row_per_layer_and_columns_for_heads_bias_and_mlp() -> None:
    shown = shown_parts()
    grid = shown.grid
    assert grid.layers == 2
    assert grid.columns == ("0", "1", "2", "bias", "MLP")
    assert len(grid.cells) == 10, "embeddings and the final shift have no layer"
    assert grid.cells[1, 2].value == 3.0
    assert [grid.cells[0, column].name for column in (3, 4)] == ["h.0.attn.bias", "h.0.mlp"]
    assert shown.head(1, 2) is grid.cells[1, 2]
    for layer, head in ((None, 2), (1, None), (2, 0), (0, 3), (0, 4)):
        assert shown.head(layer, head) is None


def test_the_sources_of_a_head_are_tokens_of_the_text() -> None:
    shown = shown_parts()
    part = shown.head(1, 2)
    assert part is not None
    assert shown.start == 4
    assert sources(part, shown.start)[:2] == [(6, 2.5), (7, 1.0)]
    assert marked(part, shown.start) == {6: 1.0, 7: 0.4, 5: 0.2}
    assert of_part(shown, part) == Selection(position=7, layer=1, head=2, key=6)
    assert of_source(shown, part, 5) == Selection(position=7, layer=1, head=2, key=5)
    whole = shown.grid.cells[0, 4]
    assert sources(whole, 4) == []
    assert of_part(shown, whole) == Selection(position=7, layer=0)


def test_a_head_that_takes_nothing_marks_nothing() -> None:
    assert marked(LogitPart("h.0.attn", 0, 0.0, "h.0.attn.out", np.zeros(4, np.float32)), 0) == {}
    assert marked(LogitPart("h.0.attn", 0, 0.0, "h.0.attn.out", np.full(4, np.nan, np.float32)), 0) == {}


def test_views_mark_a_source_by_its_share_and_the_selection_in_full() -> None:
    state = paused_state()
    state.attribution.marks = {2: 1.0, 3: 0.2}
    strengths = [selecting.strength(state, position, 0) for position in (1, 2, 3)]
    assert strengths == [0.0, 1.0, pytest.approx(0.4)]
    state.selected = dataclasses.replace(NOTHING, position=3)
    assert selecting.strength(state, 3, 0) == 1.0


def test_sections_follow_each_other() -> None:
    view = AttributionView()
    seen = []
    for _ in SECTIONS:
        seen.append(view.section)
        view.next_section()
    assert seen == list(SECTIONS)
    assert view.section == PARTS


def test_checks_are_those_of_the_parts() -> None:
    shown = shown_parts()
    assert [check.ok for check in shown.checks] == [True, True]
    wrong = Shown(shown.aim, dataclasses.replace(shown.parts, logit=shown.parts.logit + 0.01))
    assert [check.ok for check in wrong.checks] == [False, True]
