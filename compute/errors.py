"""One exception tree. What a user can cause is an `AtlasError` with a one-line message: what, where, what to do."""

from __future__ import annotations


class AtlasError(Exception):
    """Base of every error that is told to the user in one line. `exit_status` is what the command line returns."""

    exit_status = 1


class UsageError(AtlasError):
    """An option or argument has a value that can never work."""

    exit_status = 2


class CheckpointError(AtlasError):
    """A model file cannot be read as what it says it is."""


class TensorsError(CheckpointError):
    """Tensors of a model file do not fit its config. `problems` has a line for each of them."""

    def __init__(self, message: str, problems: list[str]) -> None:
        super().__init__(message)
        self.problems = problems


class TokenizerError(AtlasError):
    """A tokenizer file cannot be read, or does not fit the model."""


class PromptError(AtlasError):
    """The prompt is no valid text."""


class DeviceError(AtlasError):
    """No usable adapter, or the device was lost."""


class MemoryBudgetError(DeviceError):
    """The model or its window does not fit the memory or the binding limits of the adapter."""


class DisplayError(AtlasError):
    """No window can be opened here."""


class OutputError(AtlasError):
    """A result cannot be written."""


class TakenError(OutputError):
    """A file is there already, and what would be written there replaces nothing."""


class RecordingError(AtlasError):
    """A recording cannot be read, written, replayed, or does not hold what it says."""


class FetchError(AtlasError):
    """A model cannot be fetched, or did not arrive as it should."""


class TourError(AtlasError):
    """A scripted tour cannot be read or played."""
