"""One command, from its arguments to its exit status; every failure is reported in one line."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from compute.errors import AtlasError
from compute.io.system_errors import first_line

from .parser import parse
from .streams import complain, standard_streams


def run(argv: Sequence[str]) -> int:
    """Run the command that `argv` asks for; returns the exit status. Raises KeyboardInterrupt. With `--debug` a failure
    is shown with its traceback."""
    debug = "--debug" in argv
    # Vulkan's window-system code complains on stderr when this is unset, even where no window is opened.
    if sys.platform == "linux" and "XDG_RUNTIME_DIR" not in os.environ:
        folder = _runtime_folder()
        if folder is not None:
            os.environ["XDG_RUNTIME_DIR"] = folder
    with standard_streams():
        try:
            status = _done(argv)
            sys.stdout.flush()
            return status
        except AtlasError as error:
            if debug:
                traceback.print_exc()
            complain(error)
            return error.exit_status
        except BrokenPipeError:
            # The reader of our output went away: nobody is left to tell.
            return 1
        except Exception as error:
            known = _known(error)
            if known is not None:
                if debug:
                    traceback.print_exc()
                complain(known)
                return known.exit_status
            if debug:
                traceback.print_exc()
            if isinstance(error, FileNotFoundError) and _working_folder_is_gone():
                # Libraries ask for it while they are imported, whether they need it or not.
                complain("the working folder is gone; change to another one and run again")
                return 1
            complain(f"unexpected {type(error).__name__}: {first_line(error)}; run again with --debug and report this")
            return 1


def _done(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
    except SystemExit as end:  # of --help and --version, which have been printed
        return int(end.code or 0)
    # A command's module is loaded only when it runs: `generate` needs no window.
    module = importlib.import_module(f"atlas_viewer.cli.{arguments.command}")
    if not gc.isenabled():
        gc.freeze()  # what was imported is left out of every later search
        gc.enable()
    return int(module.run(arguments))


def _known(error: Exception) -> AtlasError | None:
    """What is no fault of the program: a lost device, or memory that ran out."""
    if "wgpu" in sys.modules:  # otherwise no device has failed, and loading it takes long
        from compute.gpu.device import device_error

        known = device_error(error)
        if known is not None:
            return known
    if isinstance(error, MemoryError):
        return AtlasError("no memory is left: close other programs, or use a smaller --context or a smaller model")
    return None


def _working_folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _runtime_folder() -> str | None:
    """A folder of our own below the temporary one; None where there can be none, or somebody else's is there."""
    try:
        path = Path(tempfile.gettempdir()) / f"atlas-viewer-{os.getuid()}"
        path.mkdir(mode=0o700, exist_ok=True)
        return str(path) if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid() else None
    except OSError:
        return None
