"""The figures of `bench` as a picture: a panel of bars for those that can be compared with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atlas_viewer.media.drawing import ADVANCE, Box, Drawing, Rgb, Words
from atlas_viewer.media.text_width import columns_of, cut
from compute.bench.figures import GROUPS, Change, Group, NamedFigure, changes, figures
from compute.bench.torch_bench import KINDS, PRECISIONS
from compute.io.escape import one_line

_WHITE: Rgb = (1.0, 1.0, 1.0)
_INK, _DIM, _PALE = (0.09, 0.11, 0.15), (0.36, 0.40, 0.46), (0.88, 0.90, 0.93)
_NOW, _BEFORE, _THEIRS = (0.16, 0.42, 0.80), (0.66, 0.72, 0.80), (0.85, 0.52, 0.13)
_BETTER, _WORSE = (0.07, 0.46, 0.24), (0.76, 0.16, 0.12)
_MARGIN, _GUTTER, _BETWEEN = 28, 44, 26
_PANEL = 470  # width
_SIZE, _TITLE, _HEADING = 12.0, 18.0, 13.0  # of texts
_BAR, _GAP = 14, 9  # height of a bar; between figures
_LABEL, _VALUE = 112, 132  # width of the labels, and of the numbers right of the longest bar
_LEAST = 1.5  # width of a bar


@dataclass(frozen=True)
class Bar:
    """One bar. note: after its number; verdict: "better", "worse" or "", which colors the note."""

    value: float | None
    color: Rgb
    hint: str
    note: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Panel:
    """Bars on one scale, in rows; each row has a label and one bar per series."""

    title: str
    unit: str
    rows: Sequence[tuple[str, Sequence[Bar]]]

    @property
    def height(self) -> float:
        """In pixels."""
        return 26 + sum(len(bars) * _BAR + _GAP for _, bars in self.rows)


def bench_picture(result: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Drawing:
    """The picture of an output of `bench --json`. before: an earlier one, drawn next to it."""
    panels = _panels(result, before)
    columns = _columns(panels)
    drawing = Drawing(2 * _MARGIN + 2 * _PANEL + _GUTTER, 0, _WHITE, f"Speed of {one_line(result['model'])}")
    top = _heading(drawing, result, before)
    bottom = top
    for column, stacked in enumerate(columns):
        y = top
        for panel in stacked:
            _draw(drawing, panel, _MARGIN + column * (_PANEL + _GUTTER), y)
            y += panel.height + _BETWEEN
        bottom = max(bottom, y - _BETWEEN)
    drawing.height = round(bottom + _MARGIN - _GAP)
    return drawing


def number(value: float | None) -> str:
    """A figure with three digits, or all of those before the point."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def percent(change: Change) -> str:
    """By how much a figure has grown, such as "+5 %"."""
    rounded = round(change.percent)
    return f"{rounded:+d} %".replace("-", "\u2212") if rounded else "0 %"


