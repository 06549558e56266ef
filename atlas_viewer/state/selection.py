"""The selection: one token, layer, head, channel, value and vocabulary token, which every view highlights."""

from __future__ import annotations

from dataclasses import dataclass

from compute.models.axes import Axes
from compute.models.description import Description
from compute.models.registry import Registry
from compute.models.tensor_index import TensorIndex

from .inspection import layer_of


@dataclass(frozen=True)
class Selection:
    """What is selected. Each field is None when it is not. A selection of nothing is false.

    position: index of a token in the text, from 0; layer: number of a block; head: number of an attention head;
    channel: column of the residual stream; element: a value of a tensor, or a whole tensor; token: a vocabulary id;
    key: index in the text of the token that `position` attends to; neuron: number of a hidden neuron of the MLP.
    """

    position: int | None = None
    layer: int | None = None
    head: int | None = None
    channel: int | None = None
    element: TensorIndex | None = None
    token: int | None = None
    key: int | None = None
    neuron: int | None = None

    def __bool__(self) -> bool:
        """True when anything is selected."""
        return self != NOTHING

    @classmethod
    def of(cls, element: TensorIndex, model: Registry | Description, first_position: int = 0) -> Selection:
        """The selection of a value or a whole tensor: whatever its name and index determine.

        first_position: index in the text of the context's first token. A run of values selects as its first one does.
        """
        description, offset = (
            (model.description, first_position - model.first_position) if isinstance(model, Registry) else (model, 0)
        )
        layer = layer_of(description, element.name)
        return cls.at(element, description.axes.get(element.name, ()), layer, first_position, offset)

    @classmethod
    def at(cls, element: TensorIndex, axes: Axes, layer: int | None, first_position: int, offset: int) -> Selection:
        """As `of`, for a tensor of these axes in a layer.

        offset: index in the text minus absolute position, for the context's tokens; not 0 once the context has moved.
        """
        found: dict[str, int] = {}
        shifts = {"position": first_position, "key": first_position, "absolute": offset}
        if element.index and axes:
            for axis, index in zip(axes, element.index, strict=True):
                field = "position" if axis.kind == "absolute" else axis.kind
                found[field] = axis.coordinate(index) + shifts.get(axis.kind, 0)
        return cls(layer=layer, element=element, **found)


NOTHING = Selection()
