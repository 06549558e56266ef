"""A real GGUF: SmolLM2 predicts what transformers predicts with the same dequantized weights, for four prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import atlas_viewer as av
from compute.weights.checkpoint import open_model

from helpers.paths import ROOT

FILE = ROOT / ".cache" / "SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPTS = {
    "france": "The capital of France is",
    "unicode": "Größe: 日本語のテキスト 😀 — naïve café №",
    "code": "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
}
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not FILE.exists(), reason="`./dev models` fetches the model"),
]


@pytest.fixture(scope="module")
def model() -> av.Model:
    return av.load(FILE, context=128)


@pytest.fixture(scope="module")
def expected() -> Iterator[dict[str, np.ndarray]]:
    """Made by tests/data/make_smollm2.py."""
    with np.load(Path(__file__).parents[2] / "data" / "smollm2.npz") as arrays:
        yield dict(arrays)


@pytest.mark.parametrize("name", [*PROMPTS, "chat"])
def test_predictions_are_those_of_transformers(model: av.Model, expected: dict[str, np.ndarray], name: str) -> None:
    ids = model.from_chat(QUESTION) if name == "chat" else model.tokenizer.encode(PROMPTS[name])
    assert ids == expected[f"{name}.prompt"].tolist()
    chain = expected[f"{name}.tokens"].tolist()
    logits = model.run([*ids, *chain[:-1]]).logits[len(ids) - 1 :]  # [steps, V]
    assert logits.argmax(axis=1).tolist() == chain
    likeliest = np.take_along_axis(logits, expected[f"{name}.top"].astype(np.int64), axis=1)
    assert np.abs(likeliest - expected[f"{name}.top_logits"]).max() < 2e-3
    assert np.abs(logits[[0, -1]][:, expected["sampled"]] - expected[f"{name}.logits"]).max() < 2e-3


@pytest.mark.parametrize("name", [*PROMPTS, "chat"])
def test_a_generation_is_the_greedy_chain(model: av.Model, expected: dict[str, np.ndarray], name: str) -> None:
    chain = expected[f"{name}.tokens"].tolist()
    ends = [at for at, token in enumerate(chain) if token in model.tokenizer.ends]
    chain = chain[: ends[0] + 1] if ends else chain  # the reference goes on
    prompt = model.from_chat(QUESTION) if name == "chat" else PROMPTS[name]
    made = model.generate(prompt, max_new_tokens=len(chain), temperature=0)
    assert [step.token for step in made.steps] == chain
    assert made.stop_reason == ("end_of_text" if ends else "length")


def test_the_text_of_a_chat_is_that_of_transformers(model: av.Model, expected: dict[str, np.ndarray]) -> None:
    assert model.tokenizer.decode(model.from_chat(QUESTION)) == str(expected["chat.text"])


def test_the_capital_of_france_is_known_only_at_the_last_point(model: av.Model) -> None:
    lens = model.lens(PROMPTS["france"])
    (paris,) = model.tokenizer.encode(" Paris")
    likeliest = lens.top_tokens[:, -1, 0].tolist()
    assert [point for point, token in zip(lens.points, likeliest, strict=True) if token == paris] == [lens.points[-1]]


def test_an_edit_of_a_quantized_matrix(model: av.Model) -> None:
    """The output matrix of attention set to 0 does what its result set to 0 does."""
    ids = model.tokenizer.encode(PROMPTS["france"])
    plain = model.run(ids, rows="last").logits
    matrix = model.run(ids, rows="last", edits=["layers.3.self_attn.o_proj.weight = 0"]).logits
    result = model.run(ids, rows="last", edits=["h.3.attn.c_proj = 0"]).logits
    assert np.array_equal(matrix, result)
    assert np.abs(matrix - plain).max() > 0.01
    assert np.array_equal(model.run(ids, rows="last").logits, plain)


def test_weights_are_the_numbers_in_the_file(model: av.Model) -> None:
    source = open_model(str(FILE))
    for name in ("embed_tokens.weight", "layers.7.self_attn.q_proj.weight", "layers.29.mlp.down_proj.weight"):
        assert np.array_equal(model.weights[name], source.tensor(name))
    source.close()
