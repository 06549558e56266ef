"""The sampling ladder below a row of the logits table, and the random numbers of the draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.distribution import Distribution
from atlas_viewer.state.options_text import changes_in_words
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.sampling_ladder import Ladder, Race, ladder_of, race_of, with_sliders
from atlas_viewer.state.state import State
from atlas_viewer.state.timeline import played_back
from atlas_viewer.ui import theme, widget_tracking

from .widgets import drawable, elided, packed

_LABELS = 8.5  # ems, the largest width of the names of the rungs
_BAR = 1.0  # ems, the height of the cumulative bar
_RACERS = 5
_PADDING = 0.6  # ems
_SEGMENTS = 40  # tokens with a segment of their own in the cumulative bar
_WAITING = "The sampling ladder needs all logits of the step: pause the run, or open a recording with logits."

TextOf = Callable[[int], str]
_kept: tuple[object, Content] | None = None  # of the latest frame, with what it depends on


@dataclass(frozen=True)
class Row:
    """A line of the ladder. kind: "" for plain text, "out" where a filter removed the token, "result" for the last."""

    label: str
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Content:
    """Everything that the ladder of a token shows."""

    rows: tuple[Row, ...]
    shares: tuple[tuple[int, float], ...] = ()  # token and probability of the bar's segments, likeliest first
    race: tuple[Row, ...] = ()
    winner: int | None = None


def rows_of(ladder: Ladder, note: str) -> tuple[Row, ...]:
    """The lines from the logit to the probability. note: about the options, empty for those of the step."""
    options = ladder.options
    rows = [Row("options", note)] if note else []
    rows.append(Row("raw logit", f"{ladder.logit:.4f}"))
    if options.repetition_penalty != 1:
        sign = "/" if ladder.logit > 0 else "*"
        how = f"{sign} {options.repetition_penalty:g}" if ladder.repeated else "not in the context: unchanged"
        rows.append(Row("penalty", f"{ladder.penalized:.4f}   {how}"))
    if options.temperature == 0:
        rows.append(Row("temperature 0", "the largest logit is taken; nothing is random"))
        return (*rows, Row("probability", percent(ladder.probability).strip(), "result"))
    rows.append(Row("temperature", f"{ladder.scaled:.4f}   / {options.temperature:g}"))
    rows.append(Row("- largest", f"{ladder.scaled - ladder.highest:.4f}   - {ladder.highest:.4f}"))
    for rung in ladder.rungs:
        rows.append(
            Row(rung.label, f"{rung.compared}: {'kept' if rung.kept else 'removed'}", "" if rung.kept else "out")
        )
    share = percent(ladder.probability).strip()
    if not ladder.weight and not ladder.probability:
        return (*rows, Row("probability", f"0 / sum = 0 / {ladder.total:.4g} = {share}", "result"))
    exponent = f"exp({ladder.scaled - ladder.highest:.2f})"
    text = f"{exponent} / sum = {ladder.weight:.4g} / {ladder.total:.4g} = {share}"
    return (*rows, Row("probability", text, "result"))


def race_rows(race: Race, drawn: int, text_of: TextOf, by_hand: bool, changed: bool) -> tuple[Row, ...]:
    """The lines about the random numbers. drawn: the token that the step has; changed: the sliders have moved."""
    rows = [
        Row(
            "draw",
            "No single random number picks a point on the bar. Every token gets a random number u of its own, from "
            f"seed {race.seed}, step {race.step} and its id. Its score is the number above plus -ln(-ln(1 - u)). "
            "The largest score wins, which happens with the probability above:",
        )
    ]
    for place, racer in enumerate(race.racers):
        gap = racer.score - racer.noise
        won = "  wins" if place == 0 else ""
        text = f"u {racer.uniform:.4f}  {gap:.3f} + {racer.noise:.3f} = {racer.score:.3f}{won}"
        rows.append(Row(text_of(racer.token), text, "result" if place == 0 else ""))
    winner = race.racers[0].token
    if changed and winner != drawn:
        rows.append(Row("", f"with these sliders the same numbers draw {text_of(winner)} instead of {text_of(drawn)}"))
    elif by_hand:
        rows.append(Row("", f"the token of this step, {text_of(drawn)}, was chosen by hand"))
    elif winner != drawn:
        rows.append(
            Row(
                "",
                f"the step drew {text_of(drawn)}: in float64 the two largest scores are only {race.margin:.1e} apart",
                "out",
            )
        )
    return tuple(rows)


def content(state: State, distribution: Distribution | None, token: int, text_of: TextOf) -> Content:
    """What to show for a token; one line of explanation while the logits of the step are not known."""
    global _kept
    step, run = state.step, state.run
    if distribution is None or step is None or run is None:
        return Content((Row("", _WAITING),))
    by_hand = run.parent is not None and step.index == run.fork
    # A recording is shown with its own options.
    sliders = distribution.options if played_back(state) is not None else state.options
    key = distribution, sliders, token, step.token, by_hand
    if _kept is None or _kept[0] != key:  # random numbers of all tokens take milliseconds
        _kept = key, _content(distribution, with_sliders(distribution, sliders), token, text_of, step.token, by_hand)
    return _kept[1]


def _content(
    drawn: Distribution, shown: Distribution, token: int, text_of: TextOf, taken: int, by_hand: bool
) -> Content:
    changed = shown is not drawn
    note = f"the sliders as they are now: {changes_in_words(drawn.options, shown.options)}" if changed else ""
    rows, race = rows_of(ladder_of(shown, token), note), race_of(shown, _RACERS)
    order = shown.draw_order[: min(shown.kept, _SEGMENTS)]
    shares = tuple((int(known), float(shown.drawn[known])) for known in order)
    if race is None:
        return Content(rows, shares)
    return Content(rows, shares, race_rows(race, taken, text_of, by_hand, changed), race.racers[0].token)


def height(shown: Content, width: float) -> float:
    """Height of the ladder in pixels, for its width."""
    inner = width - 2 * theme.em(_PADDING)
    bar = theme.em(_BAR) + theme.em(_PADDING) if shown.shares else 0.0
    return sum(_height(row, inner) for row in (*shown.rows, *shown.race)) + bar + theme.em(_PADDING)


def _labels(width: float) -> float:
    return min(theme.em(_LABELS), width / 4)


def _height(row: Row, width: float) -> float:
    """Height of a line, whose text wraps."""
    size = imgui.calc_text_size(row.text, wrap_width=width - _labels(width))
    return max(float(size.y), float(imgui.get_text_line_height())) + float(imgui.get_style().item_spacing.y) / 2


def draw(shown: Content, token: int, corner: ImVec2, width: float) -> None:
    """Draw the ladder at a corner of the screen, `width` pixels wide."""
    low, high = corner, ImVec2(corner.x + width, corner.y + height(shown, width))
    canvas = imgui.get_window_draw_list()
    canvas.add_rect_filled(low, high, packed(theme.now.back_deep))
    canvas.add_rect_filled(low, ImVec2(low.x + theme.em(0.2), high.y), packed(theme.now.mark))
    pad = theme.em(_PADDING)
    y = _rows(shown.rows, ImVec2(low.x + pad, low.y + pad / 2), width - 2 * pad)
    if shown.shares:
        y = _bar(shown, token, ImVec2(low.x + pad, y), width - 2 * pad) + pad
    _rows(shown.race, ImVec2(low.x + pad, y), width - 2 * pad)
    widget_tracking.rects["ladder"] = widget_tracking.WidgetRect(low.x, low.y, high.x, high.y)


def _rows(rows: tuple[Row, ...], corner: ImVec2, width: float) -> float:
    """Draw lines of label and text. Returns the y coordinate below them."""
    canvas, labels = imgui.get_window_draw_list(), _labels(width)
    inks = {"": theme.now.text, "out": theme.now.error, "result": theme.now.accent}
    font, size, y = imgui.get_font(), imgui.get_font_size(), corner.y
    for row in rows:
        canvas.add_text(ImVec2(corner.x, y), packed(theme.now.text_dim), elided(row.label, labels - theme.em(0.3)))
        left = ImVec2(corner.x + labels, y)
        canvas.add_text(font, size, left, packed(inks[row.kind]), drawable(row.text), wrap_width=width - labels)
        y += _height(row, width)
    return y


def _bar(shown: Content, token: int, corner: ImVec2, width: float) -> float:
    """The tokens kept, likeliest first, each as wide as its probability; the rest is empty. Returns the y below it."""
    canvas, x, floor = imgui.get_window_draw_list(), corner.x, corner.y + theme.em(_BAR)
    canvas.add_rect(corner, ImVec2(corner.x + width, floor), packed(theme.now.line))
    accent = theme.now.accent
    for at, (known, share) in enumerate(shown.shares):
        end = min(x + share * width, corner.x + width)
        color = packed(theme.now.mark, 0.8) if known == token else packed(accent, 0.55 if at % 2 else 0.35)
        canvas.add_rect_filled(ImVec2(x, corner.y), ImVec2(end, floor), color)
        if known == shown.winner:
            middle, half = (x + end) / 2, theme.em(0.3)
            left, right = ImVec2(middle - half, floor + half), ImVec2(middle + half, floor + half)
            canvas.add_triangle_filled(left, right, ImVec2(middle, floor - half), packed(theme.now.text))
        x = end
    return floor
