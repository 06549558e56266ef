"""What the tests of the window share."""

from __future__ import annotations

import pytest

from atlas_viewer.runner.model_runner import Workbench
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import open_model


@pytest.fixture(scope="module")
def bench(tokenizer: Tokenizer) -> Workbench:
    return Workbench(open_model("stories"), tokenizer, context=32)
