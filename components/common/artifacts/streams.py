"""Files read piece by piece, packed or not, and never beyond a size."""

import io
import os
from typing import Any

from ..bounded_files import in_words, too_large
from ..errors import MonitorError
from .gunzip import GZIP_MAGIC, Readable, Unzipped


class Bounded:
    """A file that is an error, `MonitorError`, once more than `most` bytes of it have been read.

    What has a size says it at once.
    """

    def __init__(self, raw: Any, path: str, most: int) -> None:
        self._raw, self._path, self._most = raw, path, most
        self._read = 0
        try:
            size = os.fstat(raw.fileno()).st_size
        except io.UnsupportedOperation:  # in memory, or elsewhere
            size = 0
        self._count(size)

    def read(self, size: int = 1 << 16, /) -> bytes:
        block: bytes = self._raw.read(size)
        self._read += len(block)
        self._count(self._read)
        return block

    def _count(self, size: int) -> None:
        if size > self._most:
            raise too_large(self._path, size, self._most)


class Unpacked(io.RawIOBase):
    """The content of a file, gzipped or not, as Python has files: `io.BufferedReader` makes reading it fast.

    Reading raises `MonitorError` where gzip's data is damaged, or unpacks to more than `most` bytes.
    """

    def __init__(self, raw: Readable, path: str, most: int) -> None:
        self._path, self._most = path, most
        self._rest = raw.read(len(GZIP_MAGIC))
        self._plain = raw
        self._packed: Unzipped | None = None
        if self._rest == GZIP_MAGIC:
            self._packed, self._rest = Unzipped(raw, self._rest), b""
        self._given = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given

    def readinto(self, buffer: Any) -> int:
        block = self._rest or self._next(len(buffer))
        block, self._rest = block[: len(buffer)], block[len(buffer) :]
        buffer[: len(block)] = block
        self._given += len(block)
        if self._given > self._most:
            raise MonitorError(f"{self._path} must unpack to at most {in_words(self._most)} to be read. Received: more")
        return len(block)

    def _next(self, size: int) -> bytes:
        if self._packed is None:
            return self._plain.read(size)
        block = self._packed.read(size)
        if self._packed.damage is not None:
            raise MonitorError(f"{self._path} must be a whole gzip file. Received: {self._packed.reason}")
        return block
