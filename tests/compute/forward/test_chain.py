"""The chained program, whose workgroups wait for each other.

A software driver hands workgroups to its threads in another order than GPUs start them, and does not order their
writes: with none besides its own it is a fair, if slow, machine. The driver reads its settings once, so the check is a
process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import wgpu

from helpers.paths import SEARCH_PATH
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu

SHAPES = ("3-3-48-f32", "2-2-72-bf16", "1-1-20-f16")  # layers, heads, channels, type of the weights


def test_chained_fused_and_plain_programs_agree(device: wgpu.GPUDevice) -> None:
    if "subgroup" not in device.features:
        pytest.skip("the chained program needs subgroups")
    result = subprocess.run(
        [sys.executable, "-m", "helpers.chain_check", *SHAPES],
        env=os.environ | {"LP_NUM_THREADS": "0", "PYTHONPATH": SEARCH_PATH},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.split() == list(SHAPES)
