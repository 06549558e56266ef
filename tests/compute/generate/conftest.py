"""Fixtures of the tests of generations."""

from __future__ import annotations

import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions

from helpers.generations import CONFIG
from helpers.make_models import tiny_model


@pytest.fixture(scope="module", params=[("texture", "rows"), ("buffer", "fused")], ids=["rows", "fused"])
def engine(request: pytest.FixtureRequest, device: wgpu.GPUDevice) -> Engine:
    layout, program = request.param
    return Engine.load(tiny_model(CONFIG), LoadOptions(context=40, layout=layout, program=program))
