"""The self-test's latest result, in the user's cache: one file per adapter, driver and version."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import wgpu

import wgsl
from atlas_viewer import __version__
from compute.errors import OutputError
from compute.io.output_files import write_output
from compute.io.untrusted_json import read_untrusted_json
from compute.weights.model_cache import cache_folder

NOT_PROVED = "not proved; run doctor --prove"


@dataclass(frozen=True)
class Subject:
    """What a self-test depends on: a result is valid only for the same values."""

    adapter: str
    driver: str
    shader_hash: str
    program: str  # this program's version and wgpu's, which compiles the shaders

    @classmethod
    def of(cls, adapter: wgpu.GPUAdapter) -> Subject:
        """The subject for this program's kernels on `adapter`."""
        info = adapter.info
        name = f"{info['device']} ({info['adapter_type']}, {info['backend_type']})"
        program = f"atlas-viewer {__version__}, wgpu {wgpu.__version__}"
        return cls(name, str(info["description"]), wgsl.digest(), program)

    @property
    def path(self) -> Path:
        """The file of the result, which may not exist."""
        key = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return cache_folder() / "proofs" / f"{key[:32]}.json"


@dataclass(frozen=True)
class Proved:
    """A result: the largest numerical error (None when it is not finite), the verdict, and the UTC time."""

    error: Annotated[float, msgspec.Meta(ge=0)] | None
    ok: bool
    date: str

    @property
    def text(self) -> str:
        """The result in a few words."""
        if self.ok and self.error is not None:
            return f"proved: {short(self.error)}"
        return "FAILED; run doctor --prove for details"

    def as_json(self) -> dict[str, float | bool | str | None]:
        """The result as plain JSON values."""
        return asdict(self)


def known(adapter: wgpu.GPUAdapter) -> Proved | None:
    """The result for `adapter`; None when there is no valid one."""
    subject = Subject.of(adapter)
    try:
        values = read_untrusted_json(subject.path.read_text("utf-8"))
        proved = msgspec.convert(values, Proved)
        same_subject = msgspec.convert(values, Subject) == subject
    except (OSError, ValueError, msgspec.ValidationError):
        return None
    return proved if same_subject and (proved.error is not None or not proved.ok) else None


def keep(adapter: wgpu.GPUAdapter, proved: Proved) -> None:
    """Save a result for `known`. Raises `OutputError`."""
    subject = Subject.of(adapter)
    try:
        subject.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{subject.path.parent}: cannot be created ({error.strerror})") from error
    write_output(subject.path, (json.dumps({**asdict(subject), **proved.as_json()}, indent=1) + "\n").encode())


def short(error: float) -> str:
    """An error with two digits, as in 1.2e-6."""
    mantissa, exponent = f"{error:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}" if error else "0"
