"""What `lens` and `attribute` share: tokens as text, and self-checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from compute.api.model import Model
from compute.io.escape import one_line
from compute.lens.cell_json import number
from compute.lens.self_check import SelfCheck


def texts_of(model: Model, tokens: Iterable[int], *, label: bool = True) -> list[str]:
    """The text of each token; with `label` in quotation marks and on one line. Without a fitting tokenizer the id."""
    if not model.fits_tokenizer:
        return [f"id:{token}" if label else "" for token in tokens]
    tokenizer = model.tokenizer
    if not label:
        return [tokenizer.token_text(int(token)) for token in tokens]
    return [f'"{one_line(tokenizer.token_label(int(token)))}"' if token >= 0 else "-" for token in tokens]


def checks_json(checks: Sequence[SelfCheck]) -> list[dict[str, object]]:
    """The self-checks as JSON."""
    return [
        {"name": check.name, "error": number(check.error), "tolerance": check.tolerance, "ok": check.ok}
        for check in checks
    ]


def check_lines(checks: Sequence[SelfCheck]) -> Iterator[str]:
    """A line for each self-check."""
    for check in checks:
        verdict = "ok" if check.ok else "FAILED"
        yield f"check: {check.name}: {verdict}, error {check.error:.2g} (limit {check.tolerance:g})"
