"""Presets: named sampling options. They set temperature, filters and penalty, but not seed, length or context."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from compute.sampling.options import GenerateOptions

BUILT_IN: Mapping[str, GenerateOptions] = {
    "greedy": GenerateOptions(temperature=0.0),
    "balanced": GenerateOptions(temperature=0.8, top_p=0.95),
    "wild": GenerateOptions(temperature=1.4, min_p=0.02, repetition_penalty=1.1),
}
LONGEST_NAME = 40
_FIELDS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def sampling_of(options: GenerateOptions) -> GenerateOptions:
    """The options that a preset saves; all others have their defaults."""
    return applied(options, GenerateOptions())


def applied(preset: GenerateOptions, options: GenerateOptions) -> GenerateOptions:
    """`options` with those that the preset sets replaced."""
    return dataclasses.replace(options, **{name: getattr(preset, name) for name in _FIELDS})


def all_presets(saved: Mapping[str, GenerateOptions]) -> dict[str, GenerateOptions]:
    """All presets by name, the built-in ones first."""
    return {**BUILT_IN, **{name: preset for name, preset in saved.items() if name not in BUILT_IN}}


def name_of(options: GenerateOptions, saved: Mapping[str, GenerateOptions]) -> str | None:
    """The name of the preset that matches `options`; None when there is none."""
    wanted = sampling_of(options)
    return next((name for name, preset in all_presets(saved).items() if sampling_of(preset) == wanted), None)


def summary(options: GenerateOptions) -> str:
    """The options that a preset sets, in words."""
    parts = [f"temperature {options.temperature:g}"]
    parts += [f"top-k {options.top_k}"] if options.top_k else []
    parts += [f"top-p {options.top_p:g}"] if options.top_p < 1 else []
    parts += [f"min-p {options.min_p:g}"] if options.min_p > 0 else []
    parts += [f"repetition penalty {options.repetition_penalty:g}"] if options.repetition_penalty != 1 else []
    return ", ".join(parts)


def bad_name(name: str) -> str:
    """Why a preset cannot be called `name`; empty when it can."""
    if not name:
        return "Give it a name"
    if name in BUILT_IN:
        return f"{name} is a built-in preset"
    if len(name) > LONGEST_NAME:
        return f"At most {LONGEST_NAME} characters"
    if "##" in name or not name.isprintable():  # imgui cuts labels at ##
        return "The name contains characters that cannot be shown"
    return ""


def cannot_save(name: str, options: GenerateOptions, saved: Mapping[str, GenerateOptions]) -> str:
    """Why `options` cannot be saved as `name`; empty when they can. A saved preset of that name is replaced."""
    same = name_of(options, saved)
    return bad_name(name) or (f"{same} already has these options" if same else "")


def save(name: str, options: GenerateOptions, saved: dict[str, GenerateOptions]) -> None:
    """Save `options` as preset `name`."""
    saved[name] = sampling_of(options)


def cannot_rename(old: str | None, new: str, saved: Mapping[str, GenerateOptions]) -> str:
    """Why preset `old` cannot be renamed to `new`; empty when it can."""
    if old not in saved:
        return "Only a saved preset can be renamed"
    return bad_name(new) or (f"There is already a preset {new}" if new in saved else "")


def rename(old: str, new: str, saved: dict[str, GenerateOptions]) -> None:
    """Rename a saved preset; it keeps its position."""
    kept = {new if name == old else name: preset for name, preset in saved.items()}
    saved.clear()
    saved.update(kept)
