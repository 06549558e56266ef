"""Tokens as callers write them."""

from __future__ import annotations

import pytest

from compute.errors import TokenizerError, UsageError
from compute.text.one_token import token_id
from compute.text.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" time", 640),
        ("time", 2435),
        ("id:11", 11),
        ("id:0", 0),
        ("id:50256", 50256),
        ("<|endoftext|>", 50256),
        (":", 25),
    ],
)
def test_a_token(tokenizer: Tokenizer, text: str, expected: int) -> None:
    assert token_id(text, tokenizer.vocabulary, tokenizer, "target") == expected


def test_several_tokens_are_named_and_the_first_is_offered(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError) as raised:
        token_id(" little girl", tokenizer.vocabulary, tokenizer, "target")
    assert str(raised.value) == (
        'target=" little girl": is 2 tokens, " little" (id:1310), " girl" (id:2576);'
        ' give one, such as the first: " little"'
    )


def test_a_long_text_is_cut(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match=r"is 2000 tokens, .*, \.\.\.; give one") as raised:
        token_id(" a" * 2000, tokenizer.vocabulary, tokenizer, "target")
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("text", ["id:50257", "id:9999999999"])
def test_an_id_out_of_range(tokenizer: Tokenizer, text: str) -> None:
    with pytest.raises(UsageError, match=f"target=.?{text}.?: the model has 50257 tokens; give 0 to 50256"):
        token_id(text, tokenizer.vocabulary, tokenizer, "target")


def test_what_is_no_token(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="is empty"):
        token_id("", tokenizer.vocabulary, tokenizer, "target")
    with pytest.raises(UsageError, match="is 4 tokens"):
        token_id("id:1a", tokenizer.vocabulary, tokenizer, "target")
    with pytest.raises(UsageError, match=r"target=.*: is not valid text; give UTF-8"):
        token_id("\ud800", tokenizer.vocabulary, tokenizer, "target")


def test_a_model_with_another_vocabulary_takes_ids_only(tokenizer: Tokenizer) -> None:
    assert token_id("id:96", 97, tokenizer, "against") == 96
    with pytest.raises(TokenizerError, match="give against= as an id such as id:11"):
        token_id(" a", 97, tokenizer, "against")
