"""The trace, compared with the numbers that the original program wrote for the same prompt."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from atlas_viewer.cli.main import main
from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.models.architectures import parameter_shapes
from compute.models.config import ModelConfig
from compute.selftest import reference
from compute.text.tokenizer import load_tokenizer
from compute.views.pattern_statistics import array_statistics, pattern_statistics
from compute.views.statistics import StatisticsPass
from compute.views.strip_layout import strip_layout
from compute.views.trace import lines, records
from compute.weights.checkpoint import ArrayModel, open_model

from helpers.make_models import tiny_model
from helpers.paths import DATA

pytestmark = pytest.mark.gpu

PROMPT = "Once upon a time, there was a"
LINE = re.compile(r"pixels +(\d+)- *(\d+) (\d+)/(\d+)  (\S+): (.*) samples=\[(.*)\]")
WEIGHT = re.compile(r"sampled (\S+): pixels (\d+)-(\d+) (\d+)/(\d+)")
NAMES = {
    "cpu.tokenEmbeddings.context": "embed.tokens", "cpu.positionEmbeddings.context": "embed.positions",
    "gpu.residualA.afterUpload": "h.0.resid_pre", "final.layerNorm": "ln_f", "final.logits": "logits",
}  # fmt: skip
PARTS = {
    "ln1": "ln_1", "qkv": "attn.qkv", "attention": "attn.out", "attentionProjection": "attn.c_proj",
    "residual2": "resid_mid", "ln2": "ln_2", "feedForward": "mlp.c_fc", "gelu": "mlp.gelu",
    "feedForwardProjection": "mlp.c_proj", "residual3": "resid_post",
}  # fmt: skip
EXACT = {"count": "count", "finite": "finite", "nan": "nan", "+inf": "pos_inf", "-inf": "neg_inf"}


def our_name(label: str) -> str:
    """The registry's name for a label of the original trace."""
    if label.startswith("cpu.initialResidual"):
        return "embed.sum"
    if label in NAMES:
        return NAMES[label]
    layer, part, *leaf = label.removeprefix("layer").split(".")
    if leaf:
        return f"h.{layer}.{PARTS[part].replace('attn.qkv', 'attn.c_attn')}.{leaf[0]}"
    return f"h.{layer}.{PARTS[part]}"


def test_the_trace_equals_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", PROMPT, "--json"]) == 0
    trace = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    compared = 0
    for line in (DATA / "demo_trace_once.txt").read_text().splitlines():
        if match := WEIGHT.match(line):
            record = trace[our_name(match[1])]
            cells = [int(word) for word in match.groups()[1:]]
            assert [*record["cells"], record["cells_written"], record["count"]] == cells, line
            compared += 1
        if match := LINE.match(line):
            record = trace[our_name(match[5])]
            cells = [int(word) for word in match.groups()[:4]]
            assert [*record["cells"], record["cells_written"], record["count"]] == cells, line
            fields = dict(word.split("=") for word in match[6].split())
            assert all(int(fields[theirs]) == record[ours] for theirs, ours in EXACT.items()), line
            near = 1e-3 * float(fields["absMax"])
            for theirs, ours in (("min", "min"), ("max", "max"), ("mean", "mean"), ("absMax", "absmax")):
                assert abs(float(fields[theirs]) - record[ours]) <= near, line
            samples = [float(word) for word in match[7].split(", ")]
            assert np.abs(np.subtract(samples, record["samples"])).max() <= near, line
            compared += 1
    assert compared == 4 + 8 * 22 + 2


