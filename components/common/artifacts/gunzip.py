"""Gzip streams unpacked as far as they can be: damage ends the reading and is told, what precedes it is kept."""

import zlib
from enum import Enum
from typing import Protocol

GZIP_MAGIC = b"\x1f\x8b\x08"
_CHUNK = 1 << 16
# What is given to zlib at once. It copies the rest of it where a stream ends, of which a file may be full.
_PIECE = 1 << 12
_UNZIP = 16 + zlib.MAX_WBITS  # zlib's number for gzip's header and trailer


class Damage(str, Enum):
    """What is wrong with a stretch of a file."""

    TORN = "torn"  # cut off: the file ends within it
    CORRUPT = "corrupt"  # a checksum is wrong; reading goes on behind it
    UNREADABLE = "unreadable"  # nothing behind it can be read
    FOREIGN = "foreign"  # the file is of another kind


class Readable(Protocol):
    """What is needed of a stream: a read may return less than was asked for, and nothing only at the end."""

    def read(self, size: int = ..., /) -> bytes: ...


class Unzipped:
    """The content of a gzip file, as far as it can be unpacked. `damage` and `reason` say how it ended."""

    def __init__(self, raw: Readable, head: bytes) -> None:
        """Takes the rest of a stream, whose first bytes, `head`, have been read."""
        self.damage: Damage | None = None
        self.reason = ""
        self._raw = raw
        self._chunk = memoryview(head)
        self._packed = b""  # the piece of it that zlib is given
        self._offset = 0
        self._member = zlib.decompressobj(_UNZIP)
        self._ended = False

    def read(self, size: int = _CHUNK, /) -> bytes:
        while not self._ended:
            if not self._packed and not self._next_piece():
                return self._finish()
            if self._member.eof and not self._next_member():
                self._ended = True
            elif unpacked := self._inflate(size):
                return unpacked
        return b""

    def _next_piece(self) -> bool:
        if not self._chunk:
            self._chunk = memoryview(self._raw.read(_CHUNK))
        self._packed = bytes(self._chunk[:_PIECE])
        self._chunk = self._chunk[_PIECE:]
        self._offset += len(self._packed)
        return bool(self._packed)

    def _inflate(self, size: int) -> bytes:
        if not self._packed:
            return b""
        before = self._member.copy()
        packed = self._packed
        try:
            unpacked = self._member.decompress(packed, size)
        except zlib.error as error:
            self._end(Damage.UNREADABLE, f"the gzip data is damaged before byte {self._offset}: {error}")
            return _until_error(before, packed)
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return unpacked

    def _next_member(self) -> bool:
        """Begins the gzip stream behind one that has ended: files may be concatenated, and padded with zeros."""
        while not (packed := self._packed.lstrip(b"\0")):
            if not self._next_piece():
                return False
        self._packed = packed
        self._member = zlib.decompressobj(_UNZIP)
        return True

    def _finish(self) -> bytes:
        rest = b"" if self._member.eof else self._member.flush()
        if self._member.eof:
            self._ended = True
        else:
            self._end(Damage.TORN, f"the gzip data is cut off after {self._offset} bytes")
        return rest

    def _end(self, damage: Damage, reason: str) -> None:
        self._ended, self.damage, self.reason = True, damage, reason


def _until_error(member: "zlib._Decompress", packed: bytes) -> bytes:
    """What zlib can still unpack: given all at once, it would keep what precedes the damage to itself."""
    unpacked = []
    for place in range(len(packed)):
        try:
            unpacked.append(member.decompress(packed[place : place + 1]))
        except zlib.error:
            break
    return b"".join(unpacked)
