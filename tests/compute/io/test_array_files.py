"""Files of arrays that are written one after another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from compute.errors import OutputError, UsageError
from compute.io.array_files import ArraySpec, check_space, check_suffix, write_arrays, write_safetensors

ARRAYS = {
    "one": np.arange(12, dtype=np.float32).reshape(3, 4),
    "a.b.transposed": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "odd": np.array([7], np.int32),
    "empty": np.zeros((0, 5), np.float32),
    "infinite": np.array([np.nan, -np.inf, np.inf], np.float32),
}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".NPZ"])
def test_files_open_with_their_own_libraries(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"arrays{suffix}"
    write_arrays(path, ARRAYS.items())
    found = load_file(path) if suffix == ".safetensors" else dict(np.load(path))
    assert found.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        assert found[name].dtype == values.dtype
        assert found[name].tobytes() == values.tobytes(), name


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "arrays.safetensors"
    spec = ArraySpec("one", np.dtype(np.float32), (2,))
    with pytest.raises(ValueError, match="announced as float32"):
        write_safetensors(path, [spec], iter([np.zeros(3, np.float32)]))
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_decides_the_format(tmp_path: Path) -> None:
    for name in ("arrays", "arrays.npy", "npz"):
        with pytest.raises(UsageError, match=r"\.npz or \.safetensors"):
            check_suffix(tmp_path / name)


def test_more_than_the_disk_has_is_refused(tmp_path: Path) -> None:
    check_space(tmp_path / "arrays.npz", 1)
    with pytest.raises(OutputError, match="the disk has"):
        check_space(tmp_path / "arrays.npz", 1 << 60)
    with pytest.raises(OutputError):
        check_space(tmp_path / "missing" / "arrays.npz", 1)
