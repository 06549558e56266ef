"""Selections of tensors for a file: names, globs, formats and slices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from compute.api.activation_copies import Copy
from compute.api.names import Names
from compute.api.selection import select
from compute.api.selection_reading import slices
from compute.errors import OutputError, OutputExistsError, TensorNameError, UsageError
from compute.io.array_files import ArraySpec, write_new
from compute.models.architectures import describe
from compute.models.config import ModelConfig
from compute.models.registry import Tensor, TensorStorage

CONFIG = ModelConfig(layers=3, heads=2, channels=8, positions=16, vocabulary=50, padded_vocabulary=64)
NAMES = Names(describe(CONFIG))
SPECS = [ArraySpec("one", np.dtype(np.float32), (2, 3)), ArraySpec("ids", np.dtype(np.int32), (2,))]
ARRAYS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([7, 9], np.int32)]


def shapes(globs: str, rows: int = 5, scheme: str = "atlas") -> dict[str, tuple[int, ...]]:
    return {spec.name: spec.shape for spec in select(NAMES, globs, scheme).specs(rows)}  # type: ignore[arg-type]


def test_names_of_both_schemes_and_globs() -> None:
    assert shapes("h.1.attn.pattern") == {"h.1.attn.pattern": (2, 5, 5)}
    assert shapes("blocks.1.attn.hook_q") == {"h.1.attn.q": (5, 8)}
    assert shapes("h.1.attn.q", scheme="transformerlens") == {"blocks.1.attn.hook_q": (5, 2, 4)}
    assert list(shapes("h.*.ln_1 blocks.0.hook_resid_post")) == ["h.0.ln_1", "h.0.resid_post", "h.1.ln_1", "h.2.ln_1"]
    assert list(shapes("blocks.*.hook_mlp_out")) == [f"h.{layer}.mlp.c_proj" for layer in range(3)]


def test_weights_and_logits() -> None:
    assert shapes("h.0.mlp.c_fc.weight wte.weight") == {"wte": (64, 8), "h.0.mlp.c_fc.weight": (32, 8)}
    assert shapes("logits wpe h.2.ln_2") == {"h.2.ln_2": (5, 8), "logits": (1, 50), "wpe": (16, 8)}
    found = select(NAMES, "*", "atlas")
    assert found.count == len(NAMES.ours) + 1 + len(NAMES.description.weights)
    assert found.needs_pass
    assert not select(NAMES, "h.*.weight", "atlas").needs_pass


@pytest.mark.parametrize(
    ("globs", "kind", "message"),
    [
        ("h.0.resid_pots", TensorNameError, "the nearest are h.0.resid_post, "),
        ("h.0.mlp.c_fc.wieght", TensorNameError, "the nearest are h.0.mlp.c_fc.weight, "),
        ("ln_f h.*.nothing", UsageError, r"h\.\*\.nothing: no tensor matches; a name is for example h\.2\.resid_post"),
        ("  ", UsageError, "no tensor is named"),
    ],
)
def test_bad_names_are_one_line(globs: str, kind: type[UsageError], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        select(NAMES, globs, "atlas")
    assert "\n" not in str(caught.value)
    if kind is TensorNameError:
        assert str(caught.value).count(", ") == 2, "three names"


def test_npy_is_for_one_tensor(tmp_path: Path) -> None:
    select(NAMES, "ln_f", "atlas").check_path("a.npy")
    with pytest.raises(UsageError, match=r"\.npy is for one tensor, 3 are selected"):
        select(NAMES, "h.*.ln_1", "atlas").check_path("a.npy")
    with pytest.raises(UsageError, match=r"\.npy, \.npz or \.safetensors"):
        select(NAMES, "ln_f", "atlas").check_path("a.txt")
    with pytest.raises(UsageError, match=r"\.npz or \.safetensors"):
        write_new(tmp_path / "a.npy", SPECS, ARRAYS, {})


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_files_contain_the_origin(tmp_path: Path, suffix: str) -> None:
    path, origin = tmp_path / f"a.{suffix}", {"model": "stories", "step": "5"}
    write_new(path, SPECS, iter(ARRAYS), origin)
    if suffix == "npz":
        with np.load(path) as file:
            assert json.loads(file["metadata"].item()) == origin
            found = [file[spec.name] for spec in SPECS]
    else:
        with safe_open(path, "np") as opened:
            assert opened.metadata() == origin
            found = [opened.get_tensor(spec.name) for spec in SPECS]
    assert all(np.array_equal(a, b) for a, b in zip(found, ARRAYS, strict=True))
    before = path.read_bytes()
    with pytest.raises(OutputExistsError, match="never replaced"):
        write_new(path, SPECS, iter(ARRAYS), origin)
    assert path.read_bytes() == before


def test_one_array_as_npy(tmp_path: Path) -> None:
    write_new(tmp_path / "a.npy", SPECS[:1], iter([ARRAYS[0].T.copy().T]), {})
    assert np.array_equal(np.load(tmp_path / "a.npy"), ARRAYS[0])


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        write_new(tmp_path / "missing" / "a.npy", SPECS[:1], ARRAYS[:1], {})


@pytest.mark.parametrize("most", [4, 12, 20, 1000])
def test_slices_cover_every_byte_once(most: int) -> None:
    tensor = Tensor("a", "activation", None, 4, False, "", TensorStorage("buffer", "f32", 0, ()))
    copies = [Copy(tensor, offsets, size, (1,), 1) for offsets, size in (([0, 100], 16), ([40], 24), ([8], 4))]
    found = list(slices(copies, most))
    assert all(sum(part.size for part in group) == most for group in found[:-1])
    assert 0 < sum(part.size for part in found[-1]) <= most
    parts = [part for group in found for part in group]
    assert [part.copy for part in parts if part.begins] == copies
    covered = [(id(part.copy), at) for part in parts for at in range(part.offset, part.offset + part.size)]
    assert covered == [
        (id(copy), at) for copy in copies for offset in copy.offsets for at in range(offset, offset + copy.size)
    ]


def test_a_slice_recomputes_one_pattern() -> None:
    pattern = Tensor("p", "activation", None, 4, False, "", TensorStorage("recomputed", "f32", 0, ()), heads=2)
    copies = [Copy(pattern, [0, 100], 16, (1,), 1) for _ in range(3)]
    groups = list(slices(copies, 1000))
    assert [[part.copy for part in group] for group in groups] == [[copy, copy] for copy in copies]
