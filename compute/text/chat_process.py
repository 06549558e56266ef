"""The process in which a chat template runs: a script that imports nothing of this program.

It reads one JSON object from standard input and writes one: `text`, or `refused` when the template raised an exception
of its own, or `error`. `chat.py` starts it and ends it when it takes too long.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
from collections.abc import Callable
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Refused(Exception):
    """Raised by a template that calls `raise_exception`."""


class Generation(jinja2.ext.Extension):
    """The tag `generation`, which marks the assistant's text for training. It changes nothing here."""

    tags = {"generation"}  # noqa: RUF012, declared so by jinja2

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """The nodes between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def limit(seconds: int, memory: int) -> None:
    """Let the system end this process when it takes more."""
    try:
        import resource
    except ImportError:  # Windows, where only the time is limited, by `chat.py`
        return
    for kind, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit of memory
            resource.setrlimit(kind, (most, most))


def refuse(message: object) -> None:
    """The function `raise_exception` of templates."""
    raise Refused(str(message))


def now(form: str) -> str:
    """The function `strftime_now` of templates."""
    return datetime.datetime.now().strftime(form)


def as_json(value: Any, indent: int | None = None) -> str:
    """The filter `tojson`: as JSON, without the HTML escapes of jinja2's own."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def rendered(template: str, values: dict[str, Any], longest: int) -> str:
    """The text that `template` writes. Raises `Refused`, or any exception of a broken template."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    functions: dict[str, Callable[..., object]] = {"raise_exception": refuse, "strftime_now": now}
    environment.globals.update(functions)
    environment.filters["tojson"] = as_json
    parts: list[str] = []
    length = 0
    for part in environment.from_string(template).generate(**values):
        parts.append(part)
        length += len(part)
        if length > longest:
            raise ValueError(f"it writes more than {longest} characters")
    return "".join(parts)


def main() -> None:
    """Answer the request on standard input."""
    request = json.loads(sys.stdin.buffer.read())
    limit(request["seconds"], request["memory"])
    try:
        answer = {"text": rendered(request["template"], request["values"], request["longest"])}
    except Refused as refusal:
        answer = {"refused": str(refusal)}
    except MemoryError:
        answer = {"error": "out of memory"}
    except RecursionError:
        answer = {"error": "it calls itself too often"}
    except Exception as failure:
        answer = {"error": f"{type(failure).__name__}: {failure}"}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
