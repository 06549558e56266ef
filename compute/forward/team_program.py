"""One token on a GPU, for any description: teams of threads multiply rows of matrices, with few dispatches per block.

Where nothing is edited, a norm is computed by the products that read it, products of the same row share a dispatch, a
gate is applied where it is computed, queries and keys are rotated on their way to the cache, and attention is computed
over spans of keys, which the product that reads it merges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import wgpu

from compute.gpu.kernels import Resource
from compute.gpu.wgpu_native import Dispatch
from compute.models.operations import Attention, Gated, LayerNorm, Linear, Norm, RmsNorm, Rope

from .edit_points import UNEDITED
from .span_attention import Spans
from .stage_kernels import alike
from .stages import Stage, products_of
from .team_products import TYPES, TeamProducts, heads_before

_MOST = 3  # products that share a dispatch


class TeamProgram(TeamProducts):
    """Decode on a GPU; matrices and caches are storage buffers."""

    _attention_threads = 256  # one row has few queries: more threads share the keys of each

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        self._span_buffers: dict[tuple[str, int], wgpu.GPUBuffer] = {}  # by name and elements
        return super()._build()

    def _groups(self, made: list[Stage]) -> Iterator[tuple[Stage, ...]]:
        rest = list(made)
        while rest:
            size = 1 if self._points is not None else self._together(rest)
            yield tuple(rest[:size])
            del rest[:size]

    def _together(self, stages: Sequence[Stage]) -> int:
        """How many of the first stages share dispatches."""
        first = stages[0].first
        if isinstance(first, LayerNorm) or (isinstance(first, RmsNorm) and first.size == first.columns):
            return self._with_norm(first, stages)
        match [stage.first for stage in stages[:3]]:
            case [Rope() as query, Rope() as key, Attention() as attention]:
                if self._rotates(query, key, attention):
                    return 3 + self._merges(attention, stages[3:])
            case [Attention() as attention, *_]:
                return 1 + self._merges(attention, stages[1:])
        return 1

    def _with_norm(self, norm: Norm, stages: Sequence[Stage]) -> int:
        """How many stages a norm and the products that read it are, with what their outputs go to."""
        after = products_of(norm, stages[1:], self._description)
        if not 0 < len(after) <= _MOST:
            return 1
        if not self._fit(norm.columns) or not self._alike([stage.first for stage in after]):
            return 1
        length, follows = 1 + len(after), stages[1 + len(after) :]
        if self._is_gated(after, follows):
            return length + 1
        plain = all(len(stage.operations) == 1 for stage in after)
        if plain and (stored := self._stored_for_attention(after, follows)):
            attention = follows[stored - 1].first
            assert isinstance(attention, Attention)
            return length + stored + self._merges(attention, follows[stored:])
        return length if plain or len(after) == 1 else 1

    @staticmethod
    def _is_gated(after: Sequence[Stage], follows: Sequence[Stage]) -> bool:
        outputs = [stage.output.output for stage in after]
        return any(isinstance(stage.first, Gated) and [*stage.inputs] == outputs for stage in follows[:1])

    def _stored_for_attention(self, after: Sequence[Stage], follows: Sequence[Stage]) -> int:
        """How many stages follow that rotate queries and keys, up to attention, if products can do that; else 0."""
        ropes: list[Rope] = []
        match [stage.first for stage in follows[:3]]:
            case [Rope() as query, Rope() as key, Attention() as attention] if alike(query, key, attention):
                ropes = [query, key]
            case [Attention() as attention, *_]:
                pass
            case _:
                return 0
        reads = {*(rope.output for rope in ropes), attention.output}
        size = attention.head_size
        for stage in after:
            if stage.output.columns % size or not reads.issuperset(self._description.readers(stage.output.output)):
                return 0
        outputs = {stage.output.output for stage in after}
        blocks = all(
            heads.source in outputs and heads.size == size and heads.first % size == heads.step % size == 0
            for heads in heads_before(attention, ropes)
        )
        return 1 + len(ropes) if blocks else 0

    def _merges(self, attention: Attention, stages: Sequence[Stage]) -> bool:
        """True when the first stage is a product that can merge the spans of the attention before it."""
        match [stage.first for stage in stages[:1]]:
            case [Linear(x=attention.output) as linear]:
                only = self._description.readers(attention.output) == (linear.output,)
                possible = self._alike([linear]) and self._fit(attention.columns)
                return only and possible and Spans(attention, self._context).fit(self._device)
        return False

    def _group(self, group: tuple[Stage, ...]) -> list[Dispatch]:
        match [stage.first for stage in group]:
            case [LayerNorm() | RmsNorm(), Linear(), *_]:
                kinds = [type(stage.first) for stage in group]
                if Attention not in kinds:
                    return [self._products(group)]
                index = kinds.index(Attention)
                return [self._products(group[: index + 1]), *self._attended(group[index:])]
            case [Rope() as query, Rope() as key, Attention() as attention, *_]:
                return [self._rotate(group[0].section, query, key, attention), *self._attended(group[2:])]
            case [Attention() as attention, Linear()]:
                return [*self._kv_store(attention), *self._attended(group)]
        return super()._group(group)

    def _attended(self, group: tuple[Stage, ...]) -> list[Dispatch]:
        """Attention, over spans if the group contains the product that merges them."""
        attention = group[0].first
        assert isinstance(attention, Attention)
        if len(group) == 1:
            return [self._attention(group[0], attention, UNEDITED)]
        linear, spans = group[1].first, Spans(attention, self._context)
        assert isinstance(linear, Linear)
        mixed = self._of_spans("mixed spans", spans.most * attention.columns)
        shares = self._of_spans("shares of spans", 2 * spans.most * attention.heads)
        kernel = self._kernels.get(
            "decode/attention_spans", **spans.values, **self._where("query", attention.query)
        )  # fmt: skip
        bound: dict[str, Resource] = {
            "state": self._shared.state,
            "query_rows": self._value(attention.query.source),
            "cache": self._shared.caches[self._description.attention.index(attention)],
            "mixed": mixed,
            "shares": shares,
        }
        cost = attention.columns * self._context
        attended = kernel.dispatch((attention.kv_heads, spans.most, 1), bound, cost=cost, label=attention.output)
        kept = self._offset(group[0].section, attention.output)
        read: dict[str, Resource] = {"mixed": mixed, "shares": shares}
        return [attended, *self._merged(self._product_of(group[1], linear), spans, read, kept)]

    def _of_spans(self, label: str, elements: int) -> wgpu.GPUBuffer:
        """Memory that all layers share."""
        if (label, elements) not in self._span_buffers:
            self._span_buffers[label, elements] = self._buffer(label, elements)
        return self._span_buffers[label, elements]

    def _build_head(self) -> list[Dispatch]:
        head = self._description.head
        if head.bias is None and self._storages[head.weight.name].dtype in TYPES:
            return self._gpu_head(self._shared.head_input, normed=False)
        return super()._build_head()
