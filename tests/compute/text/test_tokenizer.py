"""The tokenizer: text survives a round trip, and every broken file is reported in one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compute.errors import PromptError, TokenizerError
from compute.text.tokenizer import END_OF_TEXT, Tokenizer, load_tokenizer

from helpers.make_models import TINY, tiny_tokenizer, tiny_tokens
from helpers.paths import DATA

GPT2 = load_tokenizer()
# The pattern as OpenAI published it with GPT-2.
PIECES = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
RANKS = {GPT2.token_bytes(id): id for id in range(GPT2.vocabulary - 1)}
TIKTOKEN = tiktoken.Encoding("gpt2", pat_str=PIECES, mergeable_ranks=RANKS, special_tokens={END_OF_TEXT: 50256})
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
@example("\0\x01\x1b[0m\x7f\u2028\ufeff\ufffd")
@example("  two  spaces\n\n\ttab ")
@example(END_OF_TEXT + "a" + END_OF_TEXT)
@settings(max_examples=300, deadline=None)
def test_text_survives_a_round_trip(text: str) -> None:
    ids = GPT2.encode(text)
    assert all(0 <= id < GPT2.vocabulary for id in ids)
    assert GPT2.decode(ids) == (text or END_OF_TEXT)


@given(st.lists(st.integers(0, GPT2.vocabulary - 1)))
@settings(max_examples=100, deadline=None)
def test_tokens_decode_as_with_tiktoken(ids: list[int]) -> None:
    assert b"".join(GPT2.token_bytes(id) for id in ids) == TIKTOKEN.decode_bytes(ids)
    assert GPT2.decode(ids) == TIKTOKEN.decode(ids)


@pytest.mark.parametrize("run", ["once", "webgpu", "fox"])
def test_prompts_of_the_reference_runs(run: str) -> None:
    with np.load(DATA / "stories_greedy.npz") as greedy:
        prompt, tokens = str(greedy[f"{run}.prompt"]), greedy[f"{run}.tokens"].tolist()
        expected = tokens[: int(greedy[f"{run}.n_prompt"])]
    assert GPT2.encode(prompt) == expected
    assert [GPT2.token_text(id) for id in expected] == [TIKTOKEN.decode([id]) for id in expected]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [50256]),
        (END_OF_TEXT, [50256]),
        ("Hello, world!", [15496, 11, 995, 0]),
        ("a<|endoftext|>b", [64, 50256, 65]),
        ("<|endoftext|", [27, 91, 437, 1659, 5239, 91]),
        ("I'll we've", [40, 1183, 356, 1053]),
        ("   x", [220, 220, 2124]),
        ("\0", [188]),
    ],
)
def test_ids_are_those_of_gpt2(text: str, ids: list[int]) -> None:
    assert GPT2.encode(text) == ids


def test_an_incomplete_character_is_shown_as_a_replacement() -> None:
    ids = GPT2.encode("😀")
    assert len(ids) == 2
    assert [GPT2.token_text(id) for id in ids] == ["\ufffd", "\ufffd"]
    assert GPT2.decode(ids) == "😀"


def test_a_label_shows_incomplete_characters_in_hex() -> None:
    first, second = GPT2.encode("😀")
    assert GPT2.token_label(first) == r"\xf0\x9f\x98"
    assert GPT2.token_label(second) == r"\x80"
    assert [GPT2.token_label(id) for id in GPT2.encode(" é\n")] == [" é", "\n"]
    labels = [GPT2.token_label(id) for id in range(GPT2.vocabulary)]
    assert len(set(labels)) == GPT2.vocabulary


@pytest.mark.parametrize("id", [-1, 50257, 50303])
def test_an_id_out_of_range_has_no_text(id: int) -> None:
    for show in (GPT2.token_text, GPT2.token_label, GPT2.token_bytes, lambda id: GPT2.decode([id])):
        with pytest.raises(IndexError, match=f"token {id}: must be from 0 to 50256"):
            show(id)


@pytest.mark.parametrize(
    ("text", "position"), [("ab\udcffc", "character 3 (U+DCFF)"), ("\ud83d", "character 1 (U+D83D)")]
)
def test_invalid_text_is_reported(text: str, position: str) -> None:
    with pytest.raises(PromptError) as caught:
        GPT2.encode(text)
    assert position in str(caught.value)
    assert str(caught.value).isprintable()


def test_another_tokenizer(tmp_path: Path) -> None:
    tiny = load_tokenizer(tiny_tokenizer(tmp_path / "t.bin"))
    assert (tiny.vocabulary, tiny.end_of_text) == (261, 260)
    assert tiny.encode("the the" + END_OF_TEXT) == [258, 259, 260]
    assert [tiny.token_bytes(id) for id in range(261)] == tiny_tokens()


def test_the_end_of_text_may_be_any_id(tmp_path: Path) -> None:
    tokens = [END_OF_TEXT.encode(), *tiny_tokens()[:-1]]
    tiny = load_tokenizer(tiny_tokenizer(tmp_path / "t.bin", tokens, end_of_text=0))
    assert tiny.encode("") == [0]
    assert tiny.encode("the") == [259]


def test_a_model_with_another_vocabulary_is_reported() -> None:
    GPT2.check_fits(50257)
    with pytest.raises(TokenizerError, match="has 50257 tokens, but the model has 21;"):
        GPT2.check_fits(TINY.vocabulary)


def refused(path: Path) -> str:
    """The one-line error message for the tokenizer at `path`."""
    with pytest.raises(TokenizerError) as caught:
        load_tokenizer(path)
    assert str(caught.value).isprintable()
    assert str(path) in str(caught.value)
    return str(caught.value)


TINY_TOKENS = tiny_tokens()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"magic": 20240326}, "is not an llm.c tokenizer (magic 20240326, not 20240328)"),
        ({"version": 1}, "version 1 is not supported; use a file of version 2"),
        ({"end_of_text": 261}, "the header gives 261 tokens and puts <|endoftext|> at 261"),
        ({"end_of_text": -1}, "<|endoftext|> at -1"),
        ({"count": 0}, "the header gives 0 tokens"),
        ({"count": -7}, "the header gives -7 tokens"),
        ({"count": 262}, "is truncated after 261 of 262 tokens"),
        ({"count": 2**31 - 1}, "is truncated after 261 of 2147483647 tokens"),
        ({"count": 260, "end_of_text": 259}, "has 14 extra bytes after 260 tokens"),
        ({"extra": b"\0"}, "has 1 extra bytes after 261 tokens"),
        ({"tokens": [*TINY_TOKENS, b"the"], "end_of_text": 260}, "tokens 258 and 261 are identical (b'the')"),
        ({"tokens": [*TINY_TOKENS, b""], "end_of_text": 260}, "token 261 is empty"),
        ({"tokens": TINY_TOKENS[1:]}, "has no token for 1 of 256 bytes (the first is 0x00)"),
        ({"end_of_text": 65}, "has no token for 1 of 256 bytes (the first is 0x41)"),
    ],
)
def test_a_broken_file_is_reported(tmp_path: Path, arguments: dict[str, object], expected: str) -> None:
    assert expected in refused(tiny_tokenizer(tmp_path / "t.bin", **arguments))  # type: ignore[arg-type]


def test_a_file_truncated_anywhere_is_reported(tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path / "t.bin")
    for size in range(path.stat().st_size - 1, 1024, -97):
        os.truncate(path, size)
        assert "is truncated after" in refused(path)
    os.truncate(path, 1023)
    assert "has 1023 bytes, fewer than the 1024 of the header" in refused(path)


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "none.bin")
    assert "cannot be read (Is a directory)" in refused(tmp_path)


def test_the_embedded_tokenizer_is_read_once() -> None:
    assert load_tokenizer() is GPT2
    assert isinstance(GPT2, Tokenizer)
    assert (GPT2.vocabulary, GPT2.end_of_text) == (50257, 50256)


def test_search(tokenizer: Tokenizer) -> None:
    matches = tokenizer.find("Dog")
    assert [text.strip().lower() for _, text in matches[:2]] == ["dog", "dog"]
    texts = [text.strip().lower() for _, text in matches]
    starts = [text.startswith("dog") for text in texts]
    assert starts == sorted(starts, reverse=True)
    assert all("dog" in text for text in texts)
    assert tokenizer.find("50256")[0] == (50256, "<|endoftext|>")
    assert tokenizer.find("50257") == []
    assert tokenizer.find("1" * 5000) == []
    assert tokenizer.find("  ") == []
    assert len(tokenizer.find("a", limit=7)) == 7
