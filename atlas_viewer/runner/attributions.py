"""Attribution of the engine's latest pass, for the window."""

from __future__ import annotations

from collections.abc import Sequence

from compute.errors import options_spelled
from compute.forward.engine import Engine
from compute.lens.attribution import NEURONS, LogitParts, NeuronPart
from compute.lens.attribution_pass import AttributionPass
from compute.lens.parts import Whole, parts_of
from compute.lens.stream_pass import StreamPass, StreamShape
from compute.lens.weight_rows import WeightRow, WeightRows
from compute.text.one_token import token_id
from compute.text.tokenizer import Tokenizer


class Attributions:
    """Splits logits into parts, and measures the residual stream. Nothing here waits for the GPU."""

    def __init__(self, engine: Engine, tokenizer: Tokenizer) -> None:
        """Raises `UsageError` for an engine without activations, or a model for which no lens is defined."""
        self._engine, self._tokenizer = engine, tokenizer
        self._parts, self._edits = AttributionPass(engine), engine.edits
        self._stream: StreamPass | None = None  # created on first use
        self._rows: WeightRows | None = None

    @property
    def passes(self) -> int:
        """How many passes the engine has run."""
        return self._engine.registry.passes

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""
        return self._engine.registry.rows

    def token_id(self, text: str, name: str) -> int:
        """The token that `text` stands for. name: of the field, for messages. Raises `AtlasError`s of one line."""
        with options_spelled(_field):
            return token_id(text, self._engine.config.vocabulary, self._tokenizer, name)

    @property
    def pending(self) -> bool:
        """True while a result is in flight."""
        others = (self._stream, self._rows)
        return self._parts.pending or any(one is not None and one.pending for one in others)

    def request_parts(self, target: int, against: int | None, row: int) -> bool:
        """Request the parts of a logit, or of a difference, at a context row. False while others are in flight."""
        edits = self._engine.edits
        if [id(edit) for edit in edits] != [id(edit) for edit in self._edits] and not self._parts.pending:
            self._parts, self._edits = AttributionPass(self._engine), edits  # a pass is for the edits of its time
        return self._parts.request(target, against, row)

    def take_parts(self) -> LogitParts | None:
        """The parts, once after they have arrived."""
        return self._parts.take()

    def request_stream(self, row: int) -> bool:
        """Request the shape of the residual stream at a context row. False while another is in flight."""
        if self._stream is None:
            self._stream = StreamPass(self._engine)
        return self._stream.request(row)

    def take_stream(self) -> StreamShape | None:
        """The shape, once after it has arrived."""
        return self._stream.take() if self._stream is not None else None

    def request_rows(self, neurons: Sequence[NeuronPart]) -> bool:
        """Request the rows of weights that neurons read the stream with. False while others are in flight."""
        if self._rows is None:
            hidden = (part.hidden for part in parts_of(self._engine.description) if isinstance(part, Whole))
            matrices = [one.reads for one in hidden if one is not None]
            self._rows = WeightRows(self._engine, matrices, NEURONS)
        return self._rows.request([(neuron.reads, neuron.index) for neuron in neurons])

    def take_rows(self) -> tuple[WeightRow, ...] | None:
        """The rows, once after they have arrived."""
        return self._rows.take() if self._rows is not None else None


def _field(name: str, value: tuple[object, ...]) -> str:
    """A field of the panel with its text: `target " Elara"`."""
    return f'{name} "{value[0]}"' if value else name
