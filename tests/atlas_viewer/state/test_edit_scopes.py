"""What of a selection can be edited, as targets that a model has."""

from __future__ import annotations

import pytest

from atlas_viewer.state.edit_menu import Rectangle
from atlas_viewer.state.edit_scopes import scopes
from atlas_viewer.state.inspection import TensorInfo, layer_of
from atlas_viewer.state.selecting import of_element
from atlas_viewer.state.selection import NOTHING, Selection
from atlas_viewer.state.state import State
from compute.edits.grammar import parse_edit
from compute.edits.resolved import place
from compute.edits.targets import Targets
from compute.models.architectures import describe
from compute.models.axes import Axes
from compute.models.config import ModelConfig
from compute.models.tensor_index import TensorIndex

from helpers.fake_generation import paused_state

MODEL = describe(ModelConfig(positions=64, vocabulary=50257, padded_vocabulary=50304, layers=2, heads=6, channels=192))


ROWS = 5


def _shape(name: str, axes: Axes) -> tuple[int, ...]:
    if name in MODEL.weights:
        return MODEL.weights[name].shape
    sizes = {"position": ROWS, "key": ROWS, "channel": 192, "neuron": 768, "token": 50257}
    heads = {axis: axis.size * axis.heads * (3 if name.endswith("qkv") else 1) for axis in axes if axis.kind == "head"}
    return tuple(heads.get(axis) or sizes[axis.kind] for axis in axes)


@pytest.fixture
def state() -> State:
    made = paused_state()
    made.inspection.rows = ROWS
    made.inspection.tensors = {
        name: TensorInfo(
            name, "weight" if name in MODEL.weights else "activation", _shape(name, axes), "",
            axes[0].kind == "position", section="", axes=axes, layer=layer_of(MODEL, name),
        )
        for name, axes in MODEL.axes.items()
    }  # fmt: skip
    return made


def _targets(state: State, selection: Selection, rectangle: Rectangle | None = None) -> list[str]:
    """The targets, each of which the model must have."""
    found = [scope.target for scope in scopes(state, selection, rectangle)]
    for target in found:
        edit = parse_edit(f"{target} = 0")
        place(edit, Targets(MODEL).find(edit.target), 5, 64)
    return found


@pytest.mark.parametrize(
    ("element", "targets"),
    [
        (
            TensorIndex("h.1.attn.out", (2, 70)),
            ["h.1.attn.out[2, 70]", "h.1.attn.out[pos=2, head=2]", "h.1.attn.out[head=2]", "h.1.attn.out[:, 70]",
             "h.1.attn.out[pos=2]", "h.1.attn.out"],
        ),
        (
            TensorIndex("h.0.attn.qkv", (4, 200)),
            ["h.0.attn.qkv[4, 200]", "h.0.attn.k[pos=4, head=0]", "h.0.attn.k[head=0]", "h.0.attn.qkv[:, 200]",
             "h.0.attn.qkv[pos=4]", "h.0.attn.qkv"],
        ),
        (
            TensorIndex("h.1.attn.pattern", (3, 4, 1)),
            ["h.1.attn.pattern[head=3, pos=4, key=1]", "h.1.attn.pattern[head=3, pos=4]",
             "h.1.attn.pattern[head=3, key=1]", "h.1.attn.pattern[head=3]", "h.1.attn.pattern"],
        ),
        (
            TensorIndex("h.0.mlp.c_fc.weight", (5, 7)),
            ["h.0.mlp.c_fc.weight[5, 7]", "h.0.mlp.c_fc.weight[5]", "h.0.mlp.c_fc.weight[:, 7]", "h.0.mlp.c_fc.weight"],
        ),
        (TensorIndex("ln_f.bias", (5,)), ["ln_f.bias[5]", "ln_f.bias"]),
        (TensorIndex("logits", (11,)), ["logits[:, 11]", "logits[4, 11]", "logits"]),
    ],
)  # fmt: skip
def test_parts_of_a_value(state: State, element: TensorIndex, targets: list[str]) -> None:
    assert _targets(state, of_element(state, element)) == targets


def test_parts_of_heads_neurons_and_tokens(state: State) -> None:
    assert _targets(state, Selection(layer=1, head=3))[:2] == ["h.1.attn.out[head=3]", "h.1.attn.pattern[head=3]"]
    assert _targets(state, Selection(layer=1, head=3, position=2, key=1))[0] == (
        "h.1.attn.pattern[head=3, pos=2, key=1]"
    )
    assert _targets(state, Selection(layer=0, neuron=9))[0] == "h.0.mlp.gelu[:, 9]"
    assert _targets(state, Selection(layer=0, position=2))[-1] == "h.0.resid_post[pos=2]"
    assert _targets(state, Selection(position=2)) == ["embed.sum[pos=2]"]
    assert _targets(state, Selection(token=11)) == ["logits[:, 11]"]
    assert _targets(state, NOTHING) == []


@pytest.mark.parametrize(
    ("one", "other", "target"),
    [
        (("h.1.mlp.gelu", (3, 20)), ("h.1.mlp.gelu", (1, 40)), "h.1.mlp.gelu[1:4, 20:41]"),
        (("h.1.attn.pattern", (2, 4, 3)), ("h.1.attn.pattern", (2, 1, 0)), "h.1.attn.pattern[2, 1:5, 0:4]"),
        (("wte", (7, 3)), ("wte", (9, 3)), "wte[7:10, 3:4]"),
        (("ln_f.bias", (7,)), ("ln_f.bias", (3,)), "ln_f.bias[3:8]"),
    ],
)
def test_rectangles(
    state: State, one: tuple[str, tuple[int, ...]], other: tuple[str, tuple[int, ...]], target: str
) -> None:
    rectangle = Rectangle.between(TensorIndex(*one), TensorIndex(*other))
    assert _targets(state, NOTHING, rectangle) == [target]


def test_no_rectangle_over_two_tensors_or_heads() -> None:
    one = TensorIndex("h.1.attn.pattern", (2, 4, 3))
    assert Rectangle.between(one, TensorIndex("h.1.attn.pattern", (3, 4, 3))) is None
    assert Rectangle.between(one, TensorIndex("h.0.attn.pattern", (2, 4, 3))) is None
