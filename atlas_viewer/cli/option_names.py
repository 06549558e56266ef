"""How messages name an option of the command line."""

from __future__ import annotations

_SHORT = {"max_new_tokens": "-n"}


def command_line_option(name: str, value: str | float | None) -> str:
    """The option of that Python name as it is typed: `--context 64`, or `--context` without a value."""
    typed = _SHORT.get(name) or "--" + name.replace("_", "-")
    if value is None or value == "":
        return typed
    return f"{typed} {value if isinstance(value, (str, int)) else format(value, 'g')}"
