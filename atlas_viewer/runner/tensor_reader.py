"""Single values, statistics and the trace of the engine's latest pass, fetched from the GPU without waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.inspection import ProbedValue, TensorInfo
from compute.forward.engine import Engine
from compute.models.tensor_index import TensorIndex
from compute.views.palettes import PALETTES
from compute.views.probe import ProbePass
from compute.views.statistics import HISTOGRAM_EDGES, StatisticsPass, TensorStatistics
from compute.views.strip import StripPass
from compute.views.strip_layout import StripLayout
from compute.views.trace import lines, records


class TensorReader:
    """What the inspector, the tensor list and the trace panel are filled from."""

    edges: Sequence[float] = tuple(HISTOGRAM_EDGES)
    palettes: tuple[str, ...] = tuple(PALETTES)

    def __init__(self, engine: Engine, strip: StripPass) -> None:
        self._engine, self._strip = engine, strip
        self._probes = ProbePass(engine)
        self._statistics: StatisticsPass | None = None  # made when it is first wanted
        self.set_color_mapping(ColorMapping())

    @property
    def layout(self) -> StripLayout:
        """Of the atlas as it was painted last."""
        return self._strip.layout

    @property
    def rows(self) -> int:
        """Context tokens of the latest pass."""
        return self._engine.registry.rows

    @property
    def first_position(self) -> int:
        """Absolute position of the first of them."""
        return self._engine.registry.first_position

    @property
    def statistics(self) -> Mapping[str, TensorStatistics]:
        """What has arrived last."""
        return self._statistics.latest if self._statistics else {}

    @property
    def first_bad(self) -> str | None:
        """The first tensor with a value that is not finite, in the order the model runs."""
        return self._statistics.first_bad() if self._statistics else None

    @property
    def probed_values(self) -> dict[TensorIndex, ProbedValue]:
        """What the watched spots were found to be, as far as it has arrived."""
        return {element: ProbedValue(known.value, known.index) for element, known in self._probes.values.items()}

    @property
    def pending(self) -> bool:
        """True while something is on its way."""
        return self._probes.pending or (self._statistics is not None and self._statistics.pending)

    def tensors(self) -> dict[str, TensorInfo]:
        """Every tensor as it is in the latest pass."""
        registry = self._engine.registry
        # A strip that is out of sight is not painted: its layout may be of an earlier pass.
        spans = {span.name: span for span in self.layout.spans if span.values == registry.count(registry[span.name])}
        return {
            t.name: TensorInfo(
                t.name,
                t.kind,
                registry.shape(t),
                t.description,
                t.rows is None,
                spans.get(t.name),
            )
            for t in registry
        }

    def set_color_mapping(self, mapping: ColorMapping) -> None:
        """The atlas is painted so from the next time on."""
        self._strip.set_color_mapping(mapping)

    def ask_values(self, elements: Sequence[TensorIndex]) -> None:
        """Fetch these values of the latest pass."""
        self._probes.watch(elements)
        self._probes.update()

    def ask_statistics(self) -> None:
        """Have the statistics of the latest pass made and fetched."""
        self.statistics_pass().update()

    def statistics_pass(self) -> StatisticsPass:
        """What makes the statistics; for others who want the same."""
        if self._statistics is None:
            self._statistics = StatisticsPass(self._engine)
        return self._statistics

    def poll(self) -> tuple[bool, bool]:
        """Whether values, and whether statistics, have arrived."""
        values = self._probes.poll()
        statistics = self._statistics is not None and self._statistics.poll()
        return values, statistics

    def trace(self) -> Sequence[str]:
        """The lines of the debug trace, from the statistics that arrived last."""
        if self._statistics is None:
            return ()
        return lines(records(self._engine, self._statistics.latest, self.layout))
