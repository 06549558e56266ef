"""Writes video files with PyAV, which is imported on first use, because few sessions write a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from compute.errors import OutputError, UsageError
from compute.io.escape import one_line

# Suffix -> container, codec and options. Quality is constant; every player supports "yuv420p".
_FORMATS: dict[str, tuple[str, str, dict[str, str]]] = {
    ".mp4": ("mp4", "libx264", {"crf": "16", "preset": "medium"}),
    ".mkv": ("matroska", "libx264", {"crf": "16", "preset": "medium"}),
    ".webm": ("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
}
# Changed options for an encoder that must keep up with the window.
_LIVE = {
    "libx264": {"crf": "20", "preset": "ultrafast"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}


def check_suffix(path: Path) -> None:
    """Raise `UsageError` for a suffix that is not that of a video format."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"{one_line(path)}: the name of a video must end in one of {', '.join(_FORMATS)}")


def check_video(path: Path, size: tuple[int, int]) -> None:
    """Raise `UsageError` for a suffix that is not that of a video format, or for a size that a video cannot have."""
    check_suffix(path)
    if size[0] % 2 or size[1] % 2:
        raise UsageError(f"--size {size[0]}x{size[1]}: a video needs an even width and an even height")


class Encoder:
    """An open video file. Use it in a single thread; `close` completes the file."""

    def __init__(
        self, path: Path, suffix: str, size: tuple[int, int], fps: int, *, ticks: int = 1, live: bool = False
    ) -> None:
        """size: (width, height), both even; ticks: time units per frame; live: encode faster, into a larger file.

        Raises errors that `encoder_failures` converts.
        """
        import av

        container_format, codec, options = _FORMATS[suffix.lower()]
        options = options | (_LIVE[codec] if live else {})
        self.size, self._base = size, Fraction(1, fps * ticks)
        self._container = av.open(str(path), "w", format=container_format)
        stream: Any = self._container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._base
        # Stored in the file, so that players show the colors that were drawn.
        stream.codec_context.color_range = 1  # limited
        stream.codec_context.colorspace = 1  # BT.709
        stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = 1
        self._stream = stream

    def add(self, image: np.ndarray, at: int, order: str = "rgba") -> None:
        """Add a frame, uint8 [height, width, 4], shown from tick `at` on. A frame of a different size is scaled.

        order: the channel order, "rgba" or "bgra". Ticks must increase from frame to frame.
        """
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=order)
        frame = frame.reformat(*self.size, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = at, self._base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Encode the remaining frames and complete the file."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


@contextmanager
def encoder_failures(path: Path) -> Iterator[None]:
    """A context in which an encoder failure raises `OutputError`, and a file failure raises `OSError`."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise OutputError(f"{one_line(path)}: the video cannot be written ({error}); try another format") from error


def write_video(path: Path, suffix: str, frames: Iterable[np.ndarray], size: tuple[int, int], fps: int) -> int:
    """Write frames, uint8 [height, width, 4], to `path` in the format of `suffix`; return their number.

    size: (width, height), as checked by `check_video`. Frame n is shown from second n / fps on. Raises `OutputError` if
    the encoder fails, `OSError` if the file cannot be written.
    """
    count = 0
    with encoder_failures(path):
        encoder = Encoder(path, suffix, size, fps)
        try:
            for count, image in enumerate(frames, start=1):
                encoder.add(image, count - 1)
        finally:
            encoder.close()
    return count
