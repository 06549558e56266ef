"""The chain program, whose workgroups wait for each other.

The threads of a software driver take workgroups in a different order than a GPU starts them, and their writes are not
ordered. On a single thread the driver is a valid, if slow, machine for this program. It reads its settings only once,
so the check runs in a separate process.
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

# Layers, heads, channels, positions, type of the weights: more layers than a dispatch takes, more spans of keys than
# are taken at once.
SHAPES = ("5-3-48-140-f32", "2-2-72-140-bf16", "1-1-20-330-f16")


def test_the_chain_fused_and_rows_programs_agree(device: wgpu.GPUDevice) -> None:
    if "subgroup" not in device.features:
        pytest.skip("the chain program needs subgroups")
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
