"""Checks of each architecture as a whole: passes, formulas, lens and attribution of a small model."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.forward.rows_program import RowsProgram
from compute.forward.tiled_program import TiledProgram
from compute.gpu.device import is_software
from compute.models.config import ModelConfig

from . import attention_views, formulas
from .check import PASS, Check, Skipped
from .gpu import Gpu
from .lens import small_runner
from .models import loud_model, shape_of
from .passes import ProgramPair, prove_pairs
from .small_models import SMALL_MODELS

_SOFTWARE = (ProgramPair("rows, textures", "texture", RowsProgram, RowsProgram),)
_GPU = (ProgramPair("tiled, rows", "buffer", TiledProgram, RowsProgram),)


def architecture(gpu: Gpu, name: str, config: ModelConfig) -> Iterator[Check | Skipped]:
    """The checks of one architecture."""
    software = is_software(gpu.device.adapter)
    for check in prove_pairs(config, "f32", _SOFTWARE if software else _GPU):
        yield _named(check, name)
    model = loud_model(config, scale=1.8 / sqrt(config.channels))
    engine = Engine.load(model, LoadOptions(context=config.positions, measured=False))
    yield _named(formulas.formulas(engine, model), name)
    yield _named(attention_views.heads(engine, (1, 3, config.positions)), name)
    runner = small_runner(model, "f32")
    shapes = shape_of(config)
    yield runner.lens_errors(target=5, top=20).check(f"{name}: logit lens", shapes, PASS)
    yield runner.attribution_errors(5, 9, 7).check(f"{name}: attribution", shapes, PASS)


def _named(check: Check | Skipped, name: str) -> Check | Skipped:
    if isinstance(check, Skipped):
        return Skipped(f"{name}: {check.name}", check.why)
    return Check(f"{name}: {check.name}", check.shapes, check.error, check.tolerance, check.worst, check.numbers)


def checks(gpu: Gpu) -> Iterator[Check | Skipped]:
    """The checks of this group."""
    for name, config in SMALL_MODELS.items():
        yield from architecture(gpu, name, config)
