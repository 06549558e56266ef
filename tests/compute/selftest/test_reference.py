"""The float64 reference, compared with an independent program's logits, models and sums by hand, and known values."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.description import Description, Section
from compute.models.operations import Gather, Operation, Weight
from compute.selftest import reference
from compute.selftest.check import difference
from compute.weights.checkpoint import ArrayModel, open_model

from helpers.architectures import architecture, bare
from helpers.make_models import ODD_SHAPES, TINY, tiny_model
from helpers.numpy_gpt2 import numpy_gpt2
from helpers.paths import DATA


@pytest.fixture(scope="module")
def stories() -> ArrayModel:
    return reference.in_float64(open_model("stories"))


@pytest.mark.parametrize(("run", "steps"), [("once", 24), ("webgpu", 12), ("fox", 16)])
def test_logits_and_tokens_of_the_greedy_runs(stories: ArrayModel, run: str, steps: int) -> None:
    with np.load(DATA / "stories_greedy.npz") as greedy:
        tokens, prompt = greedy[f"{run}.tokens"].tolist(), int(greedy[f"{run}.n_prompt"])
        index, logit = greedy[f"{run}.index"], greedy[f"{run}.logit"]
    assert len(tokens) == prompt + steps
    # A token changes nothing before it, see below: each row of the whole text's pass is the last row of a shorter one.
    acts, wte = reference.forward(stories, tokens[:-1]), stories.tensor("wte")
    for step in range(steps):
        logits = reference.head(acts["ln_f"][prompt + step - 1], wte)
        assert np.abs(logits[index[step]] - logit[step]).max() < 1e-5
        chosen = reference.distribution(logits[: stories.config.vocabulary], temperature=0)
        assert chosen.argmax() == tokens[prompt + step]
    assert np.array_equal(logits, acts["logits"])


@pytest.mark.parametrize("config", ODD_SHAPES)
def test_gpt2_as_written_by_hand(config: ModelConfig) -> None:
    model = tiny_model(config)
    tokens = [(5 * i + 2) % config.vocabulary for i in range(min(8, config.positions))]
    for count, start in ((len(tokens), config.positions - len(tokens)), (1, 0)):
        found = reference.forward(model, tokens[:count], start)
        expected = numpy_gpt2(model.tensor, config.layers, config.heads, tokens[:count], start)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert difference(found[name], values) < 1e-12, name


@pytest.mark.parametrize("config", ODD_SHAPES)
def test_forward_returns_every_activation_with_its_shape(config: ModelConfig) -> None:
    tokens = [i % config.vocabulary for i in range(min(7, config.positions))]
    acts = reference.forward(tiny_model(config), tokens)
    t, c = len(tokens), config.channels
    shapes: dict[str, tuple[int, ...]] = {f"embed.{name}": (t, c) for name in ("tokens", "positions", "sum")}
    for n in range(config.layers):
        for name in ("resid_pre", "ln_1", "attn.out", "attn.c_proj", "resid_mid", "ln_2", "mlp.c_proj", "resid_post"):
            shapes[f"h.{n}.{name}"] = (t, c)
        shapes |= {f"h.{n}.attn.qkv": (t, 3 * c), f"h.{n}.attn.pattern": (config.heads, t, t)}
        shapes |= {f"h.{n}.mlp.{name}": (t, 4 * c) for name in ("c_fc", "gelu")}
    shapes |= {"ln_f": (t, c), "logits": (config.padded_vocabulary,)}
    assert {name: value.shape for name, value in acts.items()} == shapes
    assert all(value.dtype == np.float64 and np.isfinite(value).all() for value in acts.values())


def test_a_token_does_not_affect_earlier_rows() -> None:
    model = tiny_model()
    one, other = (reference.forward(model, [3, 1, 4, last]) for last in (5, 9))
    for name in one.keys() - {"logits"}:
        rows = (slice(None), slice(0, 3)) if name.endswith("pattern") else slice(0, 3)
        assert np.array_equal(one[name][rows], other[name][rows]), name
    assert not np.allclose(one["logits"], other["logits"])


def test_positions_begin_at_positions_start() -> None:
    model = tiny_model()
    acts = reference.forward(model, [3, 1], positions_start=7)
    assert np.array_equal(acts["embed.positions"], model.tensor("wpe")[7:9])
    assert np.array_equal(acts["embed.tokens"], model.tensor("wte")[[3, 1]])
    assert not np.allclose(acts["logits"], reference.forward(model, [3, 1])["logits"])


def test_layer_norm_by_hand() -> None:
    # Mean 2, variance 2.5; then times 2 plus 1.
    out = reference.layer_norm(np.array([[0.0, 1.0, 3.0, 4.0]]), np.full(4, 2.0), np.ones(4))
    assert np.allclose(out, [[(v - 2) / math.sqrt(2.5 + 1e-5) * 2 + 1 for v in (0, 1, 3, 4)]], atol=1e-14)


def test_layer_norm_without_a_shift_and_with_another_epsilon() -> None:
    # Mean 2, variance 2.5, to which 1.5 is added: the denominator is 2.
    out = reference.layer_norm(np.array([[0.0, 1.0, 3.0, 4.0]]), np.full(4, 4.0), epsilon=1.5)
    assert np.allclose(out, [[-4, -2, 2, 4]], atol=1e-14)


def test_layer_norm_of_equal_values_is_the_bias() -> None:
    assert np.array_equal(reference.layer_norm(np.full((2, 8), 1e6), np.ones(8), np.arange(8.0))[1], np.arange(8.0))


def test_linear_by_hand() -> None:
    weight = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # [out 3, in 2]
    assert reference.linear(np.array([[10.0, 1.0]]), weight, np.array([0.0, 0.5, -1.0])).tolist() == [[12, 34.5, 55]]
    assert reference.linear(np.array([[10.0, 1.0]]), weight).tolist() == [[12, 34, 56]]
    assert reference.head(np.array([10.0, 1.0]), weight).tolist() == [12, 34, 56]
    assert reference.head(np.array([10.0, 1.0]), weight, np.array([0.0, 0.5, -1.0])).tolist() == [12, 34.5, 55]


def test_gather_and_add_by_hand() -> None:
    table = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert reference.gather(table, [2, 0, 2]).tolist() == [[5, 6], [1, 2], [5, 6]]
    assert reference.gather(table, range(1, 3)).tolist() == [[3, 4], [5, 6]]
    assert reference.add(table, table, -table).tolist() == table.tolist()


def _thirds(qkv: np.ndarray, heads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries, keys and values [T, H, D] of qkv [T, 3 C]."""
    q, k, v = np.split(qkv.reshape(len(qkv), 3 * heads, -1), 3, axis=1)
    return q, k, v


