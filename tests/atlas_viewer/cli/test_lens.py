"""`lens` and `attribute`: the numbers of the API as text, as JSON and as arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import atlas_viewer as av
from compute.io.escape import one_line

from helpers.command_line import PROMPT, Run, assert_one_line, no_constants
from helpers.json_schemas import errors
from helpers.small_model import small_checkpoint

pytestmark = pytest.mark.gpu

TEXT = "Once upon a time, there was a little girl named"


@pytest.fixture(scope="module")
def model() -> av.Model:
    return av.load("stories", context=64)


def printed(run: Run, *command: object) -> Any:
    """The output of a command with `--json`, which must be what its schema describes."""
    result = run(*command, "--json")
    assert (result.status, result.err, result.out.count("\n")) == (0, "", 1)
    value = json.loads(result.out, parse_constant=no_constants)
    assert errors(str(command[0]), value) == []
    return value


def test_json_has_the_numbers_of_the_api(run: Run, model: av.Model) -> None:
    record, lens = printed(run, "lens", TEXT, "--target", " Lily", "--top", 3), model.lens(TEXT, target=20037, top=3)
    assert record["tokens"] == lens.tokens == model.tokenizer.encode(TEXT)
    assert record["points"] == ["embed.sum", *(f"h.{layer}.resid_post" for layer in range(8))] == list(lens.points)
    assert (record["target"], record["lens_file"], record["translated"]) == (20037, None, [])
    assert [len(row) for row in record["cells"]] == [len(lens.tokens)] * 9
    assert lens.target_probability is not None
    assert lens.target_rank is not None
    for point, position in ((0, 0), (4, 3), (8, 10)):
        cell, at = record["cells"][point][position], (point, position)
        assert [one["token"] for one in cell["top"]] == lens.top_tokens[at].tolist()
        assert [one["text"] for one in cell["top"]] == [model.tokenizer.token_text(t) for t in lens.top_tokens[at]]
        assert [one["logit"] for one in cell["top"]] == pytest.approx(lens.top_logits[at].tolist(), abs=1e-3)
        assert [one["probability"] for one in cell["top"]] == pytest.approx(lens.top_probabilities[at], abs=1e-4)
        assert cell["target_rank"] == lens.target_rank[at]
        assert cell["target_probability"] == pytest.approx(float(lens.target_probability[at]), abs=1e-4)
        assert cell["entropy"] == pytest.approx(float(lens.entropy[at]), abs=1e-3)
        assert (cell["norm"], cell["added"], cell["cosine"]) == pytest.approx(
            (float(lens.norm[at]), float(lens.added[at]), float(lens.cosine[at])), abs=1e-3
        )
    assert record["decided"] == lens.decided.tolist()
    (check,) = record["checks"]
    assert (check["name"], check["ok"], check["tolerance"]) == ("last point equals the logits", True, 2e-3)


def test_the_last_point_is_the_models_own_prediction(model: av.Model) -> None:
    lens, logits = model.lens(TEXT, target=",", top=100), model.run(TEXT).logits
    order = np.argsort(-logits, axis=1, kind="stable")[:, :100]
    assert np.array_equal(lens.top_tokens[-1], order)
    np.testing.assert_allclose(lens.top_logits[-1], np.take_along_axis(logits, order, axis=1), atol=2e-3)
    assert lens.target_rank is not None
    assert np.array_equal(lens.target_rank[-1], (logits > logits[:, 11:12]).sum(axis=1))


def test_without_a_target_its_fields_are_null(run: Run) -> None:
    record = printed(run, "lens", "Once upon", "--top", 1)
    assert record["target"] is None
    for cell in record["cells"][0]:
        assert [cell["target_logit"], cell["target_probability"], cell["target_rank"]] == [None] * 3


def test_the_arrays(run: Run, model: av.Model, tmp_path: Path) -> None:
    path, lens = tmp_path / "a.npz", model.lens(PROMPT, target=" a", top=4)
    assert run("lens", PROMPT, "--out", path, "--top", 4, "--target", "id:257").out == ""
    with np.load(path) as arrays:
        assert {name: (arrays[name].dtype, arrays[name].shape) for name in arrays.files} == {
            "top_tokens": (np.int32, (9, 8, 4)), "top_logits": (np.float32, (9, 8, 4)),
            "target_logit": (np.float32, (9, 8)), "target_rank": (np.int32, (9, 8)),
        }  # fmt: skip
        assert np.array_equal(arrays["top_tokens"], lens.top_tokens)
        assert lens.target_logit is not None
        np.testing.assert_allclose(arrays["target_logit"], lens.target_logit, atol=1e-3)
    printed(run, "lens", PROMPT, "--out", path)
    with np.load(path) as arrays:
        assert sorted(arrays.files) == ["top_logits", "top_tokens"]


def test_the_grid_is_a_picture(run: Run, model: av.Model, tmp_path: Path) -> None:
    lens = model.lens(TEXT, target=" Lily")
    for suffix in ("png", "svg"):
        result = run("lens", TEXT, "--target", " Lily", "--out", tmp_path / f"a.{suffix}")
        assert (result.status, result.out, result.err) == (0, "", "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    root = ElementTree.fromstring((tmp_path / "a.svg").read_bytes())
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Logit lens of stories"
    assert f"model stories, {model.adapter}" in texts
    assert '#n: rank of " Lily", from 0' in texts
    assert lens.target_rank is not None
    shown = {
        f"{100 * probability:.0f}% #{rank}"
        for probability, rank in zip(lens.top_probabilities[..., 0].flat, lens.target_rank.flat, strict=True)
    }
    assert shown <= set(texts)
    for token in {*lens.tokens, *lens.top_tokens[..., 0].flat}:
        text = one_line(model.tokenizer.token_text(int(token))).replace(" ", "\u00b7")
        assert len(text) > 11 or text in texts


def test_a_grid_names_every_token(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")  # the width of the terminal
    lines = run("lens", TEXT, "--target", " Lily").out.splitlines()
    assert lines[0] == "The likeliest next token at each point (rows) after each token of the text (columns):"
    assert " ".join(lines[1].split()) == '0 "Once" 1 " upon" 2 " a" 3 " time" 4 "," 5 " there" 6 " was"'
    assert lines[2].startswith('embed.sum      "Once"      " upon"')
    assert all(len(line) <= 100 for line in lines[:23])
    assert any(line.startswith("h.7.resid_post  entropy  3.437  target rank     1   9.8") for line in lines)
    assert lines[-1].startswith("check: last point equals the logits: ok, error")


def test_a_lens_file_is_named_everywhere(run: Run, model: av.Model, tmp_path: Path) -> None:
    path, out = tmp_path / "tuned.npz", tmp_path / "out.npz"
    identity = {"h.2.resid_post.weight": np.eye(192), "h.2.resid_post.bias": np.zeros(192)}
    np.savez(path, **identity)  # type: ignore[arg-type]
    record = printed(run, "lens", "Once upon", "--lens-file", path, "--out", out)
    assert (record["lens_file"], record["translated"]) == (str(path), ["h.2.resid_post"])
    with np.load(out) as arrays:
        assert str(arrays["lens_file"]) == str(path)
    lines = run("lens", "Once upon", "--lens-file", path).out.splitlines()
    assert lines[0] == f"lens file {path}"
    assert lines[1].startswith(
        "without an entry in it, read as they are: embed.sum, h.0.resid_post, h.1.resid_post, h.3."
    )
    plain, same = model.lens("Once upon"), model.lens("Once upon", lens_file=path)
    assert np.array_equal(plain.top_tokens, same.top_tokens)
    np.savez(path, **{"h.2.resid_post.weight": -np.eye(192)})  # type: ignore[arg-type]
    other = model.lens("Once upon", lens_file=path)
    assert not np.array_equal(plain.top_tokens[3], other.top_tokens[3])
    assert np.array_equal(np.delete(plain.top_tokens, 3, axis=0), np.delete(other.top_tokens, 3, axis=0))
    assert_one_line(run("lens", "Once", "--lens-file", path, "--out", path), 1, "this command reads it")


def test_attribution_as_json(run: Run, model: av.Model) -> None:
    record = printed(run, "attribute", TEXT, "--target", " Lily", "--against", " Tim")
    found = model.attribute(TEXT, target=" Lily", against=" Tim")
    logits = model.run(TEXT, rows="last").logits[0]
    assert (record["position"], record["target"], record["against"]) == (10, 20037, 5045)
    assert record["logit"] == pytest.approx(float(logits[20037] - logits[5045]), abs=2e-3)
    assert abs(record["sum"] - record["logit"]) <= 2e-3
    assert sum(part["value"] for part in record["parts"]) == pytest.approx(record["sum"], abs=1e-4)
    heads: list[tuple[str, int | None]] = [("attn", head) for head in range(6)]
    block = [*heads, ("attn.bias", None), ("mlp", None)]
    expected: list[tuple[str, int | None]] = [("embed.tokens", None), ("embed.positions", None)]
    expected += [(f"h.{layer}.{name}", head) for layer in range(8) for name, head in block] + [("ln_f.bias", None)]
    assert [(part["name"], part["head"]) for part in record["parts"]] == expected
    assert [part["value"] for part in record["parts"]] == pytest.approx([part.value for part in found.parts], abs=1e-3)
    assert len(record["sources"]) == 48
    values = {(part["name"], part["head"]): part["value"] for part in record["parts"]}
    for source in record["sources"]:
        assert len(source["values"]) == 11
        assert sum(source["values"]) == pytest.approx(values[source["name"], source["head"]], abs=1e-4)
    assert len(record["neurons"]) == 50
    assert [check["ok"] for check in record["checks"]] == [True, True]


@pytest.mark.parametrize(("position", "index"), [("-1", 10), ("-11", 0), ("0", 0), ("3", 3), ("10", 10)])
def test_a_position_counts_from_either_end(run: Run, model: av.Model, position: str, index: int) -> None:
    record = printed(run, "attribute", TEXT, "--target", "id:11", "--position", position)
    assert record["position"] == index
    assert record["logit"] == pytest.approx(float(model.run(TEXT).logits[index, 11]), abs=2e-3)
    assert len(record["sources"][0]["values"]) == index + 1


def test_bars_are_sorted(run: Run) -> None:
    lines = run("attribute", TEXT, "--target", " Lily", "--against", " Tim").out.splitlines()
    assert lines[0].startswith('logit of " Lily" minus logit of " Tim" after token 10, " named": 2.717')
    sizes = [abs(float(line.split("|")[0].split()[3 if " head " in line else 1])) for line in lines[1:25]]
    assert sizes == sorted(sizes, reverse=True)
    assert lines[1].startswith("h.5.attn head 4   +1.21")
    assert '+  most from 9 " girl" +1.20' in lines[1]
    assert lines[25].startswith("43 smaller parts")
    assert lines[26].startswith("sum ")
    assert [line.split(":")[2].split(",")[0] for line in lines[-2:]] == [" ok", " ok"]


def test_bad_input_is_one_line(run: Run, tmp_path: Path) -> None:
    for command in ("lens", "attribute"):
        assert_one_line(
            run(command, "Once", "--target", " little girl"), 2,
            "--target ' little girl': is 2 tokens, \" little\" (id:1310), \" girl\" (id:2576)", 'the first: " little"',
        )  # fmt: skip
        assert_one_line(run(command, "Once", "--target", "id:50257"), 2, "--target", "give 0 to 50256")
        long = run(command, "a " * 30, "--context", 8, "--target", "id:1")
        assert_one_line(long, 2, "the context 8")
        assert_one_line(run(command, "a\x00b", "--target", "id:1"), 1, "control character")
        assert_one_line(run(command, "Once", "--context", 0, "--target", "id:1"), 2, "--context 0")
    assert_one_line(run("attribute", "Once upon"), 2, "--target")
    for position in (2, -3, 10**12):
        result = run("attribute", "Once upon", "--target", "id:1", "--position", position)
        assert_one_line(result, 2, f"--position {position}: the text has 2 tokens; give -2 to 1")
    assert_one_line(run("lens", "Once", "--top", 0), 2, "--top 0: must be from 1 to 100")
    assert_one_line(run("lens", "Once", "--top", 101), 2, "--top 101")
    assert_one_line(run("lens", "Once", "--out", tmp_path / "a.csv"), 2, "ends in .npz")
    lens_file = tmp_path / "a.npz"
    np.savez(lens_file, **{"embed.sum.weight": np.zeros((4, 4))})  # type: ignore[arg-type]
    assert_one_line(run("lens", "Once", "--lens-file", lens_file), 1, "has shape [4, 4], this model needs [192, 192]")
    np.savez(lens_file, **{"embed.sum.weight": np.full((192, 192), np.nan)})  # type: ignore[arg-type]
    assert_one_line(run("lens", "Once", "--lens-file", lens_file), 1, "36864 values that are not finite")


def test_a_model_with_another_vocabulary_takes_ids(run: Run, tmp_path: Path) -> None:
    path = small_checkpoint(tmp_path / "small.bin")
    record = printed(run, "lens", "Once upon", "--model", path, "--target", "id:3")
    assert len(record["points"]) == 2
    assert record["checks"][0]["ok"]
    assert abs(printed(run, "attribute", "Once", "--model", path, "--target", "id:3")["sum"]) < 100


EDITS = ("h.2.resid_post[pos=3] *= 1.5", "h.5.attn.out[head=4] = 0", "h.6.attn.pattern[head=1, pos=10, key=9] = 0")


def test_the_lens_of_a_pass_with_edits(run: Run, model: av.Model) -> None:
    edits = [*EDITS, "ln_f.weight *= 1.25"]
    lens, plain = model.lens(TEXT, target=",", edits=edits), model.lens(TEXT, target=",")
    assert [check.ok for check in lens.checks] == [True]
    logits = model.run(TEXT, edits=edits).logits
    assert np.array_equal(lens.top_tokens[-1, :, 0], logits.argmax(axis=1))
    np.testing.assert_allclose(lens.top_logits[-1, :, 0], logits.max(axis=1), atol=2e-3)
    assert not np.allclose(lens.top_logits, plain.top_logits, atol=0.1)
    again = model.lens(TEXT, target=",")
    assert np.array_equal(again.top_logits, plain.top_logits), "edits are in force for one call only"
    assert len(lens.report.edits) == 4
    assert min(lens.report.changed) > 0
    assert model.lens(TEXT, edits=["logits += 1"]).checks == ()
    result = run("lens", "Once upon", "--json", "--edit", "h.2.resid_post *= 1.5")
    record = json.loads(result.out, parse_constant=no_constants)
    assert errors("lens", record) == []
    assert (record["edits"], result.status) == (["h.2.resid_post *= 1.5"], 0)
    assert "edit h.2.resid_post *= 1.5: changed" in result.err


@pytest.mark.parametrize("edits", [EDITS[:1], EDITS[1:2], EDITS[2:], [*EDITS, "wte *= 1.1", "h.3.mlp.c_proj += 0.1"]])
def test_the_attribution_of_a_pass_with_edits(model: av.Model, edits: list[str]) -> None:
    found = model.attribute(TEXT, target=" Lily", edits=edits)
    logits = model.run(TEXT, rows="last", edits=edits).logits[0]
    assert found.logit == pytest.approx(float(logits[20037]), abs=2e-3)
    assert [check.ok for check in found.checks] == [True, True]
    values = {(part.name, part.head): part.value for part in found.parts}
    without = {part.name for part in found.parts if part.head is not None and part.sources is None}
    assert without == ({"h.5.attn"} if "h.5.attn.out[head=4] = 0" in edits else set())
    assert (values["h.5.attn", 4] == 0) == ("h.5.attn.out[head=4] = 0" in edits)
    stream = any("resid_post" in edit or "c_proj" in edit for edit in edits)
    assert (("edits", None) in values) == stream
    assert ("edits", None) not in {(part.name, part.head) for part in model.attribute(TEXT, target=" Lily").parts}


def test_an_attribution_with_edits_is_described(run: Run) -> None:
    result = run("attribute", "Once upon", "--target", " a", "--json", "--edit", "h.5.attn.out[head=4] = 0")
    record = json.loads(result.out, parse_constant=no_constants)
    assert errors("attribute", record) == []
    assert record["edits"] == ["h.5.attn.out[head=4] = 0"]
    text = run("attribute", "Once upon", "--target", " a", "--edit", "h.5.attn.out[head=4] = 0").out
    assert text.startswith("edit h.5.attn.out[head=4] = 0\nlogit of")
