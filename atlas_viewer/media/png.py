"""Writes PNG files in groups of rows, so that a picture of any size needs little memory."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from types import TracebackType
from typing import BinaryIO

import numpy as np

_CHUNK = 1 << 20  # bytes of compressed data per write


class PngWriter:
    """Writes a picture of width x height pixels to an open file, from the top down. Alpha is dropped."""

    def __init__(self, file: BinaryIO, width: int, height: int, text: Mapping[str, str] | None = None) -> None:
        """Write the header. text: texts by their keywords, as metadata."""
        self._file, self._width, self._left = file, width, height
        self._packer = zlib.compressobj(6)
        self._packed = b""  # not yet written
        file.write(b"\x89PNG\r\n\x1a\n")
        # 8 bits per channel, RGB.
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        for keyword, value in (text or {}).items():
            # Uncompressed, without a language.
            self._chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + value.encode())

    def write(self, rows: np.ndarray) -> None:
        """Write the next rows, uint8 [rows, width, 3 or 4]. Raises ValueError for too many rows or a wrong width."""
        count, width, _ = rows.shape
        if width != self._width or count > self._left:
            raise ValueError(f"{count} rows of {width} pixels do not fit: {self._left} rows of {self._width} are left")
        self._left -= count
        filtered = np.zeros((count, 1 + 3 * width), np.uint8)  # each row begins with its filter type, 0 for none
        filtered[:, 1:] = rows[:, :, :3].reshape(count, -1)
        self._packed += self._packer.compress(filtered.tobytes())
        if len(self._packed) >= _CHUNK:
            self._chunk(b"IDAT", self._packed)
            self._packed = b""

    def close(self) -> None:
        """Write the end of the picture. Raises ValueError if rows are missing."""
        if self._left:
            raise ValueError(f"{self._left} rows are missing")
        self._chunk(b"IDAT", self._packed + self._packer.flush())
        self._chunk(b"IEND", b"")

    def __enter__(self) -> PngWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def png(image: np.ndarray, text: Mapping[str, str] | None = None) -> bytes:
    """`image`, uint8 [height, width, 4], as the bytes of a PNG file. Alpha is dropped. text: see `PngWriter`."""
    height, width, _ = image.shape
    file = io.BytesIO()
    with PngWriter(file, width, height, text) as writer:
        writer.write(image)
    return file.getvalue()
