"""Downloads one file, resuming an interrupted transfer.

The library's own download function starts over on each call, so only its `http_get` is used, which can resume.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get

from compute.errors import FetchError

from .client import failures_as_fetch_errors, headers_for
from .offer import RemoteFile


def download(
    file: RemoteFile, part: Path, progress: Callable[[int], None], stop: threading.Event | None = None
) -> None:
    """Download `file` to `part`, resuming after the bytes already there. Calls `progress` with the bytes so far.

    Returns when `part` has the size of the file; the caller checks its content. Raises `FetchError` and keeps the bytes
    downloaded so far, unless the size is wrong.
    """
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()

    class Reporter:
        """Stands in for the library's progress bar."""

        def __init__(self, *, initial: int = 0, **_others: object) -> None:
            self._done = initial

        def __enter__(self) -> Reporter:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            return None

        def update(self, count: float | None = 1) -> None:
            if stop is not None and stop.is_set():
                raise FetchError(f"{file.name}: stopped; what has been downloaded is kept, so fetch again to resume")
            self._done += int(count or 0)
            progress(self._done)

    with failures_as_fetch_errors(file.name), part.open("ab") as target:
        try:
            http_get(
                file.url,
                target,
                resume_size=target.tell(),
                headers=headers_for(file.token),
                expected_size=file.size,
                displayed_filename=file.name,
                tqdm_class=Reporter,
            )
        except OSError as error:
            if isinstance(error, HfHubHTTPError) or error.errno is not None:
                raise
            # The only error without a number: the transfer ended normally, but with the wrong size.
            target.truncate(0)
            raise FetchError(
                f"{file.name}: the download does not have {file.size} bytes and was discarded; fetch again"
            ) from None
