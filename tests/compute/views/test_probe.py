"""Single values read from the GPU, for every storage."""

from __future__ import annotations

import numpy as np
import pytest

from compute.api.activation_reader import ActivationReader
from compute.errors import UsageError
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.whole_pass import WholePass
from compute.gpu.wgpu_native import poll
from compute.models.config import ModelConfig
from compute.models.tensor_index import TensorIndex
from compute.selftest.lookups import probes
from compute.views.probe import ProbePass

from helpers.gpu import assert_ok
from helpers.make_models import tiny_model

pytestmark = pytest.mark.gpu

ODD = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("layout", ["texture", "buffer"])
def test_values(layout: str, dtype: str) -> None:
    engine = Engine.load(tiny_model(ODD), LoadOptions(context=12, weights=dtype, layout=layout, program="rows"))
    assert_ok(probes(engine, tiny_model(ODD)))


def test_missing_rows_and_invalid_probes() -> None:
    engine = Engine.load(tiny_model(ODD), LoadOptions(context=12))
    WholePass(engine).run(range(3))
    passes = ProbePass(engine)
    later = TensorIndex("h.1.ln_1", (3, 2))
    passes.watch([later])
    passes.update()
    assert not passes.poll()
    WholePass(engine).run(range(4))
    passes.update()
    poll(engine.device, wait=True)
    assert passes.poll()
    assert passes.values[later].value == ActivationReader(engine).read([later.name])[later.name][3, 2]
    for bad in (
        TensorIndex("nothing", (0,)),
        TensorIndex("logits", (27,)),
        TensorIndex("logits"),
        TensorIndex("ln_f", (11, 59), 2),
        TensorIndex("ln_f", (0, 60)),
        TensorIndex("ln_f", (0, 0), 0),
        TensorIndex("h.0.attn.pattern", (0, 1, 0), 2),
    ):
        with pytest.raises(UsageError):
            passes.watch([bad])
    with pytest.raises(UsageError, match="at most 64"):
        passes.watch(
            [TensorIndex("logits", (i,)) for i in range(27)] + [TensorIndex("ln_f", (0, i)) for i in range(40)]
        )


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_nonfinite_values_rank_first(bad: float) -> None:
    source = tiny_model(ODD)
    values = source.tensor("h.1.mlp.c_fc.weight").reshape(-1)
    values[[5, 700, 9000]] = np.inf if bad != bad else 1e30, bad, bad
    engine = Engine.load(source, LoadOptions(context=12))
    WholePass(engine).run(range(3))
    passes = ProbePass(engine)
    whole = TensorIndex("h.1.mlp.c_fc.weight", (0, 0), values.size)
    passes.watch([whole])
    passes.update()
    poll(engine.device, wait=True)
    assert passes.poll()
    found = passes.values[whole]
    assert np.array_equal([found.value], [bad], equal_nan=True)
    assert found.index == (700 // 60, 700 % 60)
