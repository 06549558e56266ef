"""Safetensors files in several shards, with an index of which tensor is in which: read as if they were one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.io.untrusted_json import read_untrusted_json
from compute.io.value_type import ValueType

from .safetensors_file import SafetensorsFile, StoredTensor

_MAP = ValueType(dict[str, str], "an object of file names")
_MOST_SHARDS = 1000
_LONGEST_NAME = 100  # characters in a message


class ShardedFile:
    """Open shards; has the attributes of a `SafetensorsFile`. `tensors`: by name, in the order of the index."""

    def __init__(self, index: Path) -> None:
        """Open the shards that the index at `index` lists, which are next to it. Raises `CheckpointError`."""
        where = _read_index(index)
        self._files: dict[str, SafetensorsFile] = {}
        try:
            for shard in dict.fromkeys(where.values()):
                if not index.with_name(shard).is_file():
                    missing = one_line(shard, _LONGEST_NAME)
                    raise CheckpointError(f"{one_line(index)}: its shard {missing} is missing; fetch or copy it again")
                self._files[shard] = SafetensorsFile(index.with_name(shard))
        except CheckpointError:
            self.close()
            raise
        listed = {name: self._files[shard] for name, shard in where.items()}
        unlisted = {name: file for file in self._files.values() for name in file.tensors if name not in listed}
        self._where = {name: file for name, file in (listed | unlisted).items() if name in file.tensors}
        self.tensors: dict[str, StoredTensor] = {name: file.tensors[name] for name, file in self._where.items()}

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return any(file.closed for file in self._files.values())

    def tensor(self, name: str) -> np.ndarray:
        """Tensor `name` as a read-only view in its stored type and shape; KeyError for an unknown name or type."""
        return self._where[name].tensor(name)

    def release(self, name: str) -> None:
        """Release the mapped pages of tensor `name`."""
        self._where[name].release(name)

    def close(self) -> None:
        """Unmap all shards; a second call does nothing."""
        for file in self._files.values():
            file.close()


def _read_index(path: Path) -> dict[str, str]:
    """The name of the shard by tensor. Raises `CheckpointError`."""
    shown = one_line(path)
    with read_errors_as(CheckpointError, shown):
        text = path.read_bytes()
    try:
        values = read_untrusted_json(text)
        where: dict[str, str] = _MAP(values.get("weight_map") if isinstance(values, dict) else None)
    except ValueError as error:
        raise CheckpointError(
            f"{shown}: is not an index of shards ({one_line(str(error), 200)}); fetch or copy it again"
        ) from None
    shards = set(where.values())
    # Only files next to the index: names in it must not lead elsewhere.
    bad = next((name for name in shards if "/" in name or "\\" in name or not name.endswith(".safetensors")), None)
    if bad is not None or not 0 < len(shards) <= _MOST_SHARDS:
        what = f"lists {len(shards)} shards" if bad is None else f"names {one_line(bad, _LONGEST_NAME)} as a shard"
        raise CheckpointError(
            f"{shown}: {what}, which must be 1 to {_MOST_SHARDS} .safetensors files next to it; fetch or copy it again"
        )
    return where
