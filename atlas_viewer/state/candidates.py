"""The lines of the logits table: the tokens, their order and their numbers. Plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from compute.sampling.options import GenerateOptions

from .distribution import Difference, Distribution

if TYPE_CHECKING:
    from compute.generate.steps import StepRecord

    from .protocols import TokenCodec

FEWEST, MOST = 8, 200  # limits on the number of tokens in the table
_UNKNOWN = math.nan


@dataclass(frozen=True)
class Line:
    """One token of the table. Numbers that are not known (yet) are NaN, unknown ranks 0.

    `rank` orders tokens by the model's probability, `draw_rank` by the draw's; both count from 1. `gain` is the model
    probability at this step minus that at the compared step, `climb` how many ranks the token is higher here.
    """

    token: int
    text: str
    rank: int = 0
    draw_rank: int = 0
    logit: float = _UNKNOWN
    scaled_delta: float = _UNKNOWN
    probability: float = _UNKNOWN
    model_probability: float = _UNKNOWN
    cumulative: float = _UNKNOWN
    gain: float = _UNKNOWN
    climb: float = _UNKNOWN
    left_out_by: str = ""  # label of the filter that left the token out


@dataclass(frozen=True)
class Table:
    """The lines to show; `cuts`: labels of the cuts drawn after a line, by its index in `lines`."""

    lines: tuple[Line, ...]
    cuts: dict[int, tuple[str, ...]]


@dataclass
class LogitsView:
    """The user's choices for the logits table, and the table itself, which is rebuilt only after a change."""

    top: int = 50
    words: str = ""  # the search
    column: str = "rank"  # the field of `Line` to sort by
    descending: bool = False
    log_probability: bool = True  # True: the plot has a logarithmic axis
    seeking: bool = False  # True: the next frame focuses the search field
    ladder: int | None = None  # the token whose row shows its sampling ladder
    revealing: bool = False  # True: the next frame brings that row into view
    scrolled: object = None  # the row in view, see `needs_scroll`
    _made: tuple[object, Table] | None = field(default=None, repr=False)
    _found: tuple[str, Sequence[tuple[int, str]]] = ("", ())
    _difference: Difference | None = None

    def difference(self, shown: Distribution | None, other: Distribution | None) -> Difference | None:
        """The difference between two distributions; None unless both are known."""
        if shown is None or other is None:
            return None
        known = self._difference
        if known is None or known.shown is not shown or known.other is not other:
            self._difference = known = Difference(shown, other)
        return known

    def needs_scroll(self, row: object) -> bool:
        """True once after the row to be shown, identified by `row`, has changed."""
        changed = row != self.scrolled
        self.scrolled = row
        return changed

    def table(
        self,
        step: StepRecord,
        options: GenerateOptions,
        distribution: Distribution | None,
        comparison: Distribution | None = None,
        tokenizer: TokenCodec | None = None,
    ) -> Table:
        """The first `top` tokens and the one that was taken, or those that the search finds, sorted.

        The token whose ladder is open is always among them.

        Without `distribution`, the table lists the candidates that the step reported. options: those of the step.
        """
        shown = self.top, self.words, self.column, self.descending, self.ladder
        key = (step, options, distribution, comparison, shown)
        if self._made is None or self._made[0] != key:
            self._made = key, self._table(step, options, distribution, comparison, tokenizer)
        return self._made[1]

    def _table(
        self,
        step: StepRecord,
        options: GenerateOptions,
        distribution: Distribution | None,
        comparison: Distribution | None,
        tokenizer: TokenCodec | None,
    ) -> Table:
        reported = {line.token: line for line in reported_lines(step, options)}
        if self.words.strip():
            if self._found[0] != self.words:
                self._found = self.words, tokenizer.find(self.words) if tokenizer else ()
            wanted = list(self._found[1])
        elif distribution is None or tokenizer is None:
            wanted = [(line.token, line.text) for line in list(reported.values())[: self.top]]
        else:
            wanted = [(int(token), tokenizer.token_label(int(token))) for token in distribution.order[: self.top]]
        if not self.words.strip() and all(token != step.token for token, _ in wanted):
            wanted.append((step.token, step.text))
        if self.ladder is not None and all(token != self.ladder for token, _ in wanted) and tokenizer is not None:
            wanted.append((self.ladder, tokenizer.token_label(self.ladder)))
        if distribution is None:
            lines = [reported.get(token, Line(token, text)) for token, text in wanted]
            cuts: dict[int, tuple[str, ...]] = {}
        else:
            difference = self.difference(distribution, comparison)
            lines = [line_of(token, text, distribution, difference) for token, text in wanted]
        lines = in_order(lines, self.column, self.descending)
        if distribution is not None:
            cuts = cuts_between(lines, distribution)
        return Table(tuple(lines), cuts)


def reported_lines(step: StepRecord, options: GenerateOptions) -> list[Line]:
    """Lines of the candidates that the step reported, likeliest first.

    They include the running sum only if no filter or penalty was active. The token that was taken is the last line if
    it is not a candidate.
    """
    summed, lines, total = options.top_k == 0 and options.top_p == 1 and options.min_p == 0, [], 0.0
    summed &= options.repetition_penalty == 1
    for rank, known in enumerate(step.top, start=1):
        total += known.probability if options.temperature else known.model_probability
        lines.append(
            Line(
                known.token,
                known.text,
                rank,
                0,
                known.logit,
                known.scaled_delta,
                known.probability,
                known.model_probability,
                total if summed else _UNKNOWN,
            )
        )
    if all(line.token != step.token for line in lines):
        numbers = (step.logit, _UNKNOWN, step.probability, step.model_probability)
        lines.append(Line(step.token, step.text, step.rank, 0, *numbers))
    return lines


def line_of(token: int, text: str, distribution: Distribution, difference: Difference | None = None) -> Line:
    """The line of a token with every number that is known."""
    cut = distribution.cut_of(token)
    return Line(
        token,
        text,
        int(distribution.rank[token]),
        int(distribution.draw_rank[token]),
        float(distribution.logits[token]),
        float(distribution.scaled_delta[token]),
        float(distribution.drawn[token]),
        float(distribution.model[token]),
        float(distribution.cumulative[token]),
        float(difference.probability[token]) if difference else _UNKNOWN,
        float(difference.ranks[token]) if difference else _UNKNOWN,
        cut.label if cut else "",
    )


def in_order(lines: Sequence[Line], column: str, descending: bool) -> list[Line]:
    """Lines sorted by a field of `Line`. Unknown numbers come last in both directions; ties are sorted by rank."""
    assert column in {known.name for known in fields(Line)}

    def unknown(line: Line) -> bool:
        value = getattr(line, column)
        return bool((column in ("rank", "draw_rank") and value == 0) or value != value)

    known = sorted((line for line in lines if not unknown(line)), key=lambda line: line.rank)
    known.sort(key=lambda line: getattr(line, column), reverse=descending)
    return known + [line for line in lines if unknown(line)]


def cuts_between(lines: Sequence[Line], distribution: Distribution) -> dict[int, tuple[str, ...]]:
    """Labels of the cuts, by the index of the line after which they are drawn.

    A cut is drawn only if it separates kept lines from left-out lines, which depends on their order.
    """
    labels: dict[int, tuple[str, ...]] = {}
    for cut in distribution.cuts:
        inside = [line.draw_rank <= cut.kept for line in lines]
        changes = [at for at in range(len(inside) - 1) if inside[at] != inside[at + 1]]
        if len(changes) == 1:
            labels[changes[0]] = (*labels.get(changes[0], ()), cut.label)
    return labels
