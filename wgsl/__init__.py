"""Loads the WGSL shaders: one operation per file, in a folder per stage; `common/` holds what others include.

Shaders are Jinja templates; a name that is not given is an error.
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


class _Kept(jinja2.FileSystemBytecodeCache):
    """Compiled templates in the user's cache: making them took longer than the driver's part of a warm start.

    The library finds them by name and content. Where the folder cannot be used they are made each time.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is kept. The library raises for some kinds of damage, which is then made again like any other."""
        try:
            super().load_bytecode(bucket)
        except Exception:
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was made."""
        with contextlib.suppress(OSError):
            Path(self.directory).mkdir(parents=True, exist_ok=True)
            super().dump_bytecode(bucket)


def _cache_folder() -> Path:
    return Path(os.environ.get("ATLAS_VIEWER_CACHE") or platformdirs.user_cache_dir("atlas-viewer", appauthor=False))


@functools.cache
def environment() -> jinja2.Environment:
    """What loads the templates."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        bytecode_cache=_Kept(str(_cache_folder() / "templates")),
        undefined=jinja2.StrictUndefined,
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
    return environment().get_template(f"{name}.wgsl").render(**values)


def names() -> list[str]:
    """Every compute shader that `load` can load, as `stage/operation`, sorted: no snippets, and no scene shaders."""
    found = (path.relative_to(FOLDER).with_suffix("") for path in FOLDER.rglob("*.wgsl"))
    return sorted(path.as_posix() for path in found if "common" not in path.parts and path.parts[0] != "scene")


@functools.cache
def digest() -> str:
    """SHA-256 of all shaders with their names, in hex: another one whenever one of them changes."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.wgsl")):
        text = path.read_bytes()
        found.update(f"{path.relative_to(FOLDER).as_posix()} {len(text)}\n".encode() + text)
    return found.hexdigest()
