"""How messages name an option or argument of the command line."""

from __future__ import annotations

import shlex

# Options with another name, and arguments, which have no dashes.
_TYPED = {"max_new_tokens": "-n", "a": "A", "b": "B", "name": "NAME", "path": "PATH", "source": "IN"}


def command_line_option(name: str, value: tuple[object, ...]) -> str:
    """The option of that Python name as it is typed: `--context 64`, or `--context` without a value."""
    typed = _TYPED.get(name) or "--" + name.replace("_", "-")
    shown = "".join(map(_typed, value))
    return f"{typed} {shown}" if shown else typed


def _typed(value: object) -> str:
    if isinstance(value, float):
        return format(value, "g")
    text = str(value)
    # A leading space would be lost otherwise.
    return shlex.quote(text) if isinstance(value, str) and text != text.strip() else text
