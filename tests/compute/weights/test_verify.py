"""Values that are not finite are found and counted, and the index of the first one is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compute.models.architectures import parameter_shapes
from compute.weights import verify as module
from compute.weights.checkpoint import open_model
from compute.weights.verify import verify

from helpers.make_hugging_face import TYPES, state_dict, unpadded, write_folder
from helpers.make_models import TINY, tiny_model


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("slab", [1, 8 << 20])
def test_nonfinite_values_are_found(tmp_path: Path, dtype: str, slab: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLAB", slab)
    tensors = state_dict(tiny_model(unpadded(TINY)), dtype)
    tensors["h.1.attn.c_attn.weight"][[2, 2, 5], [30, 31, 4]] = [np.nan, -np.inf, np.nan]  # [in, out]
    tensors["wte.weight"][20, 11] = np.inf
    tensors["ln_f.bias"][7] = -np.nan
    progress: list[float] = []
    reports = verify(open_model(str(write_folder(tmp_path, tensors))), progress.append)
    assert [report.name for report in reports] == list(parameter_shapes(TINY))
    assert [report.shape for report in reports] == list(parameter_shapes(unpadded(TINY)).values())
    assert progress == sorted(progress)
    assert progress[-1] == 1
    bad = {report.name: (report.nan, report.infinite, report.first) for report in reports if report.first}
    assert bad == {"wte": (0, 1, (20, 11)), "h.1.attn.c_attn.weight": (2, 1, (4, 5)), "ln_f.bias": (1, 0, (7,))}


def test_the_embedded_model_is_finite() -> None:
    assert all(report.first is None for report in verify(open_model("stories")))