def test_patterns_equal_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    model, tokens = open_model("stories"), load_tokenizer().encode(PROMPT)
    rows, heads = len(tokens), model.config.heads
    wanted = reference.forward(reference.in_float64(model), tokens, 0)
    assert main(["trace", PROMPT, "--json"]) == 0
    trace = json.loads(capsys.readouterr().out)
    names = [record["name"] for record in trace]
    fields = trace[0].keys()
    for layer in range(model.config.layers):
        name = f"h.{layer}.attn.pattern"
        assert names.index(name) == names.index(f"h.{layer}.attn.qkv") + 1
        record, exact = trace[names.index(name)], wanted[name]
        assert record.keys() == fields
        assert (record["shape"], record["count"]) == ([heads, rows, rows], exact.size)
        assert (record["finite"], record["zero"]) == (exact.size, (exact == 0).sum())
        assert record["zero"] == heads * rows * (rows - 1) // 2  # the keys after each query
        assert (record["nan"], record["pos_inf"], record["neg_inf"], record["first_nonfinite"]) == (0, 0, 0, None)
        assert (record["cells"], record["cells_written"]) == (None, 0)
        assert (record["min"], record["max"], record["absmax"]) == pytest.approx((0, 1, 1), abs=1e-6)
        assert record["mean"] == pytest.approx(1 / rows, abs=1e-6)  # every row sums to 1
        assert record["samples"] == pytest.approx(exact.reshape(-1)[:6].tolist(), abs=2e-5)


def test_the_text_says_that_patterns_are_recomputed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "once upon", "-n", "2", "--context", "2"]) == 0
    text = capsys.readouterr().out.splitlines()
    patterns = [line for line in text if "attn.pattern" in line]
    assert len(patterns) == 8
    assert patterns[3].startswith(
        "no cells, recomputed  h.3.attn.pattern: count=24 finite=24 nan=0 +inf=0 -inf=0 zero=6"
    )
    assert sum("recomputed" in line for line in text) == 8


@pytest.mark.parametrize("values", [[0.5, np.nan, 0, -np.inf, np.inf, np.nan, 2], [np.nan], [-0.0, 0, -3]])
def test_statistics_of_an_array(values: list[float]) -> None:
    """The same statistics as the GPU computes for kept tensors."""
    array = np.array(values, np.float32)
    statistics = array_statistics("a", array)
    good = array[np.isfinite(array)]
    assert (statistics.count, statistics.finite, statistics.nan) == (array.size, good.size, np.isnan(array).sum())
    assert (statistics.pos_inf, statistics.neg_inf) == ((array == np.inf).sum(), (array == -np.inf).sum())
    assert statistics.zero == (good == 0).sum()
    bad = np.flatnonzero(~np.isfinite(array))
    assert statistics.first_nonfinite == (bad[0] if bad.size else None)
    extremes = (good.min(), good.max(), good.mean(), good.std()) if good.size else (0, 0, 0, 0)
    assert (statistics.min, statistics.max, statistics.mean, statistics.std) == pytest.approx(extremes)
    assert statistics.absmax == (np.abs(good).max() if good.size else 0)
    np.testing.assert_array_equal(statistics.samples, array[:6])


def test_the_first_nonfinite_tensor_is_named() -> None:
    config = ModelConfig(layers=2, heads=3, channels=60, positions=40, vocabulary=26, padded_vocabulary=27)
    model = tiny_model(config)
    arrays = {name: np.array(model.tensor(name), np.float32) for name in parameter_shapes(config)}
    arrays["h.1.mlp.c_fc.weight"][0, 3] = np.nan
    engine = Engine.load(ArrayModel("bad", config, arrays), LoadOptions(context=8))
    engine.registry.rows = 1
    statistics = StatisticsPass(engine)
    trace = records(engine, statistics.read() | pattern_statistics(engine), strip_layout(engine.registry))
    assert statistics.first_bad() == "h.1.mlp.c_fc.weight"
    record = next(record for record in trace if record["name"] == "h.1.mlp.c_fc.weight")
    assert (record["nan"], record["first_nonfinite"], record["samples"][3]) == (1, 3, None)
    json.dumps(trace, allow_nan=False)
    text = lines(trace)
    assert text[-1] == "first value that is not finite: h.1.mlp.c_fc.weight, value 3"
    assert "-- layer 1 --" in text
