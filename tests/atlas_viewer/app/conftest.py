"""Fixtures that the tests of the window share."""

from __future__ import annotations

import pytest

from atlas_viewer.runner.model_runner import ModelRunner
from compute.forward.load_options import LoadOptions
from compute.text.tokenizer import Tokenizer
from compute.weights.checkpoint import open_model


@pytest.fixture(scope="module")
def runner(tokenizer: Tokenizer) -> ModelRunner:
    return ModelRunner.load(open_model("stories"), tokenizer, LoadOptions(context=32))
