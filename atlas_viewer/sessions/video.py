"""Frames as a video file, through PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from compute.errors import OutputError, UsageError
from compute.llmc import one_line

# By the suffix: container, codec and options. Quality is constant; "yuv420p" is what every player shows.
_FORMATS: dict[str, tuple[str, str, dict[str, str]]] = {
    ".mp4": ("mp4", "libx264", {"crf": "16", "preset": "medium"}),
    ".mkv": ("matroska", "libx264", {"crf": "16", "preset": "medium"}),
    ".webm": ("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
}


def check_video(path: Path, size: tuple[int, int]) -> None:
    """Raise `UsageError` for a suffix that no format has, and for a size that the formats cannot hold."""
    if path.suffix.lower() not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise UsageError(f"--video {one_line(path)}: the name must end in one of {known}")
    if size[0] % 2 or size[1] % 2:
        raise UsageError(f"--size {size[0]}x{size[1]}: a video needs an even width and an even height")


def write_video(path: Path, suffix: str, frames: Iterable[np.ndarray], size: tuple[int, int], fps: int) -> int:
    """Write frames uint8 [height, width, 4] to `path` in the format of `suffix`; returns how many there were.

    size: (width, height), as checked by `check_video`. Frame n is shown from second n / fps on. Raises `OutputError`
    when the encoder fails, `OSError` when the file cannot be written.
    """
    container_format, codec, options = _FORMATS[suffix.lower()]
    count = 0
    try:
        with av.open(str(path), "w", format=container_format) as container:
            stream: Any = container.add_stream(codec, rate=fps, options=options)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.time_base = Fraction(1, fps)
            # Said in the file, so that players show the colours that were drawn.
            stream.codec_context.color_range = 1  # limited
            stream.codec_context.colorspace = 1  # BT.709
            stream.codec_context.color_primaries = 1
            stream.codec_context.color_trc = 1
            for count, image in enumerate(frames, start=1):
                rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:, :, :3]), format="rgb24")
                frame = rgb.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
                frame.pts, frame.time_base = count - 1, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise OutputError(f"{one_line(path)}: the video cannot be written ({error}); try another format") from error
    return count
