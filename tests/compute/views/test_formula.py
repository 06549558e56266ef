"""Formulas of elements: against float64 over all tensors, storages and architectures, and bad values and requests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.gpu.wgpu_native import poll
from compute.models.config import ModelConfig
from compute.models.operations import Linear
from compute.models.tensor_index import TensorIndex
from compute.selftest.check import KERNEL, Errors
from compute.selftest.formulas import Exact, compare, formulas, random_elements
from compute.selftest.gpu import run_pass
from compute.selftest.models import SMALL, loud_model, rounded_model, some_tokens
from compute.selftest.statistics import corrupted_model
from compute.views import formula_plans
from compute.views.formula import TOP, Source, Terms, formula
from compute.views.formula_pass import FormulaPass
from compute.weights.checkpoint import open_model

from helpers.architectures import architecture, bare
from helpers.gpu import assert_ok
from helpers.make_models import tiny_model

pytestmark = pytest.mark.gpu

ODD = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)


@pytest.mark.parametrize(("dtype", "layout"), [("f32", "texture"), ("bf16", "buffer"), ("f16", "texture")])
def test_500_elements_of_an_odd_model(layout: str, dtype: str) -> None:
    source = rounded_model(loud_model(ODD, scale=0.2), dtype)
    engine = Engine.load(source, LoadOptions(context=20, weights=dtype, layout=layout, program="rows"))
    assert_ok(formulas(engine, source, 500))


def test_500_elements_of_the_embedded_model() -> None:
    source = open_model("stories")
    engine = Engine.load(source, LoadOptions(context=32))
    tokens = [7454, 2402, 257, 640, 11, 612, 373, 257]
    run_pass(engine, tokens)
    errors, exact, passes = Errors(), Exact(engine, source, tokens), FormulaPass(engine)
    elements = random_elements(engine, 500)
    for at in elements:
        compare(passes.explain(at), exact, errors, at)
    assert errors.largest < KERNEL, errors.worst
    assert {at.name for at in elements} >= {"embed.tokens", "h.5.attn.pattern", "h.5.attn.scores", "ln_f", "logits"}


def test_another_architecture() -> None:
    with architecture("bare", bare):
        source = loud_model(ModelConfig(2, 3, 36, 40, 97, 100, architecture="bare"), scale=0.2)
        engine = Engine.load(source, LoadOptions(context=20, program="rows"))
        assert_ok(formulas(engine, source, 120))


def test_positions_count_in_a_context_that_slid() -> None:
    source = loud_model(SMALL)
    engine = Engine.load(source, LoadOptions(context=8, program="rows"))
    text = some_tokens(SMALL, 30)
    run_pass(engine, text, context=8)
    assert engine.registry.first_position == 22
    exact, errors = Exact(engine, source, text[-8:]), Errors()
    passes = FormulaPass(engine)
    for name in ("embed.tokens", "embed.positions", "h.1.attn.out"):
        compare(passes.explain(TensorIndex(name, (3, 5))), exact, errors, TensorIndex(name, (3, 5)))
    assert errors.largest < KERNEL, errors.worst
    assert passes.explain(TensorIndex("embed.positions", (3, 5))).sources == (Source("wpe", ((25, 26), (5, 6))),)
    token = text[-8 + 3]
    assert passes.explain(TensorIndex("embed.tokens", (3, 5))).sources == (Source("wte", ((token, token + 1), (5, 6))),)


@pytest.fixture(scope="module")
def small() -> FormulaPass:
    engine = Engine.load(tiny_model(ODD), LoadOptions(context=12))
    WholePass(engine).run(range(7))
    return FormulaPass(engine)


def test_text_terms_and_sources(small: FormulaPass) -> None:
    found = small.explain(TensorIndex("h.1.mlp.c_fc", (5, 12)))
    assert found.operator == "mlp.c_fc.bias[12] + sum of ln_2[5, :] * mlp.c_fc.weight[12, :]"
    assert str(found).startswith(f"h.1.mlp.c_fc[5, 12] = {found.operator} = {found.value:.6g}")
    assert [str(source) for source in found.sources] == [
        "h.1.ln_2[5, 0:60]", "h.1.mlp.c_fc.weight[12, 0:60]", "h.1.mlp.c_fc.bias[12]",
    ]  # fmt: skip
    assert (len(found.terms), found.count) == (TOP, 60)
    for term in found.terms:
        assert term.left_at == TensorIndex("h.1.ln_2", (5, term.index))
        assert term.right_at == TensorIndex("h.1.mlp.c_fc.weight", (12, term.index))
        assert term.product == np.float32(term.left) * np.float32(term.right)
    out = small.explain(TensorIndex("h.1.attn.out", (5, 42)))
    assert out.operator == "sum of attn.pattern[2, 5, 0:6] * attn.qkv[0:6, 162]"
    assert {term.left_at for term in out.terms} == {TensorIndex("h.1.attn.pattern", (2, 5, key)) for key in range(6)}


def test_steps_of_attention_weights(small: FormulaPass) -> None:
    found = small.explain(TensorIndex("h.0.attn.pattern", (1, 4, 2)))
    score, largest, exponential, total = (step.value for step in found.steps)
    assert math.isclose(exponential, math.exp(score - largest), rel_tol=1e-5)
    assert math.isclose(found.value, exponential / total, rel_tol=1e-5)
    assert found.inner is not None
    assert math.isclose(found.inner.total, score, abs_tol=1e-5)
    later = small.explain(TensorIndex("h.0.attn.pattern", (1, 2, 4)))
    assert (later.value, later.total, later.terms) == (0.0, 0.0, ())
    assert "key 4 comes after query 2" in later.operator
    assert small.explain(TensorIndex("h.0.attn.scores", (1, 2, 4))).value == -math.inf


def test_requests_do_not_wait(small: FormulaPass) -> None:
    assert small.request(TensorIndex("ln_f", (0, 0)))
    assert small.pending
    assert not small.request(TensorIndex("ln_f", (0, 1)))
    poll(small._engine.device, wait=True)
    assert small.poll()
    assert small.latest is not None
    assert small.latest.element == TensorIndex("ln_f", (0, 0))
    assert not small.poll()
    assert len(list(small.warming())) >= 6


def test_what_a_pass_has(small: FormulaPass) -> None:
    assert small.has(TensorIndex("h.0.ln_1", (6, 59)))
    assert not small.has(TensorIndex("h.0.ln_1", (7, 0)))
    assert small.explains("h.0.attn.scores")
    assert not small.explains("wte")


def test_an_operation_without_a_plan_has_no_formula(small: FormulaPass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formula_plans, "_PLANNED", (Linear,))
    assert small.explains("h.0.mlp.c_fc")
    assert not small.explains("h.0.mlp.gelu")


@pytest.mark.parametrize(
    "bad",
    [
        TensorIndex("nothing", (0,)),
        TensorIndex("wte", (0, 0)),
        TensorIndex("h.0.ln_1", (7, 0)),
        TensorIndex("h.0.ln_1", (0, 60)),
        TensorIndex("h.0.ln_1", (0, 0), 2),
        TensorIndex("h.0.attn.pattern", (3, 0, 0)),
        TensorIndex("logits", (27,)),
        TensorIndex("ln_f"),
    ],
    ids=str,
)
def test_what_has_no_formula(small: FormulaPass, bad: TensorIndex) -> None:
    with pytest.raises(UsageError):
        small.explain(bad)


def test_a_model_without_activations() -> None:
    with pytest.raises(UsageError, match="no activations"):
        FormulaPass(Engine.load(tiny_model(ODD), LoadOptions(context=12, trace=False)))


def test_values_that_are_not_finite() -> None:
    engine = Engine.load(corrupted_model(SMALL), LoadOptions(context=20, program="rows"))
    run_pass(engine, some_tokens(SMALL, 11))
    passes = FormulaPass(engine)
    found = [passes.explain(at) for at in random_elements(engine, 150)]
    assert any(math.isnan(one.value) for one in found)
    for one in found:
        if math.isnan(one.value):
            assert math.isnan(one.total), one
            assert one.difference == 0.0


def test_not_finite_terms_come_first() -> None:
    products = np.array([1, -7, np.inf, 3, np.nan, *range(2, 11)], np.float32)
    ones = np.ones_like(products)
    at = TensorIndex("x", (0,))
    found = formula(at, "add", "", 1.0, Terms(products, ones, products, (at,) * 14, (None,) * 14), sources=())
    assert [term.index for term in found.terms[:4]] == [4, 2, 13, 12]
    assert found.remainder == 1 + 2 + 3 + 3
    assert math.isnan(found.total)
    assert math.isnan(found.rounding)
