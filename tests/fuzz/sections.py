"""Several files as one input: each begins with a line that contains its name."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

_LINE = re.compile(rb"^=====([\w.-]{1,40})=====\n", re.MULTILINE)


def joined(files: Mapping[str, bytes]) -> bytes:
    """Join the files into one input."""
    return b"\n".join(b"=====%s=====\n%s" % (name.encode(), data) for name, data in files.items())


def parted(data: bytes) -> dict[str, bytes]:
    """Split an input into its files. Anything before the first name is ignored."""
    parts = _LINE.split(data)[1:]
    bodies = [body.removesuffix(b"\n") for body in parts[1:-2:2]] + parts[-1:]
    return {name.decode(): body for name, body in zip(parts[::2], bodies, strict=True)}


def written(data: bytes, folder: Path, names: Mapping[str, object]) -> None:
    """Write to `folder` those files of an input whose names are in `names`, and remove the others of these names."""
    files = parted(data)
    for name in names:
        if name in files:
            (folder / name).write_bytes(files[name])
        else:
            (folder / name).unlink(missing_ok=True)


def change_sections(
    changes: Mapping[str, Callable[[bytes, random.Random], bytes]],
) -> Callable[[bytes, random.Random], bytes]:
    """A function that changes one file with the function for its name, removes it, or renames it."""

    def changed(data: bytes, chance: random.Random) -> bytes:
        files = {name: body for name, body in parted(data).items() if name in changes}
        if not files:
            return joined({chance.choice(list(changes)): data})
        name = chance.choice(list(files))
        kind = chance.random()
        if kind < 0.03:
            del files[name]
        elif kind < 0.06:
            files[chance.choice(list(changes))] = files[name]
        else:
            files[name] = changes[name](files[name], chance)
        return joined(files)

    return changed
