"""The words and numbers of a formula card: plain functions of a formula."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from compute.models.tensor_index import TensorIndex
from compute.views.formula import Formula, Source, Term
from compute.views.formula_text import short_name

Label = Callable[[int], str | None]  # the text of the token in a row of the context


@dataclass(frozen=True)
class Row:
    """A line of the sum: its label, what it adds as text and as a number, and the elements to go to."""

    label: str
    text: str
    value: float
    targets: tuple[tuple[str, TensorIndex], ...] = ()


def number(value: float, digits: int = 5) -> str:
    """The value with that many significant digits, and a true minus sign."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "\u2212infinity"
    return f"{value:.{digits}g}".replace("-", "\u2212")


def equation(found: Formula) -> str:
    """The right-hand side in the notation of a textbook."""
    return found.operator.replace(" * ", " \u00d7 ").replace(" - ", " \u2212 ")


def numbers(found: Formula) -> str:
    """The right-hand side with the numbers of the pass; empty when the lines of the sum say the same."""
    steps = {step.label: number(step.value, 4) for step in found.steps}
    match found.kind:
        case "layer norm":
            term, shift = found.terms[0], "".join(f" + {number(one.value, 4)}" for one in found.constants)
            normalized = f"({steps['input']} \u2212 {steps['mean']}) / {steps['deviation']}"
            return f"{normalized} \u00d7 {number(term.right, 4)}{shift}"
        case "pattern" if found.terms:
            return f"exp({steps['score']} \u2212 {steps['largest score']}) / {steps['sum over keys']}"
        case "activation":
            return f"{steps['input']} \u00d7 {number(found.terms[0].right, 4)}"
        case "linear" | "head" if found.constants:
            start = "".join(f"{number(one.value, 4)} + " for one in found.constants)
            return f"{start}{found.count} products"
    return ""


def factors(found: Formula) -> tuple[str, str, str] | None:
    """The names of the columns of a sum over an index: the index, and the factors at it."""
    if found.kind not in ("linear", "head", "attention", "scores") or not found.terms:
        return None
    index = "key" if found.kind == "attention" else "k"
    left, right = (_at_index(source, found, index) for source in found.sources[:2])
    return index, left, right


def _at_index(source: Source, found: Formula, index: str) -> str:
    parts = (str(first) if end == first + 1 else index for first, end in source.ranges)
    # The end of the name is enough: the equation above has all of it.
    name = ".".join(source.name.split(".")[-2 if source.name.endswith(("weight", "bias")) else -1 :])
    return f"{name}[{', '.join(parts)}]"


def rows(found: Formula, label: Label) -> list[Row]:
    """The lines of the sum: constants, the largest terms, and the others as one."""
    lines = [Row(one.label, "", one.value, () if one.at is None else (("left", one.at),)) for one in found.constants]
    lines += [_row(found, term, label) for term in found.terms]
    others = found.count - len(found.terms)
    if others:
        lines.append(Row(f"{others} others", "", found.remainder))
    return lines


def difference(found: Formula) -> str:
    """How far the sum is from the value, and whether rounding explains it."""
    if not math.isfinite(found.difference) or not math.isfinite(found.rounding):
        return f"difference {number(found.difference)}"
    if found.difference == 0:
        return "no difference"
    cause = "rounding" if abs(found.difference) <= found.rounding else "more than rounding"
    return f"difference {found.difference:.1e} ({cause})".replace("e-0", "e-").replace("-", "\u2212")


def _row(found: Formula, term: Term, label: Label) -> Row:
    targets = [(side, at) for side, at in (("left", term.left_at), ("right", term.right_at)) if at is not None]
    if term.right_at is None and found.kind in ("add", "alias", "gather") and term.left_at is not None:
        return Row(short_name(term.left_at.name, found.element), "", term.product, tuple(targets))
    text = f"{number(term.left, 4)} \u00d7 {number(term.right, 4)}"
    return Row(_label(found, term, label), text, term.product, tuple(targets))


def _label(found: Formula, term: Term, label: Label) -> str:
    match found.kind:
        case "attention":
            return label(term.index) or str(term.index)
        case "layer norm":
            return "norm \u00d7 scale"
        case "activation":
            return "input \u00d7 share"
        case "pattern":
            return "exp \u00d7 1 / sum"
    return str(term.index)
