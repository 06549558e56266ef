"""Errors of the self-test: how they are measured, and the results of several checks with one name."""

from __future__ import annotations

import math

import numpy as np
import pytest

from compute.selftest import run as module
from compute.selftest.check import Check, difference
from compute.selftest.run import Proof, Result


@pytest.mark.parametrize(
    ("found", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.5, 0.0], [0.25, 0.0], 0.25),  # magnitudes below 1 count as 1
        ([101.0, 0.0], [100.0, 0.0], 0.01),
        ([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0], 0.0),
        ([1.0], [1.0, 2.0], 1.0),
        ([], [], 0.0),
    ],
)
def test_an_error_is_relative_to_the_largest_magnitude(found: list[float], expected: list[float], error: float) -> None:
    assert difference(found, expected) == pytest.approx(error)


@pytest.mark.parametrize(("found", "expected"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (-np.inf, np.inf)])
def test_an_unexpected_nonfinite_value_gives_a_nonfinite_error(found: float, expected: float) -> None:
    assert not math.isfinite(difference([0.0, found], [0.0, expected]))


def test_a_result_is_the_worst_of_its_checks() -> None:
    checks = [Check("a", "one", 1e-7, 1e-5), Check("a", "two", 3e-6, 1e-5, "there"), Check("a", "three", 0.0, 1e-5)]
    joined = module._joined(checks, 2.0)
    assert (joined.error, joined.ok, joined.worst, joined.shapes) == (3e-6, True, "two, there", ("one", "two", "three"))
    wrong = module._joined([*checks, Check("a", "four", math.nan, 1e-5), Check("a", "five", 1.0, 1e-5)], 2.0)
    assert (wrong.ok, wrong.worst) == (False, "four")
    assert math.isnan(Proof((joined, wrong), (), 1.0).largest_error)


def test_colors_do_not_count_for_the_largest_error() -> None:
    numbers = Result("a", (), 1e-6, 1e-5, True, "", 0.0, True)
    colors = Result("b", (), 4e-3, 8e-3, True, "", 0.0, False)
    assert Proof((numbers, colors), (), 1.0).largest_error == 1e-6
