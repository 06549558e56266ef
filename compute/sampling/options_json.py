"""Decoding of generation options from JSON, for presets in the settings and for recordings."""

from __future__ import annotations

from dataclasses import fields

import msgspec

from .options import GenerateOptions


def options_from_json(values: object) -> GenerateOptions:
    """The options in `values`, the result of `GenerateOptions.as_json`; missing options have their default values.

    Raises ValueError, whose text names the option, for an unknown option or a value of the wrong type. Ranges depend on
    the model; `GenerateOptions.checked` checks them.
    """
    try:
        options = msgspec.convert(values, GenerateOptions)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None  # it quotes only our own names
    known = {field.name for field in fields(GenerateOptions)}
    if not isinstance(values, dict) or not values.keys() <= known:
        raise ValueError(f"may contain only {', '.join(sorted(known))}")
    return options
