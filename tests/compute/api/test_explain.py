"""`Model.explain`: the formula of an element of a text, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compute.api.model import Model
from compute.errors import TensorNameError, UsageError

from helpers.gpu import model_of
from helpers.make_models import tiny_model

pytestmark = pytest.mark.gpu

TOKENS = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def tiny() -> Model:
    return model_of(tiny_model())


def test_the_value_is_that_of_the_run(tiny: Model) -> None:
    run = tiny.run(TOKENS, keep="*")
    for name in run:
        index = tuple(size // 2 for size in run[name].shape)
        found = tiny.explain(TOKENS, name, index)
        assert np.isclose(found.value, run[name][index], rtol=1e-4, atol=1e-5), name
        assert abs(found.difference) <= found.rounding
    assert np.isclose(tiny.explain(TOKENS, "logits", (1, 2)).value, run.logits[1, 2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "index", "kind", "message"),
    [
        ("h.0.ln_7", (0, 0), TensorNameError, "nearest"),
        ("wte", (0, 0), TensorNameError, "is a weight"),
        ("blocks.0.ln1.hook_out", (0, 0), UsageError, "this project's names"),
        ("h.0.ln_1", (5, 0), UsageError, "no such value"),
        ("h.0.ln_1", (-1, 0), UsageError, "no such value"),
        ("h.0.ln_1", (0.5, 0), UsageError, "whole numbers"),
        ("h.0.ln_1", 3, UsageError, "whole numbers"),
        ("logits", (5, 0), UsageError, "from 0 to 4"),
        ("logits", (0,), UsageError, "vocabulary id"),
    ],
)
def test_what_it_refuses(tiny: Model, name: str, index: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        tiny.explain(TOKENS, name, index)
