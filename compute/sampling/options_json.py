"""Options of a generation from JSON: presets in the settings, and what recordings keep."""

from __future__ import annotations

from dataclasses import fields

import msgspec

from .options import GenerateOptions


def options_from_json(values: object) -> GenerateOptions:
    """The options that `GenerateOptions.as_json` gave; a missing one has its default value.

    Raises ValueError, whose text names the option, for an unknown one and for a value of another type. Ranges depend
    on the model: `GenerateOptions.checked` checks them.
    """
    try:
        options = msgspec.convert(values, GenerateOptions)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None  # it quotes nothing but names of ours
    known = {field.name for field in fields(GenerateOptions)}
    if not isinstance(values, dict) or not values.keys() <= known:
        raise ValueError(f"may have only {', '.join(sorted(known))}")
    return options
