"""`--chat` and `--turn`: the prompt as the last turn of a chat."""

from __future__ import annotations

import argparse

import pytest

from atlas_viewer.cli.parser import parse
from atlas_viewer.cli.prompt import GivenPrompt, given_prompt, given_turn
from compute.errors import UsageError
from compute.text.chat import Turn
from compute.text.gguf_tokenizer import gguf_tokenizer

from helpers.command_line import Run, assert_one_line
from helpers.small_tokenizers import byte_level_metadata

TOKENIZER = gguf_tokenizer("test", "test.gguf", byte_level_metadata())
COMMANDS = (
    ["view"], ["generate"], ["render", "--out", "p.png"], ["atlas", "--out", "a.npz"], ["trace"],
    ["capture", "--out", "c.npz"], ["score"], ["lens"], ["attribute", "--target", "id:1"],
    ["session", "record", "--out", "s.atlas"],
)  # fmt: skip


def prompt_of(*options: str) -> GivenPrompt:
    return given_prompt(parse(["generate", "the cat", *options]), "the cat")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_with_one_prompt_takes_a_chat(command: list[str]) -> None:
    arguments = parse([*command, "hello", "--turn", "system:Be brief: yes.", "--turn", "user:a", "--chat"])
    assert arguments.chat
    assert arguments.turn == [Turn("system", "Be brief: yes."), Turn("user", "a")]


def test_the_prompt_is_the_last_turn() -> None:
    assert prompt_of() == GivenPrompt("the cat")
    assert prompt_of("--chat").turns == (Turn("user", "the cat"),)
    assert prompt_of("--turn", "system:a\nb").turns == (Turn("system", "a\nb"), Turn("user", "the cat"))


def test_the_exact_text_and_its_tokens_are_sent() -> None:
    text, tokens = prompt_of("--chat").sent(TOKENIZER)
    assert text == "<|start|>user\nthe cat<|stop|>\n<|start|>assistant\n"
    assert TOKENIZER.decode(tokens) == text
    assert prompt_of().sent(TOKENIZER) == ("the cat", TOKENIZER.encode("the cat"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("hello", "has no colon"), (":hello", "its role must be a word"), ("a b:c", "its role must be a word"),
     ("user:\x1b[0m", r"character 1 \(U\+001B\) is a control character")],
)  # fmt: skip
def test_other_texts_are_no_turns(text: str, expected: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=expected):
        given_turn(text)
    with pytest.raises(UsageError, match=expected):
        parse(["generate", "a", "--turn", text])


@pytest.mark.gpu
@pytest.mark.parametrize("command", ["generate", "score", "lens"])
def test_a_model_without_a_template_is_reported_in_one_line(run: Run, command: str) -> None:
    assert_one_line(run(command, "--chat", "hello"), 1, "has no chat template; give the prompt as plain text")
