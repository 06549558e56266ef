"""Changes of options in words."""

from __future__ import annotations

from dataclasses import fields

from compute.sampling.options import GenerateOptions

_NAMES = {
    "temperature": "temperature",
    "top_k": "top-k",
    "top_p": "top-p",
    "min_p": "min-p",
    "repetition_penalty": "repetition penalty",
    "seed": "seed",
    "context": "context",
}


def changes_in_words(before: GenerateOptions, after: GenerateOptions) -> str:
    """The changes, as in `temperature 1.2 (0.8 before)`, joined by commas; "the same" if there are none."""
    changes = []
    for field in fields(GenerateOptions):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name in _NAMES and old != new:
            changes.append(f"{_NAMES[field.name]} {new:g} ({old:g} before)")
    return ", ".join(changes) or "the same"
