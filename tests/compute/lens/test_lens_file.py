"""Lens files: formats, names, and everything that can be wrong with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from compute.errors import AtlasError, CheckpointError, UsageError
from compute.lens.lens_file import read_lens_file
from compute.models.gpt2 import gpt2
from compute.selftest.models import SMALL

DESCRIPTION, C = gpt2(SMALL), SMALL.channels
WEIGHT, BIAS = np.arange(C * C, dtype=np.float32).reshape(C, C), np.arange(C, dtype=np.float32)
GOOD = {"h.0.resid_post.weight": WEIGHT, "h.0.resid_post.bias": BIAS}


def written(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    else:
        save_file(arrays, path)
    return path


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_both_formats(tmp_path: Path, name: str) -> None:
    file = read_lens_file(written(tmp_path / name, GOOD), DESCRIPTION)
    assert (list(file.entries), file.channels, file.path) == (["h.0.resid_post"], C, tmp_path / name)
    weight, bias = file.entries["h.0.resid_post"]
    assert np.array_equal(weight, WEIGHT)
    assert np.array_equal(bias, BIAS)
    assert weight.dtype == bias.dtype == np.float32


def test_16_bit_and_64_bit_values(tmp_path: Path) -> None:
    half = {"embed.sum.weight": WEIGHT.astype(ml_dtypes.bfloat16), "embed.sum.bias": BIAS.astype(np.float16)}
    weight, bias = read_lens_file(written(tmp_path / "a.safetensors", half), DESCRIPTION).entries["embed.sum"]
    assert np.array_equal(weight, half["embed.sum.weight"].astype(np.float32))
    assert np.array_equal(bias, BIAS)
    double = written(tmp_path / "a.npz", {"embed.sum.weight": WEIGHT.astype(np.float64)})
    weight, bias = read_lens_file(double, DESCRIPTION).entries["embed.sum"]
    assert np.array_equal(weight, WEIGHT)
    assert not bias.any(), "without a bias it is 0"


def test_other_names_of_the_points(tmp_path: Path) -> None:
    names = {
        "blocks.0.hook_resid_post.weight": WEIGHT, "h.0.resid_pre.weight": WEIGHT, "h.1.resid_post.weight": WEIGHT,
    }  # fmt: skip
    file = read_lens_file(written(tmp_path / "a.npz", names), DESCRIPTION)
    assert list(file.entries) == ["embed.sum", "h.0.resid_post", "h.1.resid_post"]


BAD: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "shape": (
        {"embed.sum.weight": WEIGHT[:, :-1]},
        r"weight has shape \[36, 35\], this model needs \[36, 36\]",
    ),
    "large": (
        {"embed.sum.weight": np.zeros((99, 99), np.float32)},
        r"has shape \[99, 99\], this model needs \[36, 36\]; use a lens",
    ),
    "bias": (GOOD | {"h.0.resid_post.bias": BIAS[None]}, r"has shape \[1, 36\]"),
    "NaN": ({"embed.sum.weight": np.where(WEIGHT == 7, np.nan, WEIGHT)}, "has 1 value that is not finite"),
    "inf": (GOOD | {"h.0.resid_post.bias": np.where(BIAS > 33, np.inf, BIAS)}, "has 2 values that are not finite"),
    "overflow": ({"embed.sum.weight": np.full((C, C), 1e300)}, "has 1296 values that are not finite|store one of F32"),
    "name": ({"h.2.resid_post.weight": WEIGHT}, "h.2.resid_post.weight is not part of a lens of this model"),
    "kind": ({"embed.sum.scale": WEIGHT}, "embed.sum.scale is not part of a lens"),
    "point": ({"h.0.resid_mid.weight": WEIGHT}, "is not part of a lens"),
    "no weight": ({"embed.sum.bias": BIAS}, "embed.sum.bias has no embed.sum.weight"),
    "twice": ({"h.0.resid_pre.weight": WEIGHT, "embed.sum.weight": WEIGHT + 1}, "two arrays for embed.sum.weight"),
    "nothing": ({}, "has no lens"),
    "complex": ({"embed.sum.weight": WEIGHT + 0j}, "is not an array of floats|store one of"),
}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line(tmp_path: Path, case: str, suffix: str) -> None:
    arrays, message = BAD[case]
    if case == "complex" and suffix == ".safetensors":
        arrays = {"embed.sum.weight": np.zeros((C, C), np.int32)}
    with pytest.raises(CheckpointError, match=message) as raised:
        read_lens_file(written(tmp_path / f"a{suffix}", arrays), DESCRIPTION)
    assert "\n" not in str(raised.value)


def test_pickled_data_is_not_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    path = tmp_path / "a.npz"
    np.savez(path, **{"embed.sum.weight": np.array([Trap()], object)})  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"contains pickled objects, which are never loaded\); give another file"):
        read_lens_file(path, DESCRIPTION)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(UsageError, match=r"ends in \.npz or \.safetensors"):
        read_lens_file(tmp_path / "a.pt", DESCRIPTION)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_damaged_file_is_an_error(tmp_path: Path, suffix: str) -> None:
    whole = written(tmp_path / f"whole{suffix}", GOOD).read_bytes()
    path = tmp_path / f"a{suffix}"
    half = whole[: len(whole) // 2]
    changed = [half + b"?" * len(half)] if suffix == ".npz" else []  # the other format has no checksums
    for damaged in (b"", b"nonsense" * 99, whole[:-200], whole[:300], *changed):
        path.write_bytes(damaged)
        with pytest.raises(AtlasError) as raised:
            read_lens_file(path, DESCRIPTION)
        assert "\n" not in str(raised.value)
    with pytest.raises(CheckpointError, match="no such file"):
        read_lens_file(tmp_path / f"missing{suffix}", DESCRIPTION)


def test_a_member_that_is_no_array_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("embed.sum.weight", b"text")
    with pytest.raises(CheckpointError):
        read_lens_file(path, DESCRIPTION)
