"""What the tests of the window share."""

from __future__ import annotations

import pytest

from atlas_viewer.runner.model_runner import ModelRunner
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import open_model


@pytest.fixture(scope="module")
def runner(tokenizer: Tokenizer) -> ModelRunner:
    return ModelRunner(open_model("stories"), tokenizer, context=32)
