"""How messages name an option of the command line."""

from __future__ import annotations

_SHORT = {"max_new_tokens": "-n"}


def command_line_option(name: str, value: tuple[object, ...]) -> str:
    """The option of that Python name as it is typed: `--context 64`, or `--context` without a value."""
    typed = _SHORT.get(name) or "--" + name.replace("_", "-")
    shown = "".join(format(one, "g") if isinstance(one, float) else str(one) for one in value)
    return f"{typed} {shown}" if shown else typed
