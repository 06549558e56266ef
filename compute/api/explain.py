"""How one element of a pass over a text was computed."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from compute.errors import UsageError
from compute.forward.whole_pass import WholePass
from compute.io.escape import one_line
from compute.models.tensor_index import TensorIndex
from compute.views.formula import Formula
from compute.views.formula_pass import FormulaPass

from .names import Names


def explained(
    passes: WholePass, formulas: FormulaPass, names: Names, tokens: Sequence[int], name: str, index: Sequence[int]
) -> Formula:
    """The formula of the element of `name` at `index` in a pass over `tokens`. Blocks. Raises as `Model.explain`."""
    if name != names.logits and name not in names.ours:
        names.find(name)
        raise UsageError(f"{name}: formulas go by this project's names, such as {names.description.stream[-1]}")
    try:
        at = tuple(operator.index(part) for part in index)
    except TypeError:
        raise UsageError(f"index={one_line(repr(index), 40)}: must be a tuple of whole numbers") from None
    if name == names.logits:
        if len(at) != 2 or not 0 <= at[0] < len(tokens):
            raise UsageError(f"{name}: the index is (token of the text from 0 to {len(tokens) - 1}, vocabulary id)")
        # A row of logits is that of the last token of a text; later tokens have no part in it.
        tokens, at = tokens[: at[0] + 1], at[1:]
    passes.run(tokens)
    return formulas.explain(TensorIndex(name, at))
