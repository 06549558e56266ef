"""What a caller can get wrong: every mistake is a project error of one line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.api.compare import compare
from compute.api.load import load
from compute.api.model import Model
from compute.errors import AtlasError, PromptError, TensorNameError, UsageError
from compute.forward.load_options import LoadOptions

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def model() -> Model:
    return load("stories", options=LoadOptions(context=64, measured=False))


CALLS: list[tuple[Callable[[Any], object], type[AtlasError], str]] = [
    (lambda m: m.run(None), UsageError, "the text is of type NoneType: give a string or a list of token ids"),
    (lambda m: m.run(5), UsageError, "the text is of type int: "),
    (lambda m: m.run({1, 2}), UsageError, "the text is of type set: "),
    (lambda m: m.run(np.array(3)), UsageError, "the text is of type ndarray: "),
    (lambda m: m.run(np.array([])), UsageError, "the text has no tokens"),
    (lambda m: m.run([[1], []]), UsageError, "text 2: the text has no tokens"),
    (lambda m: m.run([True]), UsageError, "token True: must be an integer"),
    (lambda m: m.run([[[1]]]), UsageError, r"text 1: token \[1\]: must be an integer"),
    (lambda m: m.run(["a", 5]), UsageError, "text 2: the text is of type int"),
    (lambda m: m.run(["a", "\ud800"]), PromptError, "text 2: prompt: character 1 "),
    (lambda m: m.run([[1], [1] * 65]), UsageError, "text 2: .* 65 tokens, the context 64: .* larger context=, or "),
    (lambda m: m.run("a", keep=None), UsageError, "keep=None: must be a name, a glob, or a list"),
    (lambda m: m.run("a", keep=[["ln_f"]]), UsageError, "must be a name, a glob, or a list"),
    (lambda m: m.run("a", keep=b"ln_f"), UsageError, "must be a name, a glob, or a list"),
    (lambda m: m.run("a", keep="x" * 5000), TensorNameError, r"^x{80}\.\.\.: no tensor has this name"),
    (lambda m: m.run("a", rows=np.array([1, 2])), UsageError, "rows="),
    (lambda m: m.run("a")[None], TensorNameError, "None: is not the name of a tensor"),
    (lambda m: m.run("a").save(None), UsageError, "the path is of type NoneType"),
    (lambda m: m.weights[5], TensorNameError, "5: is not the name of a weight"),
    (lambda m: m.capture("a", None), UsageError, "the path is of type NoneType"),
    (lambda m: m.capture("a", "a.npz", keep=None), UsageError, "keep=None"),
    (lambda m: m.capture(["a", "b"], "a.npz"), UsageError, "token 'a': must be an integer"),
    (lambda m: m.generate(None), UsageError, "the text is of type NoneType"),
    (lambda m: m.generate([50257]), UsageError, "token 50257: stories has 50257 tokens; give 0 to 50256"),
    (lambda m: m.generate("a", max_new_tokens=1.5), UsageError, "max_new_tokens=1.5: must be an integer"),
    (lambda m: m.generate("a", temperature="hot"), UsageError, 'temperature="hot": must be a number'),
    (lambda m: m.generate("a", seed=-1), UsageError, "seed=-1: must be from 0 to "),
    (lambda m: m.score([1.5]), UsageError, "token 1.5: must be an integer"),
    (lambda m: m.tokenizer.encode(None), PromptError, "is of type NoneType"),
    (lambda _: load(None), UsageError, "model=None: must be a name or a path"),  # type: ignore[arg-type]
    (lambda _: load("stories", context="64"), UsageError, 'context="64": must be an integer'),  # type: ignore[arg-type]
    (lambda _: load("stories", context=True), UsageError, "context=True: must be an integer"),
    (lambda _: load("stories", adapter=5), UsageError, "adapter=5: must be text"),  # type: ignore[arg-type]
    (lambda _: load("stories", options={}), UsageError, "options={}: must be LoadOptions"),  # type: ignore[arg-type]
    (lambda _: load("nosuch"), AtlasError, 'model="nosuch": neither a known model nor a file'),
    (lambda _: compare("nosuch", "stories", prompt="a"), AtlasError, 'a="nosuch": neither a known model nor a file'),
    (lambda _: compare("stories", "", prompt="a"), AtlasError, 'b="": is empty'),
]


@pytest.mark.parametrize(("call", "kind", "message"), CALLS, ids=[f"{n} {m}" for n, (_, _, m) in enumerate(CALLS)])
def test_a_mistake_is_an_error_of_one_line(
    model: Model, call: Callable[[Any], object], kind: type[AtlasError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message) as raised:
        call(model)
    assert "\n" not in str(raised.value)
    assert "--" not in str(raised.value)


def test_numbers_and_ids_of_numpy_are_taken(model: Model) -> None:
    tokens: Any = np.array([7454, 2402])
    texts: Any = np.array([[1, 2], [3, 4]])
    assert model.run(tokens).tokens == [7454, 2402]
    assert [run.tokens for run in model.run(texts)] == [[1, 2], [3, 4]]
    options: dict[str, Any] = {"max_new_tokens": np.int64(2), "temperature": np.float32(0)}
    plain = model.generate([7454, 2402], max_new_tokens=2, temperature=0)
    assert model.generate(tokens, **options).tokens == plain.tokens


def test_a_generation_continues_token_ids(model: Model) -> None:
    of_text = model.generate("Once upon a time", max_new_tokens=3, temperature=0)
    of_ids = model.generate([7454, 2402, 257, 640], max_new_tokens=3, temperature=0)
    assert (of_ids.text, of_ids.tokens) == (of_text.text, of_text.tokens)
    assert (of_ids.prompt, of_ids.text) == ("Once upon a time", "Once upon a time" + of_ids.continuation)
    # Ids that no text encodes as: "On" and "ce".
    other = model.generate([2202, 344], max_new_tokens=1, temperature=0)
    assert other.tokens[:2] == [2202, 344]
    assert other.prompt == "Once"


def test_two_threads_do_not_use_a_model_at_once(model: Model) -> None:
    failures: list[AtlasError] = []

    def use() -> None:
        try:
            model.run("a")
        except AtlasError as error:
            failures.append(error)

    with model._in_use():
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert [str(error) for error in failures] == [
        "another thread is using this model: wait for it, or let one thread run all texts"
    ]
    thread = threading.Thread(target=use)  # one after another they may
    thread.start()
    thread.join()
    assert len(failures) == 1
