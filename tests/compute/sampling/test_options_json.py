"""Generation options from JSON: types are checked, and unknown options are refused."""

from __future__ import annotations

import pytest

from compute.sampling.options import GenerateOptions
from compute.sampling.options_json import options_from_json


def test_options_survive_a_round_trip() -> None:
    options = GenerateOptions(temperature=1.5, top_k=3, seed=2**32 - 1)
    assert options_from_json(options.as_json()) == options
    assert options_from_json({"temperature": 1}) == GenerateOptions(temperature=1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "object"),
        ({"heat": 1}, "may contain only context"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": None}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
    ],
)
def test_invalid_options_are_refused(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options_from_json(values)
