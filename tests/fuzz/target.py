"""What a target is, and where those of this folder, their corpus and their findings lie."""

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
"""What is instrumented, and where the place of a finding is looked for."""


class Refused(Exception):
    """The program does not take an input, and says so by an error that is documented: `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def may_refuse(*kinds: type[Exception]) -> Iterator[None]:
    """In the body the program may refuse the input by an error of `kinds`; anywhere else, none is in order."""
    try:
        yield
    except kinds as error:
        raise Refused(error) from error


@dataclass(frozen=True)
class Target:
    """One way into the program for what comes from elsewhere.

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
    """Every target, in the order of the alphabet."""
    return sorted(path.stem for path in (FOLDER / "targets").glob("*.py") if path.stem != "__init__")


def load(name: str) -> Target:
    """The target of that name, or of a module anywhere, by its dotted name.

    It imports what it tests: do it while imports are instrumented.
    """
    target: Target = importlib.import_module(name if "." in name else f"fuzz.targets.{name}").TARGET
    return target


def corpus(name: str) -> Path:
    """The folder of small inputs that reach much of what the target tests."""
    return FOLDER / "corpus" / name


def findings(name: str) -> Path:
    """The folder of inputs that once broke something."""
    return FOLDER / "findings" / name


def finding_path(folder: Path, data: bytes) -> Path:
    """Where in `folder`, which is made, the input of a finding is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / hashlib.sha256(data).hexdigest()[:16]


def kept(name: str) -> list[Path]:
    """The files of both folders."""
    return [path for folder in (corpus(name), findings(name)) for path in sorted(folder.glob("*")) if path.is_file()]
