"""Tokenizers from the metadata of GGUF files: the same ids as the library's own, and every text survives."""

from __future__ import annotations

from typing import Any

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from compute.errors import PromptError, TokenizerError
from compute.text.gguf_tokenizer import gguf_tokenizer
from compute.text.library_tokenizer import LibraryTokenizer

from helpers.small_tokenizers import byte_level, byte_level_metadata, sentence_piece_metadata

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PRES = ("gpt-2", "olmo", "smollm", "llama-bpe", "qwen2", "deepseek-r1-qwen", "tekken")
COMPOSED = ("olmo", "qwen2")  # change text that is not composed


def made(metadata: dict[str, Any]) -> LibraryTokenizer:
    return gguf_tokenizer("test", "test.gguf", metadata)


BYTE_LEVEL = {pre: made(byte_level_metadata(pre, add_bos_token=False)) for pre in PRES}
SENTENCE_PIECE = made(sentence_piece_metadata())


@pytest.mark.parametrize("pre", PRES)
@given(TEXT)
@example("the cats  sat,\n\n in 2024<|stop|>don't  \r\n x")
@example("日本語😀 é e\u0301")
@settings(max_examples=60, deadline=None)
def test_byte_level_text_survives_and_has_the_ids_of_the_library(pre: str, text: str) -> None:
    tokenizer = BYTE_LEVEL[pre]
    ids = tokenizer.encode(text)
    assert text == "" or ids == byte_level(pre).encode(text, add_special_tokens=False).ids
    if pre not in COMPOSED:
        assert tokenizer.decode(ids) == (text or "<|stop|>")


def test_smollm_splits_as_its_authors_do() -> None:
    authors = tokenizers.Tokenizer.from_str(byte_level().to_str())
    authors.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    for text in ("in 2024, the 1999 cats", "a1b22  333\n4", " 5 ", "٣٤"):
        assert BYTE_LEVEL["smollm"].encode(text) == authors.encode(text).ids


def test_incomplete_characters_are_shown_in_hex_and_join() -> None:
    tokenizer = BYTE_LEVEL["gpt-2"]
    ids = tokenizer.encode("\U00020000")
    assert len(ids) == 4
    assert [tokenizer.token_label(id) for id in ids] == [r"\xf0", r"\xa0", r"\x80", r"\x80"]
    assert tokenizer.decode(ids[:2]) == "\ufffd"
    assert tokenizer.decode(ids) == "\U00020000"


def test_special_tokens_are_shown_as_such_and_end_a_text() -> None:
    tokenizer = BYTE_LEVEL["smollm"]
    assert tokenizer.encode("a<|stop|>")[-1] == 2
    assert tokenizer.token_label(2) == "<|stop|>"
    assert tokenizer.special == {0, 1, 2}
    assert tokenizer.end_of_text == 2
    assert tokenizer.ends == {0, 2}  # `<|end|>` by its name


@pytest.mark.parametrize(
    ("pre", "key", "expected"),
    [("llama-bpe", None, 1), ("llama-bpe", False, None), ("smollm", None, None), ("smollm", True, 1)],
)
def test_the_first_token_follows_the_file(pre: str, key: bool | None, expected: int | None) -> None:
    tokenizer = made(byte_level_metadata(pre, add_bos_token=key))
    assert tokenizer.begin == expected
    plain = byte_level(pre).encode("the").ids
    assert tokenizer.encode("the") == ([] if expected is None else [expected]) + plain
    assert tokenizer.encode("<|start|>the") == [1, *plain]  # never twice


@given(TEXT)
@example("the cat  sat<s>the")
@example("é日本\n\n\0")
@settings(max_examples=200, deadline=None)
def test_sentence_piece_text_survives(text: str) -> None:
    ids = SENTENCE_PIECE.encode(text)
    assert ids[0] == 1
    assert all(0 <= id < SENTENCE_PIECE.vocabulary for id in ids)
    if not any(name in text for name in ("<s>", "</s>", "\n\n")) and "\u2581" not in text:
        assert SENTENCE_PIECE.decode(ids[1:]) == (f" {text}" if text else "")


def test_sentence_piece_merges_the_best_score_first() -> None:
    labels = [SENTENCE_PIECE.token_label(id) for id in SENTENCE_PIECE.encode("the cat thé")]
    assert labels == ["<s>", " the", " cat", " t", "h", "é"]


def test_unknown_characters_become_bytes() -> None:
    ids = SENTENCE_PIECE.encode("the日")
    assert [SENTENCE_PIECE.token_bytes(id) for id in ids[2:]] == [b"\xe6", b"\x97", b"\xa5"]
    assert [SENTENCE_PIECE.token_label(id) for id in ids[2:]] == [r"\xe6", r"\x97", r"\xa5"]


def test_no_space_is_added_where_the_file_says_so() -> None:
    tokenizer = made(sentence_piece_metadata(add_space_prefix=False, add_bos_token=False))
    assert tokenizer.decode(tokenizer.encode("the cat")) == "the cat"
    assert tokenizer.token_label(tokenizer.encode("a\n\nb")[1]) == "\n\n"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "test.gguf: has no tokenizer; supported are gpt2"),
        ({"tokenizer.ggml.model": "bert"}, "has a tokenizer of type bert; supported are gpt2 (byte-level) and llama"),
        (
            byte_level_metadata(pre="smollm") | {"tokenizer.ggml.pre": "new\n"},
            "tokenizer.ggml.pre is new\\n; supported",
        ),
        (byte_level_metadata() | {"tokenizer.ggml.pre": 7}, "tokenizer.ggml.pre is 7; supported are gpt-2, olmo"),
        (byte_level_metadata(tokens=None), "tokenizer.ggml.tokens must be a list of texts"),
        (byte_level_metadata(tokens=["a", "a"], token_type=[1, 1]), "two of its 2 tokens are identical"),
        (byte_level_metadata(token_type=[1]), "token_type has 1 items for 360 tokens"),
        (byte_level_metadata(merges=["ab"]), "tokenizer.ggml.merges contains ab, which is not a pair"),
        (byte_level_metadata(merges=["zz qq"]), "its tokenizer cannot be used"),
        (byte_level_metadata(merges="a b"), "tokenizer.ggml.merges must be a list"),
        (byte_level_metadata(eos_token_id=None), "eos_token_id is missing"),
        (byte_level_metadata(eos_token_id=360), "eos_token_id is 360, must be from 0 to 359"),
        (byte_level_metadata(bos_token_id="1"), "bos_token_id is 1, must be from 0 to 359"),
        (sentence_piece_metadata(scores=[0.0]), "scores has 1 items for"),
        (sentence_piece_metadata(scores=None), "scores has 0 items for"),
    ],
)
def test_metadata_that_cannot_be_used_is_refused_in_one_line(metadata: dict[str, Any], expected: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        made(metadata)
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(PromptError, match=r"character 2 \(U\+DCFF\)"):
        SENTENCE_PIECE.encode("a\udcff")
