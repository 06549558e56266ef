"""Single values of external data: what is converted, what is refused, and how a message says so."""

from __future__ import annotations

from typing import Any

import pytest

from compute.io.value_type import ValueType, one_of, optional, whole

NUMBER = ValueType(float, "a number")
BYTES = ValueType(bytes, "bytes")


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (whole(1, 5), 5, 5),
        (NUMBER, 3, 3.0),
        (NUMBER, float("inf"), float("inf")),
        (BYTES, b"YWJj", b"YWJj"),
        (one_of(("hot", "cold")), "cold", "cold"),
        (one_of((1, 2)), 2, 2),
        (optional(whole(1, 5)), None, None),
        (ValueType(str, "text", str.upper), "a", "A"),
        (optional(ValueType(str, "text", str.upper)), "a", "A"),
        (optional(ValueType(str, "text", str.upper)), None, None),
    ],
)
def test_a_value_of_the_type_is_converted(kind: Any, value: object, result: object) -> None:
    found = kind(value)
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (whole(1, 5), 0, "must be a whole number from 1 to 5, is 0"),
        (whole(1, 5), 6, "must be a whole number from 1 to 5, is 6"),
        (whole(1, 5), 2.0, "must be a whole number from 1 to 5, is 2.0"),
        (whole(0, 5), True, "must be a whole number from 0 to 5, is True"),
        (whole(0, 5), 10**300, f"must be a whole number from 0 to 5, is 1{'0' * 39}"),
        (whole(0, 5), None, "must be a whole number from 0 to 5, is missing"),
        (NUMBER, "1.5", "must be a number, is '1.5'"),
        (BYTES, "YWJj", "must be bytes, is 'YWJj'"),
        (whole(0, 5), b"abc", "must be a whole number from 0 to 5, is 3 bytes"),
        (one_of(("hot", "cold")), "a\n", r"must be one of hot, cold, is 'a\n'"),
        (one_of((1, 2)), True, "must be one of 1, 2, is True"),
        (optional(whole(1, 5)), 0, "must be a whole number from 1 to 5, or missing, is 0"),
        (ValueType(str, "a number in text", int), "x", "must be a number in text, is 'x'"),
        (NUMBER, "x" * 10**6, f"must be a number, is '{'x' * 39}"),
    ],
)
def test_another_value_is_refused_in_one_line(kind: Any, value: object, message: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        kind(value)
    assert str(caught.value) == message
