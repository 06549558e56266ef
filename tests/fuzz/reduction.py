"""Makes the input of a finding smaller while it still causes the same finding."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS = 5.0  # of processor time


def reduced(data: bytes, same: Callable[[bytes], bool]) -> bytes:
    """`data` without the parts that `same` does not need: halves are tried first, single bytes last."""
    end = time.process_time() + _SECONDS
    step = len(data) // 2
    while step:
        at = 0
        while at < len(data):
            if time.process_time() > end:
                return data
            shorter = data[:at] + data[at + step :]
            if same(shorter):
                data = shorter
            else:
                at += step
        step //= 2
    return data
