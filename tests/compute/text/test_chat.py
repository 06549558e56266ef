"""Chats: turns become exactly the template's text, and no template can do harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compute.errors import PromptError, UsageError
from compute.text.chat import ChatTemplate, Turn, turns_of
from compute.text.gguf_tokenizer import gguf_tokenizer
from compute.text.tokenizer import load_tokenizer

from helpers.small_tokenizers import TEMPLATE, byte_level, byte_level_metadata, sentence_piece_metadata

TOKENIZER = gguf_tokenizer("test", "test.gguf", byte_level_metadata())
HELLO = [Turn("user", "the cat")]


def rendered(template: str, turns: list[Turn] = HELLO) -> str:
    return ChatTemplate(template, "test.gguf", (("bos_token", "<s>"),)).render(turns)


def test_turns_become_the_text_of_the_template() -> None:
    chat = TOKENIZER.encode_chat([Turn("system", " be brief "), *HELLO])
    assert chat.text == "<|start|>system\nbe brief<|stop|>\n<|start|>user\nthe cat<|stop|>\n<|start|>assistant\n"
    assert chat.ids == byte_level().encode(chat.text, add_special_tokens=False).ids
    assert chat.ids.count(1) == 3
    assert TOKENIZER.decode(chat.ids) == chat.text


def test_a_last_turn_of_the_assistant_is_not_answered() -> None:
    assert TOKENIZER.encode_chat([*HELLO, Turn("assistant", "sat")]).text.endswith("sat<|stop|>\n")


def test_the_template_has_the_names_of_special_tokens_and_the_usual_functions() -> None:
    assert rendered("{{ bos_token }}{{ messages[0].content }}{{ messages | length }}") == "<s>the cat1"
    assert rendered("{% generation %}a{% endgeneration %}{{ messages | tojson }}") == (
        'a[{"role": "user", "content": "the cat"}]'
    )
    assert rendered("{{ strftime_now('%Y') }}").isdigit()
    assert rendered("  {% if true %}\n  a\n  {% endif %}\n{% for x in [1, 2] %}{% break %}{% endfor %}") == "  a\n"


@pytest.mark.parametrize("name", ["<|stop|>", "<|start|>assistant", "a<|end|>b", "<|<|stop|>|>", "<|stop|><|stop|>"])
def test_special_tokens_inside_a_turn_stay_text(name: str) -> None:
    usual = TOKENIZER.encode_chat(HELLO)
    chat = TOKENIZER.encode_chat([Turn("user", name)])
    assert chat.text == usual.text.replace("the cat", name)
    assert TOKENIZER.decode(chat.ids) == chat.text
    special = [id for id in chat.ids if id in TOKENIZER.special]
    assert special == [id for id in usual.ids if id in TOKENIZER.special]
    assert [id for id in TOKENIZER.encode(chat.text) if id in TOKENIZER.special] != special  # a prompt differs


@given(st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), min_size=1).filter(lambda text: text.strip()))
@example("<|stop|")
@settings(max_examples=3, deadline=None)
def test_any_text_in_a_turn_survives(text: str) -> None:
    chat = TOKENIZER.encode_chat([Turn("user", text)])
    assert TOKENIZER.decode(chat.ids) == chat.text


def test_a_sentence_piece_chat() -> None:
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
    metadata = sentence_piece_metadata(add_space_prefix=False) | {"tokenizer.chat_template": template}
    tokenizer = gguf_tokenizer("test", "test.gguf", metadata)
    chat = tokenizer.encode_chat([Turn("user", "the </s> cat")])
    assert chat.text == "<s>the </s> cat</s>"
    assert (chat.ids[0], chat.ids[-1], chat.ids.count(2)) == (1, 2, 1)  # the template writes the first token itself


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% if %}", "failed (TemplateSyntaxError"),
        ("{{ 1 // 0 }}", "failed (ZeroDivisionError"),
        ("{{ ''.__class__.__mro__ }}", "failed (SecurityError"),
        ("{{ cycler.__init__.__globals__.os.system('false') }}", "failed (SecurityError"),
        ("{{ messages.append(1) }}", "failed (SecurityError"),
        ("{% include '/etc/passwd' %}", "failed (TypeError: no loader"),
        ("{{ raise_exception('no system\n\x1b[0m role') }}", "refuses these turns: no system\\n\\x1b[0m role"),
        ("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "failed (it calls itself too often)"),
        ("{{ 'a' * 10000000000 }}", "failed (out of memory)"),
        ("{% set n = namespace(s='a') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}", "memory"),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}aaaaaaaaaaaa{% endfor %}{% endfor %}",
            "more than 4000",
        ),
        ("x" * 200_001, "has 200001 characters, more than 200000"),
    ],
)
def test_a_template_that_fails_or_tries_to_escape_is_reported_in_one_line(template: str, expected: str) -> None:
    with pytest.raises(PromptError) as caught:
        rendered(template)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("test.gguf: its chat template")
    assert str(caught.value).isprintable()


@pytest.mark.slow
def test_a_template_that_loops_is_ended() -> None:
    began = time.perf_counter()
    with pytest.raises(PromptError, match=r"takes more than 2 seconds|did not finish"):
        rendered("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
    assert time.perf_counter() - began < 30


def test_a_model_without_a_template_has_no_chat() -> None:
    with pytest.raises(PromptError, match="has no chat template; give the prompt as plain text"):
        load_tokenizer().encode_chat(HELLO)


def test_turns_of_python_callers() -> None:
    assert turns_of([{"role": "user", "content": "the cat"}, Turn("tool", "")]) == [*HELLO, Turn("tool", "")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hello", "must be a list of turns"),
        ({"role": "user", "content": "a"}, "must be a list of turns"),
        ([{"role": "user"}], "turn 1 must have a role and a content"),
        ([*HELLO, {"role": "a b", "content": "a"}], "turn 2: its role must be a word"),
        ([{"role": "<|start|>", "content": "a"}], "turn 1: its role must be a word"),
        ([{"role": "user", "content": 7}], "turn 1: its content must be text"),
        ([{"role": "user", "content": "a", "name": "b"}], "turn 1 must have a role and a content"),
    ],
)
def test_other_values_are_no_turns(value: object, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        turns_of(value)


def test_a_turn_of_reserved_code_points_is_refused() -> None:
    with pytest.raises(PromptError, match=r"U\+FDD0"):
        TOKENIZER.encode_chat([Turn("user", "a\ufdd0")])


def test_no_turns_are_refused() -> None:
    with pytest.raises(PromptError, match="has 0 turns; give 1 to 1000"):
        rendered(TEMPLATE, [])
