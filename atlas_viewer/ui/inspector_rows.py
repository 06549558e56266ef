"""The inspector's facts about one value, as pairs of label and text: functions on the state."""

from __future__ import annotations

from atlas_viewer.state.color_mapping import brightness
from atlas_viewer.state.inspection import Inspection, TensorInfo, shown_value
from atlas_viewer.state.navigation import on_map
from atlas_viewer.state.protocols import TokenCodec
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_token
from compute.models.tensor_index import TensorIndex
from compute.views.block_value import BlockValue
from compute.views.strip_layout import Span

_TOKENS_LISTED = 3
_PATTERN = ("head", "query", "key")  # the axes of an attention pattern


def facts(state: State, element: TensorIndex, tokenizer: TokenCodec | None) -> list[tuple[str, str]]:
    """(label, text) pairs about the value at `element`; the value is three dots until it has been read."""
    inspection = state.inspection
    info = inspection.tensors.get(element.name)
    if info is None or not inspection.exists(element):
        return [("Value", "not in the latest pass"), ("Tensor", element.name)]
    wanted = element
    value, ranged = inspection.value(element), element.count > 1
    cell = None if on_map(state) else inspection.cell_of(element)
    known = value is not None or not ranged
    first = info.flat_index(element.index)
    last = first + element.count - 1
    element = inspection.single(element)
    lines = [
        ("Value", shown_value(value)),
        ("Tensor", info.name),
        ("Shape", " x ".join(map(str, info.shape))),
        ("Index", str(list(element.index)) if known else "..."),
    ]
    if cell is not None and info.span is not None:
        lines += _cell(info.span, cell, "most extreme of" if ranged else "")
    elif ranged:
        lines.append(("Shows", f"most extreme of values {first} to {last}"))
    if value is not None:
        lines.append(("Sign", _sign(inspection, info, value)))
    probed = inspection.probed_values.get(wanted)
    if probed is not None and probed.block is not None:
        lines += _stored(probed.block)
    if info.per_token:
        key = element.index[-1] if len(element.index) == len(_PATTERN) else None
        lines += _context(state, element.index[-2], key)
    if info.by_vocabulary:
        lines.append(("Vocabulary", _vocabulary(state, tokenizer, info, element, cell)))
    return lines


def summary(state: State, element: TensorIndex) -> str:
    """Name, index and value on one line."""
    inspection = state.inspection
    return f"{inspection.single(element)} = {shown_value(inspection.value(element))}"


def _cell(span: Span, cell: int, how: str) -> list[tuple[str, str]]:
    first, last = span.source_range(cell - span.first)
    source = f"value {first}" if first == last else f"{how} values {first} to {last}".lstrip()
    return [("Cell", f"{cell - span.first} of {span.cells}"), ("Shows", source)]


def _stored(block: BlockValue) -> list[tuple[str, str]]:
    """How a quantized weight stores the value: "0.0123 x (11 - 8)", and "0.0123 x 11 - 0.098" with a minimum."""
    code = f"({block.code} - {block.zero})" if block.zero else str(block.code)
    minimum = "" if block.minimum is None else f" {'-' if block.minimum < 0 else '+'} {abs(block.minimum):.6g}"
    return [
        ("Stored as", f"{block.dtype}, {block.bits} bits: code {block.code}"),
        ("Decoded", f"{block.scale:.6g} x {code}{minimum}"),
        ("Scale of", f"{block.shared} values"),
    ]


def _sign(inspection: Inspection, info: TensorInfo, value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "infinite, " + ("positive" if value > 0 else "negative")
    sign = "zero" if value == 0 else "positive" if value > 0 else "negative"
    high = largest(inspection, info.name)
    if high is None:
        return sign
    return f"{sign}, brightness {brightness(value, inspection.mapping.low, high, inspection.mapping):.2f}"


def largest(inspection: Inspection, name: str) -> float | None:
    """The magnitude shown brightest for this tensor; None while unknown."""
    mapping, statistics = inspection.mapping, inspection.statistics
    if mapping.high is not None:
        return mapping.high
    if mapping.span_scale == "all":
        return max((known.absmax for known in statistics.values()), default=None)
    return statistics[name].absmax if name in statistics else None


def _context(state: State, row: int, key: int | None) -> list[tuple[str, str]]:
    """Token and position of a row of an activation; query and key of an element of an attention pattern."""
    if key is None:
        return [("Token", _token_in(state, row)), ("Position", _position(state, row))]
    return [
        ("Query", _token_in(state, row)),
        ("Key", _token_in(state, key) + (", later: masked" if key > row else "")),
        ("Query at", _position(state, row)),
        ("Key at", _position(state, key)),
    ]


def _token_in(state: State, row: int) -> str:
    token = context_token(state, row)
    return f"{quoted(token[1])}  {token[0]}" if token else "-"


def _position(state: State, row: int) -> str:
    return f"{row + 1} of {state.inspection.rows}, position {state.inspection.first_position + row}"


def _vocabulary(
    state: State, tokenizer: TokenCodec | None, info: TensorInfo, element: TensorIndex, cell: int | None
) -> str:
    if cell is not None and info.span is not None and len(info.shape) == 1:
        first, last = info.span.source_range(cell - info.span.first)
        tokens = range(first, last + 1)
    else:
        tokens = range(element.index[0], element.index[0] + 1)
    shown = ", ".join(_token(state, tokenizer, token) for token in tokens[:_TOKENS_LISTED])
    return shown + (f" ... {_token(state, tokenizer, tokens[-1])}" if len(tokens) > _TOKENS_LISTED else "")


def _token(state: State, tokenizer: TokenCodec | None, token: int) -> str:
    if state.model is not None and token >= state.model.vocabulary:
        return f"{token} (padding)"
    return f"{token} {quoted(tokenizer.token_label(token))}" if tokenizer else str(token)