@pytest.mark.parametrize(("tokens", "heads", "size"), [(1, 1, 4), (5, 3, 4), (4, 1, 16)])
def test_attention_by_loops(tokens: int, heads: int, size: int) -> None:
    qkv = np.random.default_rng(1).standard_normal((tokens, 3 * heads * size))
    out, pattern = reference.attention(*_thirds(qkv, heads))
    for h in range(heads):
        at = [slice((part * heads + h) * size, (part * heads + h + 1) * size) for part in range(3)]
        for query in range(tokens):
            scores = [float(qkv[query, at[0]] @ qkv[key, at[1]]) / math.sqrt(size) for key in range(query + 1)]
            total = sum(math.exp(score) for score in scores)
            weights = [math.exp(score) / total for score in scores]
            assert np.allclose(pattern[h, query], weights + [0] * (tokens - query - 1), atol=1e-14)
            expected = sum(weight * qkv[key, at[2]] for key, weight in enumerate(weights))
            assert np.allclose(out[query, h * size : (h + 1) * size], expected, atol=1e-13)


def test_gelu_at_known_values() -> None:
    # From PyTorch's gelu(approximate="tanh") in float64.
    known = {-3.0: -0.00363739, -1.0: -0.15880801, -0.0: 0.0, 0.5: 0.34571401, 1.0: 0.84119199, 3.0: 2.99636261}
    assert np.allclose(reference.gelu(np.array(list(known))), list(known.values()), atol=5e-9)


def test_relu_at_known_values() -> None:
    values = reference.relu(np.array([-np.inf, -2.0, -0.0, 3.0, np.inf, np.nan]))
    assert np.array_equal(values, [0, 0, 0, 3, np.inf, np.nan], equal_nan=True)


def test_softmax_of_large_values() -> None:
    assert np.allclose(reference.softmax(np.array([1e4, 1e4 + math.log(3), -np.inf])), [0.25, 0.75, 0])


LOGITS = np.log([0.5, 0.25, 0.15, 0.1])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0.5}, [0.25 / 0.345, 0.0625 / 0.345, 0.0225 / 0.345, 0.01 / 0.345]),
        ({"temperature": 0}, [1, 0, 0, 0]),
        ({"temperature": 1e-320}, [1, 0, 0, 0]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 4}, [0.5, 0.25, 0.15, 0.1]),
        ({"top_p": 0.74}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.76}, [5 / 9, 2.5 / 9, 1.5 / 9, 0]),
        ({"top_p": 0.0}, [1, 0, 0, 0]),
        ({"min_p": 0.29}, [5 / 9, 2.5 / 9, 1.5 / 9, 0]),
        ({"min_p": 1.0}, [1, 0, 0, 0]),
        # Among the three tokens that top-k keeps the first has 0.556, so two of them reach 0.7.
        ({"top_k": 3, "top_p": 0.7}, [2 / 3, 1 / 3, 0, 0]),
    ],
)
def test_filters_by_hand(options: dict[str, float], expected: list[float]) -> None:
    with np.errstate(over="ignore"):
        assert np.allclose(reference.distribution(LOGITS, **options), expected, atol=1e-12)  # type: ignore[arg-type]


