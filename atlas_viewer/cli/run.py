"""Runs one command, from its arguments to its exit status. Every failure is reported in one line."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from compute.errors import AtlasError, options_spelled
from compute.io.system_errors import first_line

from .option_names import command_line_option
from .parser import parse
from .streams import complain, standard_streams


def run(argv: Sequence[str]) -> int:
    """Run the command in `argv` and return its exit status. Raises KeyboardInterrupt.

    With `--debug`, a failure also prints its traceback.
    """
    debug = "--debug" in argv
    # Without this variable, Vulkan's window-system code prints warnings even if no window is opened.
    if sys.platform == "linux" and "XDG_RUNTIME_DIR" not in os.environ:
        folder = _runtime_folder()
        if folder is not None:
            os.environ["XDG_RUNTIME_DIR"] = folder
    with standard_streams(), options_spelled(command_line_option):
        try:
            status = _run_command(argv)
            sys.stdout.flush()
            return status
        except AtlasError as error:
            if debug:
                traceback.print_exc()
            complain(error)
            return error.exit_status
        except BrokenPipeError:
            # The reader of our output is gone, so there is nobody to report it to.
            return 1
        except Exception as error:
            known = _external_failure(error)
            if known is not None:
                if debug:
                    traceback.print_exc()
                complain(known)
                return known.exit_status
            if debug:
                traceback.print_exc()
            if isinstance(error, FileNotFoundError) and _working_folder_is_gone():
                # Libraries query the folder while they are imported, whether they need it or not.
                complain("the working folder no longer exists; change to another one and run again")
                return 1
            complain(f"unexpected {type(error).__name__}: {first_line(error)}; run again with --debug and report this")
            return 1


def _run_command(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
    except SystemExit as end:  # --help or --version, already printed
        return int(end.code or 0)
    # Only this command's module is loaded: `generate` needs no window.
    module = importlib.import_module(f"atlas_viewer.cli.{arguments.command}")
    if not gc.isenabled():
        gc.freeze()  # later collections skip what has been imported
        gc.enable()
    return int(module.run(arguments))


def _external_failure(error: Exception) -> AtlasError | None:
    """The error to report for a failure outside the program: a lost device or a lack of memory. Otherwise None."""
    if "wgpu" in sys.modules:  # otherwise no device can have failed, and the import is slow
        from compute.gpu.device import device_error

        known = device_error(error)
        if known is not None:
            return known
    if isinstance(error, MemoryError):
        return AtlasError("out of memory: close other programs, or use a smaller --context or a smaller model")
    return None


def _working_folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _runtime_folder() -> str | None:
    """Our own folder inside the temporary folder; None if it cannot be created or belongs to another user."""
    try:
        path = Path(tempfile.gettempdir()) / f"atlas-viewer-{os.getuid()}"
        path.mkdir(mode=0o700, exist_ok=True)
        return str(path) if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid() else None
    except OSError:
        return None
