"""Converts a lens that implies identity, h' = h + h A^T + b, to one that does not: adds 1 to each diagonal.

Tuned lenses are often stored as such a correction. `python examples/convert_lens.py IN OUT` reads and writes .npz or
.safetensors files with arrays POINT.weight [C, C] (out, in) and POINT.bias [C], where POINT is such as h.3.resid_post.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def converted(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same lens with the identity in its matrices, float32."""
    result = {}
    for name, values in arrays.items():
        values = np.asarray(values, np.float32)
        result[name] = values + np.eye(len(values), dtype=np.float32) if name.endswith(".weight") else values
    return result


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file; pickled data is not loaded."""
    if path.suffix == ".safetensors":
        return load_file(path)
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def main() -> int:
    """Convert one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="IN", type=Path)
    parser.add_argument("target", metavar="OUT", type=Path)
    arguments = parser.parse_args()
    arrays = converted(read(arguments.source))
    if arguments.target.suffix == ".safetensors":
        save_file(arrays, arguments.target)
    else:
        np.savez(arguments.target, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
