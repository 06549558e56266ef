"""Runs against the float64 reference, by both naming schemes, and what can go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from compute.api import activation_reader, kept
from compute.api.model import Model
from compute.errors import MemoryBudgetError, OutputError, TensorNameError, UsageError
from compute.forward import whole_pass
from compute.forward.rows_program import CHUNK
from compute.gpu.device import is_software
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.transformerlens import names_by_transformerlens, transformerlens_name
from compute.selftest import reference
from compute.selftest.gpu import Gpu
from compute.selftest.models import loud_model, rounded_model, some_tokens
from compute.weights.checkpoint import ArrayModel

from helpers import parallel_model
from helpers.gpu import model_of
from helpers.make_models import ODD_SHAPES, TINY, tiny_model

pytestmark = pytest.mark.gpu

TOLERANCE = 2e-3
LONG = ModelConfig(layers=1, heads=2, channels=128, positions=300, vocabulary=97, padded_vocabulary=100)
THEIRS = {
    "embed.tokens": "hook_embed",
    "h.1.resid_mid": "blocks.1.hook_resid_mid",
    "h.0.ln_2": "blocks.0.ln2.hook_out",
    "h.1.attn.c_proj": "blocks.1.hook_attn_out",
    "h.1.mlp.gelu": "blocks.1.mlp.hook_post",
    "h.1.mlp.c_proj": "blocks.1.hook_mlp_out",
    "ln_f": "ln_final.hook_out",
    "logits": "logits",
}


@pytest.fixture(scope="module")
def tiny() -> Model:
    return model_of(tiny_model())


def by_head(x: np.ndarray, heads: int) -> np.ndarray:
    return x.reshape(len(x), heads, -1)


def expected(source: ArrayModel, tokens: list[int]) -> dict[str, np.ndarray]:
    """Every array by our names and by those of TransformerLens, with the logits of every row."""
    exact = reference.in_float64(source)
    acts = reference.forward(exact, tokens)
    config, vocabulary = source.config, source.config.vocabulary
    acts["logits"] = (acts["ln_f"] @ exact.tensor(describe(config).head.weight.name).T)[:, :vocabulary]
    later = np.triu(np.ones((len(tokens), len(tokens)), bool), 1)
    for layer in range(config.layers):
        h, b = f"h.{layer}.", f"blocks.{layer}."
        parts = dict(zip("qkv", np.split(acts[h + "attn.qkv"], 3, axis=1), strict=True))
        for short, values in parts.items():
            acts[f"{h}attn.{short}"] = values
            acts[f"{b}attn.hook_{short}"] = by_head(values, config.heads)
        q, k = (by_head(parts[short], config.heads) for short in "qk")
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(config.head_size)
        acts[h + "attn.scores"] = np.where(later, -np.inf, scores)
        acts[b + "attn.hook_z"] = by_head(acts[h + "attn.out"], config.heads)
        norms = {b + "ln1.": acts[h + "resid_pre"]}
        if h + "resid_mid" in acts:
            norms[b + "ln2."] = acts[h + "resid_mid"]
        last = h + "resid_post"
        for stem, x in (norms | ({"ln_final.": acts[last]} if layer == config.layers - 1 else {})).items():
            scale = np.sqrt(x.var(axis=1, keepdims=True) + reference.EPSILON)
            acts[stem + "hook_scale"] = scale
            acts[stem + "hook_normalized"] = (x - x.mean(axis=1, keepdims=True)) / scale
    for name in list(acts):
        theirs = transformerlens_name(name)
        if theirs is not None:
            acts.setdefault(theirs, acts[name])
    return acts


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.dtype == np.float32
    assert found.shape == wanted.shape
    assert np.array_equal(np.isneginf(found), np.isneginf(wanted))
    finite = np.isfinite(wanted)
    assert np.abs(found[finite] - wanted[finite]).max(initial=0) <= TOLERANCE * max(
        1, np.abs(wanted[finite]).max(initial=0)
    )


def parallel() -> ArrayModel:
    """Attention and MLP side by side, ReLU, no biases, a head of its own."""
    config = parallel_model.SMALL
    return ArrayModel("parallel", config, parallel_model.random_weights(config))


@pytest.mark.parametrize("source", [*(tiny_model(config) for config in ODD_SHAPES), parallel()])
def test_every_array_equals_the_reference(source: ArrayModel) -> None:
    model = model_of(source)
    tokens = some_tokens(source.config, source.config.positions)
    wanted = expected(source, tokens)
    run = model.run(tokens, keep=["*", "blocks.*.hook_scale", "ln_final.hook_*"])
    ours = {name for name in wanted if not name.startswith(("blocks.", "hook_", "ln_final."))}
    assert ours <= set(run)
    for name in wanted:
        close(run[name], wanted[name])
    assert run["logits"] is run.logits


@pytest.mark.parametrize(
    "options",
    [
        {"layout": "buffer"},  # the tiled program
        {"layout": "buffer", "program": "rows"},
        {"layout": "buffer", "weights": "bf16"},
        {"layout": "texture", "weights": "f16"},
    ],
    ids=str,
)
def test_every_program_computes_the_logits_of_every_row(gpu: Gpu, options: dict[str, str]) -> None:
    if options["layout"] == "texture" and not is_software(gpu.device.adapter):
        pytest.skip("a GPU has its weights in buffers")
    source = loud_model(LONG, scale=0.15)
    tokens = some_tokens(LONG, LONG.positions)  # more than a chunk of any program
    wanted = expected(rounded_model(source, options.get("weights", "f32")), tokens)
    run = model_of(source, **options).run(tokens, keep="ln_f")
    close(run.logits, wanted["logits"])
    close(run["ln_f"], wanted["ln_f"])


def test_large_results_are_read_in_pieces(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(tiny_model(ODD_SHAPES[2]))
    tokens = some_tokens(ODD_SHAPES[2], 33)
    whole = model.run(tokens, keep="*")
    monkeypatch.setattr(whole_pass, "_PIECE", 1)
    monkeypatch.setattr(activation_reader, "_PIECE", 5000)
    pieces = model.run(tokens, keep="*")
    assert all(np.array_equal(whole[name], pieces[name]) for name in whole)


@pytest.mark.parametrize("count", [1, 17, 33])
def test_the_last_row_is_that_of_all_rows(count: int) -> None:
    model = model_of(tiny_model(ODD_SHAPES[2]))
    tokens = some_tokens(ODD_SHAPES[2], count)
    every, last = model.run(tokens, keep="*"), model.run(tokens, keep="*", rows="last")
    assert list(every) == list(last)
    for name in every:
        whole = every[name]
        close(last[name], whole[:, -1:] if name.endswith(("pattern", "scores")) else whole[-1:])
    assert last["blocks.0.attn.hook_q"].shape == (1, 5, 4)


def test_scores_need_all_keys_even_of_the_last_row(tiny: Model) -> None:
    tokens = [1, 2, 3]
    assert tiny.run(tokens, keep="h.0.attn.scores", rows="last")["h.0.attn.scores"].shape == (3, 1, 3)
    with pytest.raises(TensorNameError, match=r'pass keep=\["h.0.attn.scores"\]'):
        tiny.run(tokens, keep="h.0.attn.qkv", rows="last")["h.0.attn.scores"]


def test_a_list_gives_the_runs_of_each_alone(tiny: Model) -> None:
    texts = [[3, 1, 4], [1, 5, 9, 2, 6], [5]]
    runs = tiny.run(texts, keep="*")
    assert [run.tokens for run in runs] == texts
    for text, run in zip(texts, runs, strict=True):
        alone = tiny.run(text, keep="*")
        assert all(np.array_equal(run[name], alone[name]) for name in alone)


@pytest.mark.parametrize(
    "options", [{"layout": "texture"}, {"layout": "buffer"}, {"layout": "buffer", "program": "rows"}], ids=str
)
def test_texts_of_the_same_length_share_a_pass(gpu: Gpu, options: dict[str, str]) -> None:
    if options["layout"] == "texture" and not is_software(gpu.device.adapter):
        pytest.skip("a GPU has its weights in buffers")
    source = tiny_model(ODD_SHAPES[2])
    model = model_of(source, **options)
    tokens = some_tokens(source.config, 100)
    # Sequences that begin within a tile of queries and cross chunks, and one more than the context has rows for.
    for length in (1, 7, 17):
        texts = [tokens[at : at + length] for at in range(model.context // length + 1)]
        before = model._engine.epoch
        runs = model.run(texts, keep="*")
        assert model._engine.epoch == before + 2
        last = model.run(texts, keep="*", rows="last")
        for text, run, end in zip(texts, runs, last, strict=True):
            wanted = expected(source, text)
            for name in run:
                close(run[name], wanted[name])
                by_query = name.endswith(("pattern", "scores"))
                close(end[name], wanted[name][:, -1:] if by_query else wanted[name][-1:])


def test_a_batch_may_have_more_texts_than_a_chunk_has_rows() -> None:
    model = model_of(tiny_model(ODD_SHAPES[3]))
    texts = [[token, 1] for token in range(model.context // 2)]
    assert len(texts) > 2 * CHUNK
    for run, text in zip(model.run(texts, rows="last"), texts, strict=True):
        close(run.logits, model.run(text).logits[-1:])


@pytest.mark.parametrize(("ours", "theirs"), THEIRS.items())
def test_names_of_transformerlens(ours: str, theirs: str) -> None:
    assert transformerlens_name(ours) == theirs
    assert names_by_transformerlens(describe(TINY))[theirs] == ours


def test_globs_of_either_scheme_keep_the_same(tiny: Model) -> None:
    ours = tiny.run([1, 2], keep=["h.*.resid_post"])
    theirs = tiny.run([1, 2], keep=["blocks.*.hook_resid_post"])
    assert list(ours) == list(theirs) == ["h.0.resid_post", "h.1.resid_post", "logits"]
    # The first block's input is the second name of the sum of the embeddings.
    assert list(tiny.run([1, 2], keep="blocks.0.hook_resid_pre")) == ["h.0.resid_pre", "logits"]
    assert list(tiny.run([1, 2])) == ["logits"]


def test_an_unknown_name_lists_the_nearest(tiny: Model) -> None:
    with pytest.raises(TensorNameError) as raised:
        tiny.run([1], keep="h.1.resid_pots")
    assert str(raised.value).startswith("h.1.resid_pots: no tensor has this name; the nearest are h.1.resid_post, ")
    assert str(raised.value).count(",") == 2
    run = tiny.run([1])
    assert "h.9.resid_post" not in run
    assert run.get("nonsense") is None


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ([1], {"keep": "h.*.nothing"}, r"h\.\*\.nothing: no tensor matches; a name is for example h\.1\.resid_post"),
        ([1], {"rows": "first"}, r"rows='first': must be \"all\" or \"last\""),
        ([1] * 10, {}, "has 10 tokens, the context 9: give a shorter text"),
        ([21], {}, "token 21: tiny has 21 tokens"),
        ([-1], {}, "token -1: tiny has 21 tokens"),
        ([], {}, "has no tokens"),
        ([[1], []], {}, "has no tokens"),
    ],
)
def test_bad_input_is_an_error_of_one_line(
    tiny: Model, prompt: list[int], options: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        tiny.run(prompt, **options)  # type: ignore[call-overload]
    assert "\n" not in str(raised.value)


def test_a_weight_is_not_an_activation(tiny: Model) -> None:
    message = r"h\.0\.ln_1\.bias: is a weight, not an activation of a run"
    with pytest.raises(TensorNameError, match=message):
        tiny.run([1], keep="h.0.ln_1.bias")
    with pytest.raises(TensorNameError, match=message):
        tiny.run([1])["h.0.ln_1.bias"]


@pytest.mark.parametrize("tokens", [[1, 1.5], [[1.5, 2]], [[1, "2"]]])
def test_token_ids_are_integers(tiny: Model, tokens: Any) -> None:
    with pytest.raises(UsageError, match=r"token ('2'|1\.5): must be an integer$"):
        tiny.run(tokens)


def test_bytes_are_not_taken_for_token_ids(tiny: Model) -> None:
    with pytest.raises(UsageError, match="the text is bytes: decode it first"):
        tiny.run(b"\x01\x02")


def test_a_kept_name_is_named_by_the_error(tiny: Model) -> None:
    run = tiny.run([1, 2], keep="h.0.ln_1")
    with pytest.raises(TensorNameError, match=r'blocks.1.hook_mlp_out: was not kept; pass keep=\["blocks.1.hook_mlp'):
        run["blocks.1.hook_mlp_out"]


def test_arrays_that_do_not_fit_into_memory_are_refused(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, width = [1, 2, 3], 21 + 12
    monkeypatch.setattr(kept, "free_host_bytes", lambda: 4 * 3 * width)
    tiny.run(tokens, keep="h.0.ln_1")
    monkeypatch.setattr(kept, "free_host_bytes", lambda: 4 * 3 * width - 1)
    with pytest.raises(
        MemoryBudgetError, match=r"need 396 bytes of memory, 395 bytes are available: name fewer tensors in keep="
    ):
        tiny.run(tokens, keep="h.0.ln_1")
    tiny.run(tokens, keep="h.0.ln_1", rows="last")


def test_arrays_are_read_only(tiny: Model) -> None:
    run = tiny.run([1, 2, 3], keep="*")
    for name in run:
        if not name.endswith("scores"):  # made for the caller
            assert not run[name].flags.writeable, name


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("names", ["atlas", "transformerlens"])
def test_saved_arrays_are_those_of_the_run(tiny: Model, tmp_path: Path, suffix: str, names: str) -> None:
    path = tmp_path / f"run.{suffix}"
    run = tiny.run([3, 1, 4], keep="*")
    run.save(path, names=names)  # type: ignore[arg-type]
    saved = load_file(path) if suffix == "safetensors" else dict(np.load(path))
    assert saved.pop("tokens").tolist() == [3, 1, 4]
    wanted = {transformerlens_name(name) or name if names == "transformerlens" else name for name in run}
    assert set(saved) == wanted
    for name, values in saved.items():
        assert np.array_equal(values, run[name]), name


def test_a_run_cannot_be_saved_anywhere(tiny: Model, tmp_path: Path) -> None:
    run = tiny.run([1])
    with pytest.raises(UsageError, match=r"ends in \.npz or \.safetensors"):
        run.save(tmp_path / "run.json")
    with pytest.raises(UsageError, match='must be "atlas" or "transformerlens"'):
        run.save(tmp_path / "run.npz", names="lens")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match='must be "atlas" or "transformerlens"'):
        tiny.capture([1], tmp_path / "run.npz", names="lens")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError):
        run.save(tmp_path / "missing" / "run.npz")


def test_tensors_have_the_shapes_of_a_run(tiny: Model) -> None:
    run, infos = tiny.run([1, 2, 3], keep="*"), tiny.tensors()
    known = {"tokens": 3, "query": 3, "key": 3}
    for name in run:
        assert run[name].shape == tuple(known.get(size, size) for size in infos[name].shape), name  # type: ignore[arg-type]
    for name, values in tiny.weights.items():
        assert values.shape == infos[name].shape
    assert infos["h.0.resid_mid"].transformerlens == "blocks.0.hook_resid_mid"
    assert infos["h.0.attn.qkv"].transformerlens is None
    assert TINY.layers == tiny.config.layers
