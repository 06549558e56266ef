"""The generic programs run descriptions that differ from GPT-2, and leave every activation of the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.config import ModelConfig
from compute.models.description import Description
from compute.models.gpt2 import gpt2
from compute.models.operations import Add, Linear, Weight
from compute.selftest.check import PASS
from compute.selftest.models import SMALL, loud_model
from compute.selftest.passes import PROGRAM_PAIRS, ProgramPair, Runner
from compute.views.map_layout import map_layout
from compute.views.strip_layout import strip_layout

from helpers.architectures import altered, architecture, bare, inserted
from helpers.gpu import assert_ok, model_of

pytestmark = pytest.mark.gpu

CONFIG = replace(SMALL, positions=37)
GENERIC = (*PROGRAM_PAIRS[:2], ProgramPair("tiled, rows", "buffer", PROGRAM_PAIRS[2].prefill, PROGRAM_PAIRS[0].decode))


def with_square(config: ModelConfig) -> Description:
    """GPT-2 that adds a product of the stream itself to the stream, and whose head has a bias."""
    c = config.channels
    product = Linear("h.0.square", c, "", "h.0.resid_post", Weight("h.0.square.weight", (c, c), ""))
    total = Add("h.0.total", c, "", ("h.0.resid_post", "h.0.square"))
    made = altered(inserted(gpt2(config), "h.0.resid_post", product, total), "h.1.resid_pre", source="h.0.total")
    return altered(made, "logits", bias=Weight("bias", (config.padded_vocabulary,), ""))


def with_other_norms(config: ModelConfig) -> Description:
    """GPT-2 with another epsilon in each norm, and without a shift in the last."""
    made = altered(gpt2(config), "h.0.ln_1", epsilon=0.5)
    return altered(altered(made, "h.1.ln_2", epsilon=0.1), "ln_f", epsilon=1.0, shift=None)


def without_final_norm(config: ModelConfig) -> Description:
    """GPT-2 whose head reads the residual stream itself."""
    made = gpt2(config)
    head = replace(made.head, x="h.1.resid_post")
    return replace(made, sections=(*made.sections[:-1], replace(made.sections[-1], operations=(head,))))


@pytest.mark.parametrize("pair", GENERIC, ids=lambda pair: pair.name)
@pytest.mark.parametrize("describe", [bare, with_square, with_other_norms, without_final_norm])
def test_passes_of_other_architectures(describe: Callable[[ModelConfig], Description], pair: ProgramPair) -> None:
    name = describe.__name__
    with architecture(name, describe):
        runner = Runner(loud_model(replace(CONFIG, architecture=name), scale=0.2), pair.layout, "f32")
        assert_ok(runner.run(pair).check(name, pair.name, PASS))


def test_the_engine_chooses_generic_programs_for_other_architectures() -> None:
    with architecture("bare", bare):
        engine = Engine.load(loud_model(replace(CONFIG, architecture="bare")), LoadOptions(layout="buffer"))
        assert engine.path == "fused"


def test_a_model_whose_head_reads_no_norm_runs_in_the_api_and_in_the_views() -> None:
    config = replace(CONFIG, architecture="without_final_norm")
    with architecture("without_final_norm", without_final_norm):
        source = loud_model(config, scale=0.2)
        model = model_of(source)
        tokens = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3]  # more than a chunk
        run, last = model.run(tokens, keep="*"), model.run(tokens, rows="last")
        head = np.asarray(source.tensor("wte"), np.float64)[: config.vocabulary]
        np.testing.assert_allclose(run.logits, run["h.1.resid_post"] @ head.T, rtol=0, atol=1e-3)
        np.testing.assert_allclose(last.logits, run.logits[-1:], rtol=0, atol=1e-4)
        engine = Engine.load(source, LoadOptions(measured=False))
        assert strip_layout(engine.registry).spans[-1].name == "logits"
        assert map_layout(engine.registry, config.positions).width > 0
