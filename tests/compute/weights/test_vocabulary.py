"""A folder with a tokenizer other than GPT-2's is refused, even if it has the same number of tokens."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from compute.errors import CheckpointError
from compute.models.config import ModelConfig
from compute.text.tokenizer import Tokenizer
from compute.text.vocabulary import _byte_letters, check_vocabulary
from compute.weights.checkpoint import open_model

from helpers.make_hugging_face import state_dict, write_folder
from helpers.make_models import tiny_model


@pytest.fixture(scope="module")
def ids(tokenizer: Tokenizer) -> dict[str, int]:
    """GPT-2's `vocab.json`."""
    letters = _byte_letters()
    return {"".join(letters[byte] for byte in tokenizer.token_bytes(id)): id for id in range(tokenizer.vocabulary)}


def test_the_spelling_is_that_of_the_format(ids: dict[str, int]) -> None:
    # From the published file.
    known = {"!": 0, '"': 1, "Ġ": 220, "Ċ": 198, "Ġthe": 262, "Ġhello": 23748, "Ġ�": None, "<|endoftext|>": 50256}
    assert {token: ids.get(token) for token in known} == known
    assert len(ids) == 50257
    assert len(set(_byte_letters())) == 256


@pytest.mark.parametrize("file", ["vocab.json", "tokenizer.json"])
def test_other_tokens_are_reported(tmp_path: Path, ids: dict[str, int], file: str) -> None:
    def write(vocabulary: dict[str, int]) -> None:
        content = vocabulary if file == "vocab.json" else {"model": {"vocab": vocabulary}}
        (tmp_path / file).write_text(json.dumps(content))

    write(ids)
    check_vocabulary(tmp_path)
    write(ids | {"Ġthe": 263, "Ġto": 262})
    with pytest.raises(CheckpointError, match=r"its tokens are not GPT-2's \(the first that differs is 262\)"):
        check_vocabulary(tmp_path)


@pytest.mark.parametrize("number", ["true", "null", "-1", "1.5", "2147483648", "1" * 300, "[]", '"3"'])
@pytest.mark.parametrize(
    ("file", "text"),
    [("vocab.json", '{"!": 0, "a": ID}'), ("tokenizer.json", '{"model": {"vocab": {"!": 0, "a": ID}}}')],
)
def test_ids_that_are_no_whole_numbers(tmp_path: Path, file: str, text: str, number: str) -> None:
    (tmp_path / file).write_text(text.replace("ID", number))
    with pytest.raises(CheckpointError) as caught:
        check_vocabulary(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / file}: the id of 'a' is ")
    assert "must be a whole number from 0 to 2147483647; fetch" in message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize("number", ["1e999", "NaN"])
def test_numbers_that_are_not_json(tmp_path: Path, number: str) -> None:
    """The id is refused, or the file is ignored because it is not JSON; nothing else happens."""
    (tmp_path / "vocab.json").write_text(f'{{"!": {number}}}')
    with contextlib.suppress(CheckpointError):
        check_vocabulary(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_files_without_tokens_are_ignored(tmp_path: Path, content: str) -> None:
    check_vocabulary(tmp_path)
    for name in ("vocab.json", "tokenizer.json"):
        (tmp_path / name).write_text(content)
    check_vocabulary(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    check_vocabulary(tmp_path)


def test_opening_a_model_checks_its_vocabulary(tmp_path: Path, ids: dict[str, int]) -> None:
    config = ModelConfig(layers=1, heads=1, channels=4, positions=8, vocabulary=50257, padded_vocabulary=50257)
    write_folder(tmp_path, state_dict(tiny_model(config)), config)
    assert open_model(str(tmp_path)).config == config
    (tmp_path / "vocab.json").write_text(json.dumps({token: 50256 - id for token, id in ids.items()}))
    with pytest.raises(CheckpointError, match=r"its tokens are not GPT-2's"):
        open_model(str(tmp_path))
