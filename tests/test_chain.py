"""The chained program, whose workgroups wait for each other.

A software driver hands workgroups to its threads in another order than GPUs start them, and does not order their
writes: with none besides its own it is a fair, if slow, machine. The driver reads its settings once, so each check is
a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import wgpu
from patience import PATIENCE_S

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("layers", "heads", "channels", "dtype"),
    [(3, 3, 48, "f32"), (2, 2, 72, "bf16"), (1, 1, 20, "f16")],
)
def test_chained_fused_and_plain_programs_agree(
    device: wgpu.GPUDevice, layers: int, heads: int, channels: int, dtype: str
) -> None:
    if "subgroup" not in device.features:
        pytest.skip("the chained program needs subgroups")
    arguments = [str(layers), str(heads), str(channels), dtype]
    result = subprocess.run(
        [sys.executable, str(HERE / "chain_check.py"), *arguments],
        env=os.environ | {"LP_NUM_THREADS": "0", "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