def _panels(result: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[Panel]:
    earlier = {change.figure.name: change for change in changes(before or {}, result)}
    theirs = result.get("llama") or {}
    panels: list[Panel] = []
    for group in GROUPS:
        shown = figures(result, group)
        rows = [(figure.label, _bars(group, figure, earlier.get(figure.name), theirs)) for figure in shown]
        direction = "more is better" if group.more_is_better else "less is better"
        if any(figure.value is not None for figure in shown):
            panels.append(Panel(group.title, f"{group.unit}, {direction}", rows))
    if result.get("torch"):
        panels.insert(2, _torch_panel(result))
    return panels


def _bars(group: Group, figure: NamedFigure, change: Change | None, theirs: Mapping[str, Any]) -> list[Bar]:
    what = f"{group.title}, {figure.label}"
    note = "" if change is None else percent(change)
    verdict = "" if change is None else change.verdict
    bars = [Bar(figure.value, _NOW, f"{what}: {number(figure.value)} {group.unit}", note, verdict)]
    if change is not None:
        bars.append(Bar(change.before, _BEFORE, f"{what}, before: {number(change.before)} {group.unit}"))
    kind, _, key = figure.name.partition(".")
    other = theirs.get(kind, {}).get(key)
    if other is not None:
        times = theirs["ratios"][kind].get(key)
        note = "" if times is None else f"ours {number(times)}x"
        bars.append(Bar(other, _THEIRS, f"{what}, llama.cpp: {number(other)} {group.unit}", note))
    return bars


def _torch_panel(result: Mapping[str, Any]) -> Panel:
    torch, ours = result["torch"], result["decode_tokens_per_second"]
    rows = [("this", [Bar(ours, _NOW, f"this program: {number(ours)} tokens/s")])]
    for precision in filter(torch.get, PRECISIONS):
        for kind in KINDS:
            rate = torch[precision][f"{kind}_tokens_per_second"]
            times = result["ratios"].get(precision, {}).get(kind)
            note = "" if times is None else f"ours {number(times)}x"
            hint = (
                f"PyTorch, {precision}, {torch['static_kind'] if kind == 'static' else kind}: {number(rate)} tokens/s"
            )
            rows.append((f"{precision} {kind}", [Bar(rate, _THEIRS, hint, note)]))
    return Panel(f"Decode next to PyTorch, context {torch['context']}", "tokens/s, more is better", rows)


def _columns(panels: Sequence[Panel]) -> tuple[list[Panel], list[Panel]]:
    """The panels in two columns of about the same height, in order from top to bottom."""
    heights = [panel.height + _BETWEEN for panel in panels]
    split = min(range(1, len(panels) + 1), key=lambda count: max(sum(heights[:count]), sum(heights[count:])))
    return list(panels[:split]), list(panels[split:])


def _heading(drawing: Drawing, result: Mapping[str, Any], before: Mapping[str, Any] | None) -> float:
    """Title, what was measured, and the legend; returns where the panels begin."""
    fits = int((drawing.width - 2 * _MARGIN) / (ADVANCE * _SIZE))
    y = _MARGIN + _TITLE - 4
    drawing.words.append(Words(_MARGIN, y, cut(drawing.title, int(fits * _SIZE / _TITLE)), _TITLE, _INK, bold=True))
    series: list[tuple[Rgb, str]] = [(_NOW, f"this program: {_described(result)}")]
    if before is not None:
        series.append((_BEFORE, f"before: {_described(before)}"))
    if llama := result.get("llama"):
        series.append((_THEIRS, f"llama.cpp {llama['version']} on {llama['device']}"))
    if torch := result.get("torch"):
        versions = f"PyTorch {torch['version']}, transformers {torch['transformers']}"
        series.append((_THEIRS, f"{versions} on {torch['device']}; static: {torch['static_kind']}"))
    y += 8
    for color, text in series:
        y += 18
        drawing.boxes.append(Box(_MARGIN, y - 9, 10, 10, color))
        drawing.words.append(Words(_MARGIN + 17, y, cut(one_line(text), fits - 3), _SIZE, _DIM))
    return y + 26


def _described(result: Mapping[str, Any]) -> str:
    return f"{result['model']}, {result['weights']}, {result['adapter']}"


def _draw(drawing: Drawing, panel: Panel, x: float, y: float) -> None:
    drawing.words.append(Words(x, y + 11, panel.title, _HEADING, _INK, bold=True))
    drawing.words.append(Words(x + _PANEL, y + 11, panel.unit, _SIZE - 1, _DIM, "end"))
    drawing.boxes.append(Box(x, y + 18, _PANEL, 1, _PALE))
    left, longest = x + _LABEL, _PANEL - _LABEL - _VALUE
    most = max((bar.value or 0 for _, bars in panel.rows for bar in bars), default=0) or 1
    y += 26
    for label, bars in panel.rows:
        drawing.words.append(Words(left - 9, y + 10.5, label, _SIZE, _DIM, "end"))
        for bar in bars:
            _draw_bar(drawing, bar, left, y, longest / most)
            y += _BAR
        y += _GAP
    base = y - _GAP
    top = base - sum(len(bars) * _BAR + _GAP for _, bars in panel.rows) + _GAP
    drawing.boxes.append(Box(left - 1, top - 2, 1, base - top + 4, _DIM))


def _draw_bar(drawing: Drawing, bar: Bar, x: float, y: float, scale: float) -> None:
    width = 0.0 if bar.value is None else max(bar.value * scale, _LEAST)
    if width:
        drawing.boxes.append(Box(x, y + 1, width, _BAR - 2, bar.color, bar.hint))
    text = number(bar.value)
    ours = bar.color == _NOW
    drawing.words.append(Words(x + width + 6, y + 10.5, text, _SIZE, _INK if ours else _DIM))
    if bar.note:
        color = {"better": _BETTER, "worse": _WORSE}.get(bar.verdict, _DIM)
        after = x + width + 6 + (columns_of(text) + 1.5) * ADVANCE * _SIZE
        drawing.words.append(Words(after, y + 10.5, bar.note, _SIZE, color, bold=bool(bar.verdict)))
