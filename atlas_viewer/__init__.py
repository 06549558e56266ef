"""Atlas: a language model on the GPU, with every number of it in view.

The Python API is imported on first use, so that importing this package loads no GPU library:

>>> import atlas_viewer as av
>>> model = av.load("stories", context=64)
>>> run = model.run("Once upon a time", keep=["h.*.resid_post", "h.3.attn.pattern"])
>>> run["h.3.resid_post"].shape, run["h.3.attn.pattern"].shape, run.logits.shape
((4, 192), (6, 4, 4), (4, 50257))
>>> model.generate("Once upon a time", max_new_tokens=5, temperature=0).continuation
', there was a little'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compute.api.attribution import Attribution
    from compute.api.compare import Comparison, compare
    from compute.api.generation import Generation
    from compute.api.lens import Lens
    from compute.api.load import load
    from compute.api.model import Model
    from compute.api.patching import Ablation, Patching
    from compute.api.run import Run
    from compute.api.score import Score
    from compute.api.steering import SteeringVector, direction
    from compute.api.tensor_info import TensorInfo
    from compute.edits.recorded import RecordedPass
    from compute.errors import (
        AtlasError,
        CheckpointError,
        DeviceError,
        MemoryBudgetError,
        OutputError,
        PromptError,
        TensorNameError,
        TokenizerError,
        UsageError,
    )
    from compute.forward.load_options import LoadOptions

__version__ = "0.1.0"

__all__ = [
    "Ablation", "AtlasError", "Attribution", "CheckpointError", "Comparison", "DeviceError", "Generation", "Lens",
    "LoadOptions", "MemoryBudgetError", "Model", "OutputError", "Patching", "PromptError", "Run", "Score",
    "SteeringVector", "TensorInfo", "TensorNameError", "TokenizerError", "UsageError", "compare", "direction", "load",
]  # fmt: skip

_MODULES = {
    "Ablation": "compute.api.patching",
    "Attribution": "compute.api.attribution",
    "Comparison": "compute.api.compare",
    "Generation": "compute.api.generation",
    "Lens": "compute.api.lens",
    "LoadOptions": "compute.forward.load_options",
    "Model": "compute.api.model",
    "Patching": "compute.api.patching",
    "Run": "compute.api.run",
    "Score": "compute.api.score",
    "SteeringVector": "compute.api.steering",
    "TensorInfo": "compute.api.tensor_info",
    "compare": "compute.api.compare",
    "direction": "compute.api.steering",
    "load": "compute.api.load",
}


def __getattr__(name: str) -> object:
    """Import a name of the API on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("Model", "compare", "load"):
        importlib.import_module("compute.edits.recorded").open_recordings_with(_recorded_pass)
    value = getattr(importlib.import_module(_MODULES.get(name, "compute.errors")), name)
    globals()[name] = value
    return value


def _recorded_pass(path: str, step: int) -> RecordedPass:
    """The pass of a recorded step, for edits that name a recording."""
    opened: RecordedPass = importlib.import_module("atlas_viewer.recording.edit_source").recorded_pass(path, step)
    return opened


def __dir__() -> list[str]:
    """All names, imported or not."""
    return sorted({*globals(), *__all__})
