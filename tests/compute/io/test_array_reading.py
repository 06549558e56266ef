"""Arrays read from files that may be damaged or hostile."""

from __future__ import annotations

import io
import random
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from compute.io.array_reading import NpzFile, read_npy

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


def npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header.encode() + b"\n"
    return np.lib.format.MAGIC_PREFIX + version + len(text).to_bytes(2, "little") + text + data


def member(path: Path, content: bytes, name: str = "a.npy") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize("values", [VALUES, VALUES.T, VALUES[1], np.float32(3), np.zeros((0, 5)), np.arange(9) > 3])
def test_arrays_come_back(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", values)
    np.savez_compressed(tmp_path / "a.npz", other=VALUES, a=values)
    with NpzFile(tmp_path / "a.npz") as file:
        assert file.names == ("other", "a")
        assert file.shape("a") == np.shape(values)
        for read in (read_npy(tmp_path / "a.npy"), file.array("a")):
            assert read.dtype == np.asarray(values).dtype
            assert np.array_equal(read, values)


BAD = {
    b"text": "is not an array in a format of NumPy",
    b"": "is not an array in a format of NumPy",
    b"\x93NUMPY\7\0": "is not an array in a format of NumPy",
    npy("{'descr':'<f4','fortran_order':False,'shape':(100000000,100000),}"): "takes 40000000000000 bytes, but cont",
    npy("{'descr':'<f4','fortran_order':False,'shape':(3,),}", b"1234"): r"has shape \[3\], which takes 12 bytes",
    npy("{'descr':'<f4','fortran_order':False,'shape':(-3,-1),}", b"1" * 12): "dimension",
    npy("{'descr':'|O','fortran_order':False,'shape':(1,),}", b"cos\nsystem\n"): "pickled objects, which are never",
    npy("{'descr':(),'fortran_order':False,'shape':(3,),}"): ".",
    npy("{'descr':'<f4','fortran_order':False,'shape':("): ".",
    npy("(" * 300): ".",
    b"\x93NUMPY\2\0" + (2**31).to_bytes(4, "little") + b"{}": ".",
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_array_is_a_value_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=BAD[content]):
        read_npy(path)
    with NpzFile(member(tmp_path / "a.npz", content)) as file, pytest.raises(ValueError, match=BAD[content]):
        file.array("a")


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with open(path, "wb") as file:
        np.save(file, VALUES)
    with pytest.raises(ValueError, match=r"is a single array, not a \.npz file"):
        NpzFile(path)
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match="not a zip file"):
        NpzFile(path)
    with pytest.raises(IsADirectoryError):
        read_npy(tmp_path)
    with (
        NpzFile(member(path, b"text", "a.txt")) as archive,
        pytest.raises(ValueError, match="in it is not an array"),
    ):
        archive.array("a.txt")


def test_changed_bytes_give_an_array_or_an_error(tmp_path: Path) -> None:
    whole, choose, path = io.BytesIO(), random.Random(1), tmp_path / "a"
    np.savez_compressed(whole, a=VALUES)
    single = io.BytesIO()
    np.save(single, VALUES)
    errors = 0
    for _ in range(600):
        for source in (whole, single):
            content = bytearray(source.getvalue())
            for _ in range(choose.randint(1, 4)):
                content[choose.randrange(len(content))] = choose.randrange(256)
            path.write_bytes(content[: choose.randint(1, len(content))] if choose.random() < 0.2 else content)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    if source is single:
                        read_npy(path)
                        continue
                    with NpzFile(path) as file:
                        for name in file.names:
                            file.array(name)
            except (ValueError, OSError):
                errors += 1
    assert errors > 300
