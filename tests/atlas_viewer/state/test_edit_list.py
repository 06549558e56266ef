"""The window's list of edits: changes, undo, what is in force."""

from __future__ import annotations

import pytest

from atlas_viewer.state import edit_list
from atlas_viewer.state.edit_list import OFF, SOLO
from atlas_viewer.state.requests import ApplyEdits
from atlas_viewer.state.state import State
from compute.errors import UsageError
from compute.sampling.options import GenerateOptions

FIRST, SECOND, THIRD = "h.2.attn.out[head=4] = 0", "h.1.resid_post += 2", "h.3.mlp.gelu[:, 7] *= 0.5"


def _state(*texts: str) -> State:
    state = State("Once", GenerateOptions())
    for text in texts:
        edit_list.add(state, text)
    return state


def _active(state: State) -> list[str]:
    return [str(edit) for edit in state.edits.active]


def test_adding_applies_the_list() -> None:
    state = _state(FIRST, SECOND)
    assert _active(state) == [FIRST, SECOND]
    assert list(state.requests) == [ApplyEdits((FIRST,)), ApplyEdits((FIRST, SECOND))]
    with pytest.raises(UsageError, match="not an edit"):
        edit_list.add(state, "[3]")
    assert len(state.edits) == 2


def test_switches_strength_and_order() -> None:
    state = _state(FIRST, SECOND, THIRD)
    one, two, three = (entry.number for entry in state.edits.entries)
    edit_list.switch(state, one)
    edit_list.set_strength(state, two, 0.5)
    edit_list.reorder(state, three, -1)
    assert _active(state) == [THIRD, "h.1.resid_post += 1"]
    edit_list.remove(state, three)
    assert _active(state) == ["h.1.resid_post += 1"]
    edit_list.clear(state)
    assert _active(state) == []


def test_undo_and_redo() -> None:
    state = _state(FIRST)
    (number,) = (entry.number for entry in state.edits.entries)
    for strength in (0.9, 0.5, 0.2):
        edit_list.set_strength(state, number, strength, gesture="drag")
    edit_list.switch(state, number)
    edit_list.undo(state)
    assert _active(state) == ["h.2.attn.out[head=4] *= 0.8"]
    edit_list.undo(state)  # the whole drag
    assert _active(state) == [FIRST]
    edit_list.redo(state)
    edit_list.redo(state)
    assert _active(state) == []
    assert not state.edits.can_redo
    for _ in range(4):
        edit_list.undo(state)
    assert not state.edits.entries
    assert not state.edits.can_undo


def test_solo_and_all_off_leave_the_list_as_it_is() -> None:
    state = _state(FIRST, SECOND)
    first = state.edits.entries[0].number
    edit_list.switch(state, first)
    state.edits.chosen = first
    edit_list.hold(state, SOLO)
    assert _active(state) == [FIRST], "the chosen edit is on although its switch is off"
    edit_list.hold(state, OFF)
    assert _active(state) == []
    requests = len(state.requests)
    edit_list.hold(state, OFF)
    assert len(state.requests) == requests, "holding a key down requests nothing new"
    edit_list.hold(state, "")
    assert _active(state) == [SECOND]


def test_a_problem_is_forgotten_with_its_entry() -> None:
    state = _state(FIRST, SECOND)
    first, second = (entry.number for entry in state.edits.entries)
    state.edits.problems = {first: "no such head", second: "no such tensor"}
    assert _active(state) == []
    edit_list.rewrite(state, first, THIRD)
    assert _active(state) == [THIRD]
    assert list(state.edits.problems) == [second]
