"""Tokenizers of Hugging Face folders: the library's ids, the first token as the files say, and hostile files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compute.errors import PromptError, TokenizerError
from compute.text import tokenizer_json
from compute.text.chat import Turn
from compute.text.tokenizer_json import folder_tokenizer

from helpers.small_tokenizers import TEMPLATE, byte_level, write_folder

TOKENS = 360


def test_ids_are_those_of_the_library(tmp_path: Path) -> None:
    tokenizer = folder_tokenizer(write_folder(tmp_path), "test", TOKENS)
    for text in ("the cat", "日本語😀 1999", "a<|stop|>b", "\n\n  x"):
        assert tokenizer.encode(text) == byte_level().encode(text).ids
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert (tokenizer.begin, tokenizer.end_of_text, set(tokenizer.special)) == (None, 2, {0, 1, 2})


@pytest.mark.parametrize(
    ("begin", "config", "expected"),
    [
        (True, {}, 1),
        (True, {"add_bos_token": False}, None),
        (False, {"add_bos_token": True, "bos_token": {"content": "<|start|>"}}, 1),
        (False, {"add_bos_token": True}, None),
    ],
)
def test_the_first_token_follows_the_files(
    begin: bool, config: dict[str, Any], expected: int | None, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, begin=begin, config={"eos_token": "<|stop|>"} | config)
    tokenizer = folder_tokenizer(folder, "test", TOKENS)
    assert tokenizer.begin == expected
    assert (tokenizer.encode("the")[0] == 1) == (expected == 1)
    assert tokenizer.encode("") == [2 if expected is None else 1]


def test_padding_rows_have_no_text_and_unknown_tokens_are_refused(tmp_path: Path) -> None:
    added = json.loads(byte_level().to_str())["added_tokens"]
    folder = write_folder(tmp_path, added_tokens=[*added, {**added[0], "id": TOKENS, "content": "<image>"}])
    assert folder_tokenizer(folder, "test", 512).token_label(511) == "[511]"
    tokenizer = folder_tokenizer(folder, "test", TOKENS)  # as a text model of a family that also sees
    with pytest.raises(PromptError, match="<image> is token 360, but the model has 360; remove it"):
        tokenizer.encode("the <image>")
    assert folder_tokenizer(folder, "test", 361).encode("<image>") == [360]


def test_more_tokens_end_a_generation(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / "generation_config.json").write_text('{"eos_token_id": [0, 5, 7000, "x"]}')
    tokenizer = folder_tokenizer(folder, "test", TOKENS)
    assert (tokenizer.end_of_text, set(tokenizer.ends)) == (2, {0, 2, 5})


@pytest.mark.parametrize("kind", ["text", "list", "file"])
def test_the_template_may_be_in_three_places(kind: str, tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": TEMPLATE}]
    source = {"text": TEMPLATE, "list": named, "file": "not this one"}[kind]
    folder = write_folder(tmp_path, config={"eos_token": "<|stop|>", "chat_template": source})
    if kind == "file":
        (folder / "chat_template.jinja").write_text(TEMPLATE)
    chat = folder_tokenizer(folder, "test", TOKENS).encode_chat([Turn("user", "the cat")])
    assert chat.text == "<|start|>user\nthe cat<|stop|>\n<|start|>assistant\n"


def test_text_is_neither_cut_nor_padded(tmp_path: Path) -> None:
    cut = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    filled = {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
              "pad_type_id": 0, "pad_token": "<|end|>"}  # fmt: skip
    tokenizer = folder_tokenizer(write_folder(tmp_path, truncation=cut, padding=filled), "test", TOKENS)
    assert tokenizer.decode(tokenizer.encode("the cats sat on the mat")) == "the cats sat on the mat"


def changed_model(**values: Any) -> dict[str, Any]:
    return {"model": json.loads(byte_level().to_str())["model"] | values}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"model": None}, "has no model"),
        (changed_model(type="Unigram"), "is of type Unigram; only BPE is supported"),
        (changed_model(type="Word\nLevel"), "is of type Word\\nLevel; only BPE is supported"),
        (changed_model(dropout=0.5), "uses dropout"),
        (changed_model(end_of_word_suffix="</w>"), "uses end_of_word_suffix"),
        (changed_model(merges=[["zz", "qq"]]), "its tokenizer cannot be used"),
        (changed_model(vocab={"a": -1}), "its tokenizer cannot be used"),
        (changed_model(vocab={"a": 10**12}), "its tokenizer cannot be used"),
        ({"pre_tokenizer": None}, "is neither byte-level nor has a token for each byte"),
        ({"pre_tokenizer": {"type": "BertPreTokenizer"}}, "its pre_tokenizer is BertPreTokenizer; supported are"),
        ({"normalizer": {"type": ["NFC"]}}, "its normalizer is ['NFC']; supported are"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "its normalizer is Precompiled"),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
            ]}},
            "its pre_tokenizer repeats a group ((a+)+$), which can take forever",
        ),
    ],
)  # fmt: skip
def test_other_and_hostile_tokenizers_are_refused_in_one_line(
    changed: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, **changed)
    with pytest.raises(TokenizerError) as caught:
        folder_tokenizer(folder, "test", TOKENS)
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"model": 1e999}'])
def test_damaged_files_are_refused_in_one_line(data: bytes, tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / "tokenizer.json").write_bytes(data)
    with pytest.raises(TokenizerError, match=r"is not JSON|is not a JSON object") as caught:
        folder_tokenizer(folder, "test", TOKENS)
    assert str(caught.value).isprintable()


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="has token 359, but the model has 300 tokens; use files that belong"):
        folder_tokenizer(write_folder(tmp_path), "test", 300)


def test_a_tokenizer_that_ends_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="no file next to it names a token that ends a text"):
        folder_tokenizer(write_folder(tmp_path, config={}), "test", TOKENS)


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_json, "LARGEST_BYTES", 1000)
    with pytest.raises(TokenizerError, match="MB, more than"):
        folder_tokenizer(write_folder(tmp_path), "test", TOKENS)
