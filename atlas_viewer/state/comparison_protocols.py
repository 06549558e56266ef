"""Protocols of what the views show, and of what compares passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from compute.models.registry import Registry
from compute.views.attention_head import AttentionViews

from .comparing import ComparedLogits, Wanted
from .reader_protocols import LensSource, TensorReaderLike

if TYPE_CHECKING:
    from .protocols import MapSource, StripPainter


class Views(Protocol):
    """What the views show: a model's own passes, or a side of a comparison. None where there are no values.

    Those of a model are different ones once the context has grown.
    """

    @property
    def unavailable(self) -> str:
        """Why there are no values, and what to do; empty when there are."""

    @property
    def strip(self) -> StripPainter | None:
        """The painter of Strip."""

    @property
    def map_source(self) -> MapSource | None:
        """The source of maps."""

    @property
    def attention(self) -> AttentionViews | None:
        """The views of attention."""

    @property
    def tensor_reader(self) -> TensorReaderLike | None:
        """The reader of values and statistics."""


class ComparedViews(Views, Protocol):
    """A side of a comparison; `pass_views.PassViews` is one."""

    @property
    def registry(self) -> Registry:
        """The tensors."""

    @property
    def lens(self) -> LensSource | None:
        """The logit lens of the second pass; None for a difference."""


class ComparisonSource(Protocol):
    """Compares the latest pass with another one; `comparisons.Comparisons` is one."""

    @property
    def b(self) -> ComparedViews | None:
        """The views of B; None until there is one."""

    @property
    def difference(self) -> ComparedViews | None:
        """The views of the difference; None until there is one, or when it does not fit."""

    def comparing(self, wanted: Wanted) -> Iterator[tuple[str, float] | ComparedLogits]:
        """Compute B and the difference in steps; the last one yields the result. Raises `AtlasError`s."""

    def relative(self, on: bool) -> Iterator[tuple[str, float]]:
        """Compute the difference again, relative to the values or not."""

    def forget(self) -> None:
        """Release B and its memory."""
