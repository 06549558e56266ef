"""The protocol of what splits logits into parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from compute.lens.attribution import LogitParts, NeuronPart
from compute.lens.stream_pass import StreamShape
from compute.lens.weight_rows import WeightRow


class AttributionSource(Protocol):
    """Splits logits of the latest pass; `runner.attributions.Attributions` is one. Nothing in it waits for the GPU."""

    @property
    def passes(self) -> int:
        """How many passes there were."""

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""

    @property
    def pending(self) -> bool:
        """True while a result is in flight."""

    def token_id(self, text: str, name: str) -> int:
        """The token that `text` stands for. name: of the field, for messages. Raises `AtlasError`s of one line."""

    def request_parts(self, target: int, against: int | None, row: int) -> bool:
        """Request the parts of a logit, or of a difference, at a context row. False while others are in flight."""

    def take_parts(self) -> LogitParts | None:
        """The parts, once after they have arrived."""

    def request_stream(self, row: int) -> bool:
        """Request the shape of the residual stream at a context row. False while another is in flight."""

    def take_stream(self) -> StreamShape | None:
        """The shape, once after it has arrived."""

    def request_rows(self, neurons: Sequence[NeuronPart]) -> bool:
        """Request the rows of weights that neurons read the stream with. False while others are in flight."""

    def take_rows(self) -> tuple[WeightRow, ...] | None:
        """The rows, once after they have arrived."""
