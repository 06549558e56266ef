"""Loader of the WGSL shaders: one operation a file, Jinja templates that fail loudly on a missing name."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import jinja2

FOLDER = Path(__file__).parent


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        # Statements start with `$$`, so that a shader reads as WGSL and an editor can highlight it.
        line_statement_prefix="$$",
        block_start_string="{%",
        variable_start_string="{{",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def load(name: str, **values: object) -> str:
    """Return the WGSL source of `name` (a path inside this package without `.wgsl`) with `values` filled in.

    Raises `jinja2.UndefinedError` when the shader uses a name that is not given, `jinja2.TemplateNotFound` when
    there is no such shader.
    """
    return _environment().get_template(f"{name}.wgsl").render(**values)


def names() -> list[str]:
    """Every shader that `load` can load, sorted, snippets of `common/` left out."""
    return sorted(path.stem for path in FOLDER.glob("*.wgsl"))


@functools.cache
def digest() -> str:
    """SHA-256 of all shaders with their names, in hex: another one whenever one of them changes."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.wgsl")):
        text = path.read_bytes()
        found.update(f"{path.relative_to(FOLDER).as_posix()} {len(text)}\n".encode() + text)
    return found.hexdigest()