def test_the_repetition_penalty_reduces_positive_and_negative_logits() -> None:
    penalized = reference.distribution([2.0, -1.0, 0.0, 2.0], repetition_penalty=2.0, seen=[0, 1, 2, 0])
    assert np.allclose(penalized, reference.softmax(np.array([1.0, -2.0, 0.0, 2.0])))
    assert reference.distribution([2.0, 1.5], temperature=0, repetition_penalty=2.0, seen=[0]).tolist() == [0, 1]


def test_equal_logits_are_ordered_by_id() -> None:
    equal = [1.0, 3.0, 3.0, 3.0]
    assert reference.distribution(equal, temperature=0).tolist() == [0, 1, 0, 0]
    assert reference.distribution(equal, top_k=2).tolist() == [0, 0.5, 0.5, 0]
    assert reference.distribution(equal, top_p=0.5).tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("temperature", [0, 0.7])
def test_nonfinite_logits_are_never_drawn(temperature: float) -> None:
    p = reference.distribution(
        [np.nan, np.inf, 1.0, -np.inf], temperature, top_k=2, seen=[0, 1], repetition_penalty=1.5
    )
    assert p.tolist() == [0, 0, 1, 0]
    assert reference.distribution([np.nan, np.inf], temperature).tolist() == [0, 0]


@given(
    st.lists(st.integers(-300, 300), min_size=1, max_size=40),
    st.floats(0.05, 5),
    st.integers(0, 50),
    st.floats(0, 1),
    st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_filters_keep_the_most_likely_tokens(
    tenths: list[int], temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    logits = [value / 10 for value in tenths]
    plain = reference.distribution(logits, temperature)
    p = reference.distribution(logits, temperature, top_k, top_p, min_p)
    kept = p > 0
    assert p.sum() == pytest.approx(1)
    assert kept[plain.argmax()]
    assert kept.sum() <= (top_k or len(logits))
    # No dropped token is more likely than a kept one, and kept tokens retain their proportions.
    assert not (~kept).any() or plain[kept].min() >= plain[~kept].max()
    assert np.allclose(p[kept], plain[kept] / plain[kept].sum())
    assert (p[kept] >= min_p * p.max() * (1 - 1e-9)).all()


def test_in_float64_changes_no_result() -> None:
    model = tiny_model(TINY)
    converted = reference.in_float64(model)
    assert converted.tensor("wte").dtype == np.float64
    assert np.array_equal(reference.forward(model, [1, 2])["logits"], reference.forward(converted, [1, 2])["logits"])


# -- another architecture


def test_another_architecture_by_hand() -> None:
    config = dataclasses.replace(TINY, architecture="bare")
    with architecture("bare", bare):
        model, tokens = tiny_model(config), [3, 1, 4, 1, 5]
        acts = reference.forward(model, tokens)
        assert acts.keys() == {*describe(config).outputs, "h.0.pattern", "h.1.pattern"}

    def w(name: str) -> np.ndarray:
        return model.tensor(name).astype(np.float64)

    def norm(x: np.ndarray) -> np.ndarray:
        out: np.ndarray = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        return out

    x = w("table")[tokens]
    for h in ("h.0.", "h.1."):
        assert np.array_equal(acts[h + "pre"], x)
        normed = norm(x) * w(h + "ln.weight")
        mixed, pattern = reference.attention(*_thirds(normed @ w(h + "attn.qkv.weight").T, config.heads))
        assert difference(acts[h + "pattern"], pattern) < 1e-12
        hidden = normed @ w(h + "mlp.in.weight").T
        assert difference(acts[h + "hidden"], hidden) < 1e-12
        hidden[hidden < 0] = 0
        x = x + mixed @ w(h + "attn.out.weight").T + hidden @ w(h + "mlp.out.weight").T
        assert difference(acts[h + "post"], x) < 1e-12
    last = norm(x) * w("ln_f.weight") + w("ln_f.bias")
    assert difference(acts["logits"], w("unembed") @ last[-1]) < 1e-12


def test_an_unknown_operation_is_an_error() -> None:
    @dataclasses.dataclass(frozen=True)
    class Doubled(Operation):
        kind: ClassVar[str] = "doubling"

    def doubled(config: ModelConfig) -> Description:
        table = Weight("table", (3, 4), "")
        section = Section("embedding", None, (Gather("rows", 4, "", table, "token"), Doubled("twice", 4, "")))
        return Description("doubled", config, (section,))

    config = dataclasses.replace(TINY, architecture="doubled")
    with architecture("doubled", doubled), pytest.raises(ValueError, match=r"twice: .* doubling"):
        reference.forward(ArrayModel("m", config, {"table": np.ones((3, 4))}), [1])
