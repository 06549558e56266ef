"""The tokenizer that belongs to a model: GPT-2's, the folder's, or numbers for random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from compute.errors import TokenizerError
from compute.models.config import ModelConfig
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import ArrayModel, open_model
from compute.weights.model_tokenizer import tokenizer_of
from compute.weights.random_model import RandomModel

from helpers.architectures import architecture, bare
from helpers.small_tokenizers import write_folder

OTHER = ModelConfig(1, 2, 8, 16, 360, 360, architecture="other")


def test_gpt2_has_the_built_in_tokenizer() -> None:
    for spec in ("stories", "random:gpt2"):
        assert tokenizer_of(open_model(spec)) is load_tokenizer()


def test_another_model_has_that_of_its_folder(tmp_path: Path) -> None:
    with architecture("other", bare):
        model = RandomModel(OTHER)
        model.path = write_folder(tmp_path) / "model.safetensors"
        assert tokenizer_of(model).token_label(2) == "<|stop|>"
        model.path = tmp_path
        assert tokenizer_of(model).token_label(2) == "<|stop|>"


def test_without_a_file_there_is_no_text(tmp_path: Path) -> None:
    with architecture("other", bare):
        model = RandomModel(OTHER)
        model.path = tmp_path
        with pytest.raises(TokenizerError, match=r"there is no tokenizer.json in its folder; copy it there"):
            tokenizer_of(model).check_fits(360)


def test_random_weights_read_bytes() -> None:
    with architecture("other", bare):
        tokenizer = tokenizer_of(RandomModel(OTHER, name="random:other"))
    tokenizer.check_fits(360)
    assert tokenizer.encode("é<|endoftext|>a") == [0xC3, 0xA9, 359, 0x61]
    assert tokenizer.decode([0xC3, 0xA9, 300, 359]) == "é[300]<|endoftext|>"


def test_a_vocabulary_that_is_too_small_has_no_text() -> None:
    config = ModelConfig(1, 2, 8, 16, 20, 20, architecture="other")
    with architecture("other", bare), pytest.raises(TokenizerError, match="has 20 tokens, too few for text"):
        tokenizer_of(RandomModel(config, name="tiny")).encode("a")


def test_arrays_have_no_file() -> None:
    with architecture("other", bare):
        random = RandomModel(OTHER)
        arrays = {name: random.tensor(name) for name in random._description.weights}
        assert tokenizer_of(ArrayModel("arrays", OTHER, arrays)).vocabulary == 360
