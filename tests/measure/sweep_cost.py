"""Measures how long an ablation of all heads and MLPs, and a patching map, take.

Usage: `PYTHONPATH=tests python -m measure.sweep_cost [MODEL] [WEIGHTS] [TOKENS]`.

The first round also compiles kernels, so two are printed.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from compute.api.load import load


def main(model: str = "stories", weights: str = "native", tokens: int = 16) -> None:
    """Print seconds for each sweep."""
    loaded = load(model, weights=weights)
    random = np.random.default_rng(0)
    clean, corrupt = (random.integers(loaded.config.vocabulary, size=tokens).tolist() for _ in range(2))
    layers, heads = loaded.config.layers, loaded.config.heads
    print(f"{loaded!r}, {weights}, {tokens} tokens, {layers * heads} heads")
    for _ in range(2):
        start = time.perf_counter()
        loaded.ablate(clean, target=1, against=2)
        middle = time.perf_counter()
        loaded.patch(clean, corrupt, target=1, against=2)
        print(f"ablation {middle - start:.2f} s, map of the residual stream {time.perf_counter() - middle:.2f} s")


if __name__ == "__main__":
    names = dict(zip(("model", "weights"), sys.argv[1:3], strict=False))
    main(names.get("model", "stories"), names.get("weights", "native"), int(sys.argv[3]) if len(sys.argv) > 3 else 16)
