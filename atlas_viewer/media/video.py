"""Frames as a video file, through PyAV, which is imported with the first of them: few windows ever film themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from compute.errors import OutputError, UsageError
from compute.io.escape import one_line

# By the suffix: container, codec and options. Quality is constant; "yuv420p" is what every player shows.
_FORMATS: dict[str, tuple[str, str, dict[str, str]]] = {
    ".mp4": ("mp4", "libx264", {"crf": "16", "preset": "medium"}),
    ".mkv": ("matroska", "libx264", {"crf": "16", "preset": "medium"}),
    ".webm": ("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
}
# What an encoder beside a window does otherwise: it must keep up.
_LIVE = {
    "libx264": {"crf": "20", "preset": "ultrafast"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}


def check_suffix(path: Path) -> None:
    """Raise `UsageError` for a suffix that no format has."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"{one_line(path)}: the name of a video must end in one of {', '.join(_FORMATS)}")


def check_video(path: Path, size: tuple[int, int]) -> None:
    """Raise `UsageError` for a suffix that no format has, and for a size that the formats cannot hold."""
    check_suffix(path)
    if size[0] % 2 or size[1] % 2:
        raise UsageError(f"--size {size[0]}x{size[1]}: a video needs an even width and an even height")


class Encoder:
    """An open video file. Used from one thread; close it to have everything written."""

    def __init__(
        self, path: Path, suffix: str, size: tuple[int, int], fps: int, *, ticks: int = 1, live: bool = False
    ) -> None:
        """size: (width, height), even; ticks: units of time in a frame; live: as fast as can be, larger for it.

        Raises what `telling_failures` turns into errors of ours.
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
        # Said in the file, so that players show the colors that were drawn.
        stream.codec_context.color_range = 1  # limited
        stream.codec_context.colorspace = 1  # BT.709
        stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = 1
        self._stream = stream

    def add(self, image: np.ndarray, at: int, order: str = "rgba") -> None:
        """A frame uint8 [height, width, 4], shown from tick `at` on; of another size it is scaled.

        order: of the channels, "rgba" or "bgra". Ticks rise from frame to frame.
        """
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=order)
        frame = frame.reformat(*self.size, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = at, self._base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is left."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


@contextmanager
def telling_failures(path: Path) -> Iterator[None]:
    """Inside it a failure of the encoder is an `OutputError`, of the file an `OSError`."""
    from av.error import FFmpegError

    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise OutputError(f"{one_line(path)}: the video cannot be written ({error}); try another format") from error


def write_video(path: Path, suffix: str, frames: Iterable[np.ndarray], size: tuple[int, int], fps: int) -> int:
    """Write frames uint8 [height, width, 4] to `path` in the format of `suffix`; returns how many there were.

    size: (width, height), as checked by `check_video`. Frame n is shown from second n / fps on. Raises `OutputError`
    when the encoder fails, `OSError` when the file cannot be written.
    """
    count = 0
    with telling_failures(path):
        encoder = Encoder(path, suffix, size, fps)
        try:
            for count, image in enumerate(frames, start=1):
                encoder.add(image, count - 1)
        finally:
            encoder.close()
    return count
