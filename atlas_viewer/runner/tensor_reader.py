"""Fetches single values, statistics and the trace of the engine's latest pass from the GPU without waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.inspection import ProbedValue, TensorInfo
from atlas_viewer.state.reader_protocols import ValueReader
from compute.forward.engine import Engine
from compute.models.tensor_index import TensorIndex
from compute.views.difference import DifferencePass
from compute.views.formula_pass import FormulaPass
from compute.views.palettes import PALETTES
from compute.views.probe import ProbePass
from compute.views.statistics import HISTOGRAM_EDGES, StatisticsPass, TensorStatistics
from compute.views.strip import StripPass
from compute.views.strip_layout import Span, StripLayout
from compute.views.trace import lines, records


class TensorReader:
    """Reads what the inspector, the tensor list and the trace panel show."""

    edges: Sequence[float] = tuple(HISTOGRAM_EDGES)
    palettes: tuple[str, ...] = tuple(PALETTES)

    def __init__(self, values: Engine | DifferencePass, strip: StripPass) -> None:
        self._values, self._strip = values, strip
        self._engine = values if isinstance(values, Engine) else None  # a difference has no formulas and no trace
        self._probes = ProbePass(values)
        self._statistics: StatisticsPass | None = None  # created on first use
        self._formulas: FormulaPass | None = None
        self.set_color_mapping(ColorMapping())
        self._tensors: dict[str, TensorInfo] = {}  # as they were in the pass that was described last,
        self._described: tuple[StripLayout, int] | None = None  # with this layout and this many rows
        self._spans: dict[str, Span] = {}  # of that layout

    @property
    def values(self) -> ValueReader:
        """The reader itself."""
        return self

    @property
    def formulas(self) -> FormulaPass | None:
        """The source of formulas; None when the engine keeps no activations."""
        if self._formulas is None and self._engine is not None and self._engine.activations is not None:
            self._formulas = FormulaPass(self._engine)
        return self._formulas

    @property
    def layout(self) -> StripLayout:
        """The layout of the strip as last painted."""
        return self._strip.layout

    @property
    def rows(self) -> int:
        """Number of context tokens in the latest pass."""
        return self._values.registry.rows

    @property
    def first_position(self) -> int:
        """Absolute position of the first context token."""
        return self._values.registry.first_position

    @property
    def statistics(self) -> Mapping[str, TensorStatistics]:
        """Statistics of every tensor from the latest readback; empty before the first."""
        return self._statistics.latest if self._statistics else {}

    @property
    def first_bad(self) -> str | None:
        """The first tensor, in order of computation, that has a value that is not finite; None if there is none."""
        return self._statistics.first_bad() if self._statistics else None

    @property
    def probed_values(self) -> dict[TensorIndex, ProbedValue]:
        """The requested values that have arrived."""
        values = self._probes.values.items()
        return {element: ProbedValue(known.value, known.index, known.block) for element, known in values}

    @property
    def pending(self) -> bool:
        """True while a readback is in flight."""
        return self._probes.pending or (self._statistics is not None and self._statistics.pending)

    def tensors(self) -> dict[str, TensorInfo]:
        """Every tensor as it is in the latest pass."""
        registry, layout, before = self._values.registry, self.layout, self._described
        same = before is not None and before[0] is layout
        if before is not None and same and before[1] == registry.rows:
            return self._tensors
        if not same:
            self._spans = {span.name: span for span in layout.spans}
        self._described = layout, registry.rows
        described = dict(self._tensors)
        for tensor in registry:
            if same and tensor.kind == "weight":
                continue  # its shape is that of the model
            name, shape, span = tensor.name, registry.shape(tensor), self._spans.get(tensor.name)
            # A hidden strip is not painted: its layout may be that of an earlier pass.
            if span is not None and span.values != registry.count(tensor):
                span = None
            info = described.get(name)
            if info is None:
                described[name] = TensorInfo.of(registry, tensor, span)
            elif info.shape != shape or info.span != span:
                described[name] = replace(info, shape=shape, span=span)
        self._tensors = described
        return described

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        """Use `mapping` the next time the strip is painted."""
        self._strip.set_color_mapping(mapping)

    def request_values(self, elements: Sequence[TensorIndex]) -> None:
        """Fetch the values at `elements` from the latest pass."""
        self._probes.watch(elements)
        self._probes.update()

    def request_statistics(self) -> None:
        """Compute and fetch the statistics of the latest pass."""
        self.statistics_pass().update()

    def statistics_pass(self) -> StatisticsPass:
        """The pass that computes the statistics; recorders share it."""
        if self._statistics is None:
            self._statistics = StatisticsPass(self._values)
        return self._statistics

    def poll_values(self) -> bool:
        """Return True if values have arrived since the last call."""
        return self._probes.poll()

    def poll_statistics(self) -> bool:
        """Return True if statistics have arrived since the last call."""
        return self._statistics is not None and self._statistics.poll()

    def trace(self) -> Sequence[str]:
        """The trace's lines, from the latest statistics; empty until statistics have arrived."""
        if self._statistics is None or self._engine is None:
            return ()
        return lines(records(self._engine, self._statistics.latest, self.layout))
