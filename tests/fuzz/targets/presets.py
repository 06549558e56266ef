"""Presets of a settings file: whatever their names and values, they can be shown, chosen and renamed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import fields

from atlas_viewer.state import presets
from atlas_viewer.state.settings import VERSION, loads
from compute.sampling.options import GenerateOptions

from ..mutation import change_json
from ..target import Target, may_refuse

_MOST = 2**31 - 1  # positions and tokens of any model


def seeds() -> Sequence[bytes]:
    """No preset, one, and several, one of them named like one of the program's own."""
    made: tuple[dict[str, GenerateOptions], ...] = (
        {},
        {"mine": GenerateOptions(temperature=1, top_k=7)},
        {
            "greedy": GenerateOptions(),
            "日本": GenerateOptions(min_p=0.5, seed=2**32 - 1),
            "b": presets.BUILT_IN["wild"],
        },
    )
    return [json.dumps({name: preset.as_json() for name, preset in saved.items()}).encode() for saved in made]


def use(data: bytes) -> None:
    """Read them, then do what the panel does with them."""
    with may_refuse(ValueError):
        saved = loads(f'{{"version": {VERSION}, "presets": {data.decode()}\n}}').presets
    for name, preset in presets.all_presets(saved).items():
        name.encode()
        presets.summary(preset).encode()
        options = presets.applied(preset, GenerateOptions(context=1))
        options.checked(_MOST, _MOST)
        assert all(math.isfinite(float(value)) for value in options.as_json().values())
        presets.cannot_save(name, options, saved)
        presets.name_of(options, saved)
    for name in list(saved)[:3]:
        presets.cannot_rename(name, "other", saved)
        presets.rename(name, "other", saved)


TARGET = Target(use, seeds, change_json([field.name for field in fields(GenerateOptions)]))
