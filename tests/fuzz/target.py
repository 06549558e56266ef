"""Targets, and the folders of their modules, corpora and findings."""

from __future__ import annotations

import hashlib
import importlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
PACKAGES = ("compute", "atlas_viewer")
"""The packages that are instrumented, and in which the place of a finding is searched."""


class Refused(Exception):
    """The program refuses an input with a documented error: `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def may_refuse(*kinds: type[Exception]) -> Iterator[None]:
    """Within the body the program may refuse the input with an error of `kinds`; elsewhere any error is a finding."""
    try:
        yield
    except kinds as error:
        raise Refused(error) from error


@dataclass(frozen=True)
class Target:
    """One way for untrusted data into the program.

    use: hands the bytes to the program, and takes what it reads as far as the program would. Raises `Refused`; every
        other error is a finding.
    seeds: makes inputs that the program takes; from the program's own writers, so that they are never out of date.
    mutate: a changed input that is still near the format.
    longest: of an input, in bytes.
    runs: how many inputs the tests try.
    """

    use: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[bytes, random.Random], bytes]
    longest: int = 1 << 14
    runs: int = 1000


def names() -> list[str]:
    """All targets, in alphabetical order."""
    return sorted(path.stem for path in (FOLDER / "targets").glob("*.py") if path.stem != "__init__")


def load(name: str) -> Target:
    """The target of that name, or of any module given by its dotted name.

    It imports what it tests: do it while imports are instrumented.
    """
    target: Target = importlib.import_module(name if "." in name else f"fuzz.targets.{name}").TARGET
    return target


def corpus(name: str) -> Path:
    """The folder of small inputs that together reach most of the target's code."""
    return FOLDER / "corpus" / name


def findings(name: str) -> Path:
    """The folder of inputs that once broke something."""
    return FOLDER / "findings" / name


def finding_path(folder: Path, data: bytes) -> Path:
    """The path in `folder`, which is created, for the input of a finding."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / hashlib.sha256(data).hexdigest()[:16]


def kept(name: str) -> list[Path]:
    """All files of both folders."""
    return [path for folder in (corpus(name), findings(name)) for path in sorted(folder.glob("*")) if path.is_file()]
