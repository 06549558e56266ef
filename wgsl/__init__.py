"""Loads the WGSL shaders: one operation per file, in a folder per stage. `common/` contains snippets to include.

Shaders are Jinja templates. An undefined name is an error.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from pathlib import Path

import jinja2
import platformdirs
from jinja2.bccache import Bucket

FOLDER = Path(__file__).parent


class _TemplateCache(jinja2.FileSystemBytecodeCache):
    """Compiled templates in the user's cache: compiling them took longer than the driver's part of a warm start.

    Jinja finds them by name and content. If the folder cannot be used, they are compiled at every start.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load a cached template. Jinja raises for some kinds of damage; the template is then compiled again."""
        try:
            super().load_bytecode(bucket)
        except Exception:
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Cache a compiled template."""
        with contextlib.suppress(OSError):
            Path(self.directory).mkdir(parents=True, exist_ok=True)
            super().dump_bytecode(bucket)


def _cache_folder() -> Path:
    return Path(os.environ.get("ATLAS_VIEWER_CACHE") or platformdirs.user_cache_dir("atlas-viewer", appauthor=False))


@functools.cache
def environment() -> jinja2.Environment:
    """The Jinja environment that loads the templates."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        bytecode_cache=_TemplateCache(str(_cache_folder() / "templates")),
        undefined=jinja2.StrictUndefined,
        block_start_string="{%",
        variable_start_string="{{",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def load(name: str, **values: object) -> str:
    """Return the WGSL source of `name` (a path inside this package without `.wgsl`) with `values` filled in.

    Raises `jinja2.UndefinedError` for a name without a value, `jinja2.TemplateNotFound` for an unknown shader.
    """
    return environment().get_template(f"{name}.wgsl").render(**values)


def names() -> list[str]:
    """All compute shaders as `stage/operation`, sorted, without snippets and scene shaders."""
    shaders = (path.relative_to(FOLDER).with_suffix("") for path in FOLDER.rglob("*.wgsl"))
    return sorted(path.as_posix() for path in shaders if "common" not in path.parts and path.parts[0] != "scene")


@functools.cache
def digest() -> str:
    """SHA-256 of all shaders and their names, in hex."""
    sha256 = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.wgsl")):
        text = path.read_bytes()
        sha256.update(f"{path.relative_to(FOLDER).as_posix()} {len(text)}\n".encode() + text)
    return sha256.hexdigest()
