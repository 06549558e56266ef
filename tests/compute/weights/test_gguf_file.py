"""GGUF files: everything in a header is read, and damaged or unsupported files are refused in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.errors import CheckpointError
from compute.weights.block_types import BLOCK_TYPES
from compute.weights.gguf_file import GgufFile
from compute.weights.gguf_header import Strings

from helpers.make_gguf import TYPE_NUMBERS, Stored, blocks, gguf_bytes, plain, string, value, write_gguf


def opened(path: Path, data: bytes) -> GgufFile:
    path.write_bytes(data)
    return GgufFile(path)


def test_metadata_of_every_type(tmp_path: Path) -> None:
    metadata: dict[str, Any] = {
        "a": 7, "b": -0.5, "c": True, "d": "Ġthe\n", "e": ["x", "", "größer"], "f": [1, 2, 3], "g": [], "h": [0.5],
    }  # fmt: skip
    file = GgufFile(write_gguf(tmp_path / "m.gguf", metadata, {}))
    found = dict(file.metadata)
    strings = found.pop("e")
    assert isinstance(strings, Strings)
    assert list(strings) == ["x", "", "größer"]
    assert strings[-1] == "größer"
    assert strings[1:] == ["", "größer"]
    with pytest.raises(IndexError):
        strings[3]
    assert found.pop("f").tolist() == [1, 2, 3]  # type: ignore[union-attr]
    assert found.pop("g").tolist() == []  # type: ignore[union-attr]
    assert found.pop("h").tolist() == [0.5]  # type: ignore[union-attr]
    assert found == {"a": 7, "b": -0.5, "c": True, "d": "Ġthe\n"}


@pytest.mark.parametrize(("number", "code", "content"), [
    (0, "B", 200), (1, "b", -3), (2, "H", 60000), (3, "h", -9), (5, "i", -70000), (10, "Q", 1 << 60), (11, "q", -1),
    (12, "d", 0.1),
])  # fmt: skip
def test_other_types_of_numbers(tmp_path: Path, number: int, code: str, content: float) -> None:
    field = string("key") + struct.pack("<I" + code, number, content)
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + field
    assert opened(tmp_path / "m.gguf", data).metadata == {"key": content}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("alignment", [8, 32, 64])
def test_tensors_of_every_type(tmp_path: Path, version: int, alignment: int) -> None:
    values = np.arange(15, dtype=np.float32).reshape(3, 5)
    tensors = {dtype: plain(values, dtype) for dtype in ("f32", "f16", "bf16")}
    tensors |= {dtype: blocks(dtype, 3, 2 * kind.values) for dtype, kind in BLOCK_TYPES.items()}
    metadata = {"general.alignment": alignment}
    path = write_gguf(tmp_path / "m.gguf", metadata, tensors, version=version, alignment=alignment)
    file = GgufFile(path)
    assert list(file.tensors) == list(tensors)
    for name, stored in tensors.items():
        assert file.tensors[name].dtype == name
        assert file.tensors[name].shape == stored.shape
        found = file.tensor(name)
        assert not found.flags.writeable
        assert found.tobytes() == stored.data
        file.release(name)
        assert found.shape == (stored.shape if name in ("f32", "f16", "bf16") else (3, len(stored.data) // 3))
    file.close()
    file.close()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.tensor("f32")


SOUND = {"one": plain(np.ones((2, 4), np.float32)), "two": blocks("q4_0", 3, 32)}

CROOKED = {"one": plain(np.ones(5, np.float32)), "two": plain(np.ones(5, np.float32))}


def changed(data: bytes, before: bytes, after: bytes) -> bytes:
    assert data.count(before) == 1
    return data.replace(before, after)


def header(tensors: int = 0, fields: int = 0, version: int = 3, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, fields) + rest


def typed(number: int) -> dict[str, Stored]:
    return {"one": Stored(bytes(64), (2, 32), number)}


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty; fetch or copy it again"),
    "a pointer": (lambda: b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer, not the file itself"),
    "another format": (lambda: b"PK\3\4" + bytes(99), "is not a GGUF file"),
    "four bytes": (lambda: b"GGUF", "is truncated: its header does not end"),
    "big-endian": (
        lambda: b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        "is a big-endian GGUF file, which cannot run here; use a little-endian one",
    ),
    "version 1": (lambda: header(version=1), "is a GGUF file of version 1; versions 2 and 3 are supported"),
    "too many tensors": (lambda: header(tensors=1 << 63), "it claims to have 9223372036854775808 tensors"),
    "more tensors than bytes": (
        lambda: header(tensors=9, rest=bytes(99)),
        "is truncated or damaged: it claims to have 9 tensors",
    ),
    "more fields than bytes": (lambda: header(fields=9), "to have 9 metadata fields, 0 bytes are left"),
    "a long key": (lambda: header(fields=1, rest=struct.pack("<Q", 1 << 62) + bytes(99)), "is truncated"),
    "a long array": (
        lambda: header(fields=1, rest=string("k") + struct.pack("<IIQ", 9, 4, 1 << 62) + bytes(99)),
        "it claims to have 4611686018427387904 values, 99 bytes are left",
    ),
    "a long array of strings": (
        lambda: header(fields=1, rest=string("k") + struct.pack("<IIQQ", 9, 8, 2, 1 << 62) + bytes(99)),
        "is truncated",
    ),
    "an array of arrays": (
        lambda: header(fields=1, rest=string("k") + struct.pack("<IIQ", 9, 9, 1) + value([1])),
        "metadata has an array of values of type 9",
    ),
    "a strange value": (lambda: header(fields=1, rest=string("k") + bytes([99, 0, 0, 0, 0])), "a value of type 99"),
    "a field twice": (
        lambda: header(fields=2, rest=2 * (string("key") + value(1)) + bytes(32)),
        "is not a valid GGUF file (key occurs twice)",
    ),
    "a tensor twice": (
        lambda: changed(gguf_bytes({}, SOUND), string("two"), string("one")),
        "is not a valid GGUF file (one occurs twice)",
    ),
    "five dimensions": (lambda: gguf_bytes({}, {"one": Stored(bytes(4), (1,) * 5, 0)}), "one has 5 dimensions"),
    "no dimensions": (lambda: gguf_bytes({}, {"one": Stored(bytes(4), (), 0)}), "one has 0 dimensions"),
    "no values": (lambda: gguf_bytes({}, {"one": Stored(bytes(4), (0, 4), 0)}), "one is empty"),
    "huge": (lambda: gguf_bytes({}, {"one": Stored(bytes(4), (1 << 62, 1 << 62), 0)}), "is truncated: one ends at"),
    "half a block": (lambda: gguf_bytes({}, {"one": Stored(bytes(99), (2, 33), 2)}), "one has rows of 33 values"),
    "cut": (lambda: gguf_bytes({}, SOUND)[:-1], "is truncated: two ends at byte"),
    "crooked": (lambda: gguf_bytes({}, CROOKED, alignment=4) + bytes(99), "two is not aligned to 32 bytes"),
    "an alignment": (lambda: gguf_bytes({"general.alignment": 12}, SOUND), "its alignment is 12, must be a multiple"),
    "no alignment": (lambda: gguf_bytes({"general.alignment": 0}, SOUND), "its alignment is 0"),
    "a split model": (
        lambda: gguf_bytes({"split.count": 3}, SOUND),
        "is one of 3 parts of a split model, which cannot run here; join them with llama-gguf-split --merge",
    ),
    "an adapter": (lambda: gguf_bytes({"general.type": "adapter"}, SOUND), "contains a GGUF of type adapter"),
    "IQ4_XS": (
        lambda: gguf_bytes({}, typed(23)),
        "one is stored as IQ4_XS, which cannot run here; use a file with F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1,"
        " Q4_K, Q5_K and Q6_K",
    ),
    "an unknown type": (lambda: gguf_bytes({}, typed(4711)), "one is stored as type 4711, which cannot run here"),
    "a hostile name": (lambda: gguf_bytes({}, {"\x1b[2J\n": Stored(bytes(4), (1 << 40,), 0)}), r"\x1b[2J\n ends at"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make, message = CASES[name]
    path = tmp_path / "m.gguf"
    with pytest.raises(CheckpointError) as refused:
        opened(path, make())
    assert str(refused.value).startswith(f"{path}: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(path))


def test_tensors_that_overlap_are_refused(tmp_path: Path) -> None:
    data = gguf_bytes({}, SOUND)
    entry = string("two") + struct.pack("<IQQIQ", 2, 32, 3, TYPE_NUMBERS["q4_0"], 32)
    moved = string("two") + struct.pack("<IQQIQ", 2, 32, 3, TYPE_NUMBERS["q4_0"], 0)
    with pytest.raises(CheckpointError, match="one and two overlap"):
        opened(tmp_path / "m.gguf", changed(data, entry, moved))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"m\.gguf: "):
        GgufFile(tmp_path / "m.gguf")
