"""Checks of all views: patterns, probes, formulas, statistics, Strip, Map and Attention."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.weights.dtypes import DTYPES

from . import attention_views
from .check import Check
from .formulas import formulas
from .gpu import Gpu
from .lookups import patterns, probes
from .map import center, maps
from .models import SMALL, loud_model, rounded_model
from .statistics import corrupted_model, statistics
from .strip import strip

# The context is long enough that a Strip cell represents many values and Strip keeps the extremes of blocks.
CONFIG = dataclasses.replace(SMALL, positions=240)
CONTEXT = 230


def checks(gpu: Gpu) -> Iterator[Check]:
    """The checks of this group."""
    for dtype, base in zip(DTYPES, (2, 4, 8), strict=True):
        source = rounded_model(loud_model(CONFIG), dtype)
        engine = Engine.load(source, LoadOptions(context=CONTEXT, program="rows"))
        yield patterns(engine, source)
        yield probes(engine, source)
        yield formulas(engine, source)
        yield strip(engine, source)
        yield statistics(engine, source)
        yield from maps(engine, source, base)
    for count in (1, 255, 257, 5003):
        yield center(gpu, count)
    yield from attention_views.checks(engine)
    source = corrupted_model(CONFIG)
    engine = Engine.load(source, LoadOptions(context=CONTEXT, program="rows"))
    yield probes(engine, source)
    yield statistics(engine, source)
