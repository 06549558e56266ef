"""What the parts of a logit highlight, and where a click on them leads."""

from __future__ import annotations

from compute.lens.attribution import LogitPart, NeuronPart
from compute.models.names import split_name
from compute.models.tensor_index import TensorIndex

from .attribution_view import Shown, sources
from .navigation import fly, open_attention
from .selection import Selection
from .state import State


def of_part(shown: Shown, part: LogitPart) -> Selection:
    """The selection of a part; of a head with the token that it took most from."""
    layer, _ = split_name(part.name)
    top = sources(part, shown.start)
    key = top[0][0] if top else None
    return Selection(position=shown.aim.position, layer=layer, head=part.head, key=key)


def of_source(shown: Shown, part: LogitPart, position: int) -> Selection:
    """The selection of what a head took from the token at `position`."""
    layer, _ = split_name(part.name)
    return Selection(position=shown.aim.position, layer=layer, head=part.head, key=position)


def of_neuron(shown: Shown, neuron: NeuronPart) -> Selection:
    """The selection of a neuron."""
    layer, _ = split_name(neuron.name)
    return Selection(position=shown.aim.position, layer=layer, neuron=neuron.index)


def open_part(state: State, shown: Shown, part: LogitPart, now: float) -> None:
    """Select a head and go to it in Attention; go to any other part on Map. now: in seconds."""
    if part.head is not None:
        open_source(state, of_part(shown, part))
        return
    info = state.inspection.tensors.get(part.tensor)
    if info is None:
        return
    fly(state, TensorIndex(part.tensor), now)
    if info.per_token and len(info.shape) == 2:
        state.inspection.point_at(TensorIndex(part.tensor, (shown.aim.row, 0)))


def open_source(state: State, selection: Selection) -> None:
    """Select what a head took from a token, and go to it in Attention."""
    state.selected = selection
    open_attention(state)


def open_neuron(state: State, shown: Shown, neuron: NeuronPart, now: float) -> None:
    """Go to the value of a neuron on Map. now: in seconds."""
    fly(state, TensorIndex(neuron.name, (shown.aim.row, neuron.index)), now)


def open_row(state: State, neuron: NeuronPart, now: float) -> None:
    """Go to the row of weights that a neuron reads the residual stream with, on Map. now: in seconds."""
    info = state.inspection.tensors.get(neuron.reads)
    columns = info.shape[1] if info is not None and len(info.shape) == 2 else 1
    fly(state, TensorIndex(neuron.reads, (neuron.index, 0), columns), now)
