"""The views of one side of a comparison: of the second pass, or of the difference of both."""

from __future__ import annotations

import numpy as np

from compute.forward.engine import Engine
from compute.gpu.loading import Loading, paced
from compute.models.registry import Registry
from compute.views.attention_difference import DifferenceViews
from compute.views.attention_head import AttentionViews
from compute.views.difference import DifferencePass
from compute.views.map_layout import map_layout
from compute.views.map_pass import MapPass
from compute.views.strip import StripPass

from .lens_reader import LensReader
from .tensor_reader import TensorReader


class PassViews:
    """Strip, Map, Attention and single values, each created on first use."""

    unavailable = ""

    def __init__(self, values: Engine | DifferencePass) -> None:
        self._values = values
        self._strip: StripPass | None = None
        self._attention: AttentionViews | None = None
        self._reader: TensorReader | None = None
        self._lens: LensReader | None = None

    @property
    def strip(self) -> StripPass:
        """The painter of Strip."""
        if self._strip is None:
            self._strip = StripPass(self._values)
        return self._strip

    @property
    def map_source(self) -> PassViews:
        """The views themselves."""
        return self

    @property
    def registry(self) -> Registry:
        """The tensors."""
        return self._values.registry

    @property
    def max_context(self) -> int:
        """The longest context, in tokens."""
        return self._values.context

    def loading_map(self, glyphs: np.ndarray, context: int, *, tables: bool = True) -> Loading[MapPass]:
        """See `ModelRunner.loading_map`."""
        layout = map_layout(self.registry, context, tables=tables)
        yield "layout", 1.0
        return (yield from paced(self._values.device, MapPass.loading(self._values, glyphs, layout)))

    @property
    def attention(self) -> AttentionViews:
        """The views of attention."""
        if self._attention is None:
            values = self._values
            if isinstance(values, DifferencePass):
                self._attention = DifferenceViews(values.subtraction)
            else:
                self._attention = AttentionViews(values)
        return self._attention

    @property
    def tensor_reader(self) -> TensorReader:
        """The reader of values and statistics."""
        if self._reader is None:
            self._reader = TensorReader(self._values, self.strip)
        return self._reader

    @property
    def lens(self) -> LensReader | None:
        """The logit lens; None for a difference, which has no residual stream of its own.

        Raises `UsageError` when no lens is defined for the model.
        """
        if self._lens is None and isinstance(self._values, Engine):
            self._lens = LensReader(self._values)
        return self._lens
